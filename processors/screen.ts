/** What de-duplication alone says to a command, before its body matters: also to one whose body cannot be decoded. */
import { bodyHash } from '../schemas/codec.ts'
import { packIdTime } from '../schemas/ids.ts'
import { limits } from '../schemas/limits.ts'
import type { Command } from '../schemas/records.ts'
import { answerKey, answerTo } from './answers.ts'
import { type Decision, reject } from './processor.ts'
import type { StreamState } from './state.ts'

/** Null: the command is new, and the rules of its stream decide. `now` is the partition's clock in ms. */
export function screen(state: StreamState, command: Command, now: number): Decision | null {
  const first = answerTo(state.answers, answerKey(command.sender, command.packId))
  if (first) {
    const conflict = first.bodyHash !== (bodyHash(command.schema, command.payload) | 0)
    return { kind: 'repeat', first, conflict }
  }
  const time = packIdTime(command.packId)
  if (time > now + limits.packIdAheadBackstopMsMax) return reject('pack_id_ahead')
  if (time <= state.answers.floor) return reject('pack_id_expired')
  return null
}
