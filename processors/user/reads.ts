/** Read positions, in the reader's own stream. They only move forward. A live room has none. */
import { parseStream } from '../../schemas/ids.ts'
import { type CommandOf, type Decision, happened, reject } from '../processor.ts'
import type { UserState } from '../state.ts'

export function markRead(body: UserState, command: CommandOf<'MarkRead'>): Decision {
  const conversation = parseStream(command.conversationId)
  if (!conversation || conversation.kind === 'user' || conversation.kind === 'room') return reject('bad_id')
  if (command.seq < 1 || command.ordinal < 0 || command.ordinal > command.seq) return reject('bad_position')
  const known = body.reads.get(command.conversationId)
  if (known && command.seq <= known.seq) return reject('no_change')
  const { conversationId, seq, ordinal } = command
  return happened({
    type: 'ReadMarked',
    conversationId,
    seq,
    ordinal: Math.max(ordinal, known?.ordinal ?? 0),
  })
}
