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
  more: Partial<Payload<'EditMessage'>> = {},
): CommandPayload => ({
  type: 'EditMessage',
  seq,
  target,
  ...content(text),
  ...more,
})
export const react = (seq: number, emoji = '👍', on = true): CommandPayload => ({
  type: 'React',
  seq,
  target: null,
  emoji,
  on,
})
export const pin = (
  seq: number,
  on = true,
  target: Payload<'PinMessage'>['target'] = null,
): CommandPayload => ({ type: 'PinMessage', seq, target, on })
export const dissolve = (): CommandPayload => ({ type: 'DissolveGroup' })
export const requestJoin = (note = ''): CommandPayload => ({ type: 'RequestJoin', note })
export const answerJoin = (user: string, accept = true): CommandPayload => ({
  type: 'AnswerJoin',
  user,
  accept,
})
export const setRole = (user: string, role: string): CommandPayload => ({ type: 'SetRole', user, role })
export const mute = (user: string, forMs: number): CommandPayload => ({ type: 'MuteMember', user, forMs })
export const muteAll = (on = true): CommandPayload => ({ type: 'MuteAll', on })
export const setGroup = (fields: Partial<Payload<'SetGroup'>>): CommandPayload => ({
  type: 'SetGroup',
  name: null,
  avatar: null,
  announcement: null,
  custom: null,
  joinPolicy: null,
  addPolicy: null,
  ...fields,
})
export const observe = (on = true): CommandPayload => ({ type: 'Observe', on })
export const requestFriend = (note = ''): CommandPayload => ({ type: 'RequestFriend', note })
export const answerFriend = (accept = true): CommandPayload => ({ type: 'AnswerFriend', accept })
export const deleteFriend = (): CommandPayload => ({ type: 'DeleteFriend' })
export const block = (on = true): CommandPayload => ({ type: 'Block', on })
export const setSetting = (key: string, value: string | null): CommandPayload => ({
  type: 'SetSetting',
  key,
  value,
})
export const setProfile = (fields: Partial<Payload<'SetProfile'>>): CommandPayload => ({
  type: 'SetProfile',
  name: null,
  avatar: null,
  birthday: null,
  region: null,
  gender: null,
  custom: null,
  ...fields,
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
