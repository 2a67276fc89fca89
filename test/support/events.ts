/** Records of im.events for tests, as bytes. */
import { encodeEventPayload, sealEnvelope } from '../../schemas/codec.ts'
import type { LogRecord } from '../../schemas/ports.ts'
import type { Envelope } from '../../schemas/records.ts'
import { packId, T0 } from './commands.ts'

const base: Envelope = {
  kind: 'event',
  generation: 0,
  epoch: 0,
  source: 0,
  stream: 'p2p:a:b',
  seq: 1,
  ordinal: 1,
  time: T0,
  trace: null,
  reply: null,
  ...encodeEventPayload({
    type: 'MessageSent',
    packId: packId(T0, 1),
    sender: 'a',
    device: 'd',
    bodyHash: 1,
    contentType: 'text',
    content: Buffer.from('{}'),
    keyId: null,
    mentions: [],
    mentionAll: false,
    replyTo: null,
  }),
}

export const eventRecord = (offset: number, fields: Partial<Envelope> = {}): LogRecord => ({
  offset,
  key: null,
  value: sealEnvelope({ ...base, ...fields }),
  timestamp: T0,
})

export const claimBytes = (generation: number, firstSource: number, owner = 'w'): Buffer =>
  sealEnvelope({
    ...base,
    kind: 'claim',
    generation,
    epoch: -1,
    source: firstSource,
    stream: '',
    seq: 0,
    ordinal: 0,
    time: 0,
    ...encodeEventPayload({ type: 'Claim', owner }),
  })

export const claimRecord = (offset: number, generation = 0, firstSource = 0): LogRecord => ({
  offset,
  key: null,
  value: claimBytes(generation, firstSource),
  timestamp: T0,
})
