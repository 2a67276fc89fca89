/** Accepted events for tests of fan-out's plans: short to write. */
import { encodeEventPayload, openEnvelope, sealEnvelope } from '../../schemas/codec.ts'
import type { Envelope, EventPayload, PayloadOf, ReplyAddress } from '../../schemas/records.ts'
import { T0 } from './commands.ts'

const origin = { packId: Buffer.alloc(16, 7), sender: 'ann', device: 'd', bodyHash: 1 }

type Facts<T extends EventPayload['type']> = Partial<Omit<PayloadOf<T>, 'type'>>

/** An event as the sequencer writes it; what is not given is empty. */
export const happening = <T extends EventPayload['type']>(type: T, facts: Facts<T>): PayloadOf<T> =>
  ({ ...origin, ...empty[type], type, ...facts }) as unknown as PayloadOf<T>

const content = {
  contentType: 'text',
  content: Buffer.from('{"text":"hi"}'),
  keyId: null,
  mentions: [],
  mentionAll: false,
}
const profile = { name: null, avatar: null, birthday: null, region: null, gender: null, custom: null }
const empty: Partial<Record<EventPayload['type'], object>> = {
  MessageSent: { ...content, replyTo: null },
  GroupCreated: { name: 'a group', members: [] },
  ProfileSet: profile,
  FriendRequested: { note: '' },
  JoinRequested: { note: '' },
}

export interface Event {
  readonly envelope: Envelope
  readonly payload: EventPayload
  readonly bytes: Buffer
}

export function eventOf(
  stream: string,
  seq: number,
  payload: EventPayload,
  more: { time?: number; ordinal?: number; reply?: ReplyAddress } = {},
): Event {
  const bytes = sealEnvelope({
    kind: 'event',
    generation: 0,
    epoch: 0,
    source: seq,
    stream,
    seq,
    ordinal: more.ordinal ?? seq,
    time: more.time ?? T0,
    trace: null,
    reply: more.reply ?? null,
    ...encodeEventPayload(payload),
  })
  return { envelope: openEnvelope(bytes), payload, bytes }
}

export const names = (prefix: string, count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, i) => `${prefix}${from + i}`)
