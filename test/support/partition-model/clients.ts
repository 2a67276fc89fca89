/** Clients of one partition: new commands, retries under the same packId, other bodies under it, and rubbish. */

import { sealCommand } from '../../../schemas/codec.ts'
import { groupStream, newGroupId } from '../../../schemas/ids.ts'
import type { CommandPayload } from '../../../schemas/records.ts'
import { anyCommand } from '../any-command.ts'
import { commandOf, create, packId, send, T0 } from '../commands.ts'
import type { Random } from '../random.ts'

export interface Issued {
  /** Stream, sender and packId; null for what is no command. */
  readonly key: string | null
  readonly value: Buffer
}

export interface Clients {
  /** The next command that someone sends. */
  next(nowMs: number): Issued
  issued(): readonly Issued[]
}

const USERS = ['a', 'b', 'c'] as const
const GROUP_PACK_ID = packId(T0, 7)
const GROUP = groupStream(newGroupId('a', GROUP_PACK_ID))
const STREAMS = ['p2p:a:b', 'p2p:a:b', GROUP, GROUP, 'u:a'] as const

export const keyOf = (stream: string, sender: string, id: Buffer): string =>
  `${stream} ${sender} ${id.toString('hex')}`

export function createClients(random: Random): Clients {
  const issued: Issued[] = []
  let counter = 100

  /** Mostly now, sometimes from before, sometimes further ahead than the rules allow. */
  const idTime = (nowMs: number) => {
    if (random.chance(0.04)) return nowMs + 1_000_000
    if (random.chance(0.15)) return nowMs - random.int(3_000)
    return nowMs + random.int(50)
  }

  const fresh = (nowMs: number): Issued => {
    if (random.chance(0.02)) return { key: null, value: Buffer.from([0xc3, 1, 2, 3]) }
    const stream = random.chance(0.02) ? 'x:not-a-stream' : random.pick(STREAMS)
    const sender = random.pick(USERS)
    if (stream === GROUP && random.chance(0.3)) return of(GROUP, 'a', GROUP_PACK_ID, create('g', 'b'))
    const payload = anyCommand(random, stream, USERS, 6, counter)
    return of(stream, sender, packId(idTime(nowMs), counter++), payload)
  }

  const of = (stream: string, sender: string, id: Buffer, payload: CommandPayload): Issued => {
    // Bytes that no schema explains, under a sound command.
    const rubbish = random.chance(0.02) ? { payload: Buffer.from([9, 9, 9]) } : {}
    return {
      key: keyOf(stream, sender, id),
      value: sealCommand(commandOf(stream, sender, id, payload, rubbish)),
    }
  }

  const retry = (): Issued => {
    const old = random.pick(issued)
    if (old.key === null || random.chance(0.9)) return old
    const [stream, sender, id] = old.key.split(' ') as [string, string, string]
    return of(stream, sender, Buffer.from(id, 'hex'), send('another body'))
  }

  return {
    next(nowMs) {
      const command = issued.length > 0 && random.chance(0.35) ? retry() : fresh(nowMs)
      issued.push(command)
      return command
    },
    issued: () => issued,
  }
}
