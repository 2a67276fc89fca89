/** Commands and packIds for tests: short to write, real bytes underneath. */
import { encodeCommandPayload, sealCommand } from '../../schemas/codec.ts'
import type { LogRecord } from '../../schemas/ports.ts'
import type { Command, CommandPayload } from '../../schemas/records.ts'

/** Where the tests' time begins, in ms. */
export const T0 = 1_700_000_000_000

/** A UUIDv7 of this time; `n` tells two of one millisecond apart. */
export function packId(time: number, n = 0): Buffer {
  const id = Buffer.alloc(16)
  id.writeUIntBE(time, 0, 6)
  id[6] = 0x70
  id[8] = 0x80
  id.writeUInt32BE(n, 12)
  return id
}

type Payload<T extends CommandPayload['type']> = Omit<Extract<CommandPayload, { type: T }>, 'type'>

const content = (text: string) => ({
  contentType: 'text',
  content: Buffer.from(JSON.stringify({ text })),
  keyId: null,
  mentions: [],
  mentionAll: false,
})

export const send = (text: string, more: Partial<Payload<'SendMessage'>> = {}): CommandPayload => ({
  type: 'SendMessage',
  ...content(text),
  replyTo: null,
  ...more,
})
export const create = (name: string, ...members: string[]): CommandPayload => ({
  type: 'CreateGroup',
  name,
  members,
})
export const addMembers = (...members: string[]): CommandPayload => ({ type: 'AddMembers', members })
export const removeMembers = (...members: string[]): CommandPayload => ({ type: 'RemoveMembers', members })
export const recall = (seq: number, target: Payload<'RecallMessage'>['target'] = null): CommandPayload => ({
  type: 'RecallMessage',
  seq,
  target,
})
export const edit = (
  seq: number,
  text: string,
  target: Payload<'EditMessage'>['target'] = null,
): CommandPayload => ({
  type: 'EditMessage',
  seq,
  target,
  ...content(text),
})
export const markRead = (conversationId: string, seq: number, ordinal: number): CommandPayload => ({
  type: 'MarkRead',
  conversationId,
  seq,
  ordinal,
})

export const commandOf = (
  stream: string,
  sender: string,
  id: Buffer,
  payload: CommandPayload,
  more: Partial<Command> = {},
): Command => ({
  stream,
  packId: id,
  sender,
  device: 'd1',
  trace: null,
  reply: null,
  ...encodeCommandPayload(payload),
  ...more,
})

export const commandRecord = (offset: number, timestamp: number, command: Command | Buffer): LogRecord => ({
  offset,
  key: null,
  value: Buffer.isBuffer(command) ? command : sealCommand(command),
  timestamp,
})
