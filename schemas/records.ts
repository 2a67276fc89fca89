/** What stands on the topics: the frozen envelope, commands, and what goes with them. */
import { activitySchema } from './activity-records.ts'
import { codec, type Infer } from './avro.ts'
import { commandPayloads } from './command-payloads.ts'
import { eventPayloads } from './event-payloads.ts'
import { contentKeySchema, readingSchema } from './key-records.ts'
import { leaseSchema, namespacesSchema } from './namespace-records.ts'
import { fingerprint, ids, nullableString, packId, type targetSchema } from './record-parts.ts'

export { commandPayloads, eventPayloads }

const replySchema = {
  type: 'record',
  name: 'ReplyAddress',
  fields: [
    { name: 'gateway', type: 'string' },
    { name: 'boot', type: 'string' },
    { name: 'connection', type: 'string' },
  ],
} as const

/**
 * Envelope of every record of im.events, frozen for ever. `accept()` reads nothing else, so that readers that do not
 * know a payload's schema still agree on which records count.
 */
const envelopeSchema = {
  type: 'record',
  name: 'Envelope',
  namespace: 'longwire',
  fields: [
    {
      name: 'kind',
      type: { type: 'enum', name: 'Kind', symbols: ['event', 'rejection', 'repeat', 'claim'] },
    },
    /** Generation of the logs; an offset, epoch or source means something only within it. */
    { name: 'generation', type: 'int' },
    /** Offset of the writer's claim. −1 in a claim, whose epoch is its own offset. */
    { name: 'epoch', type: 'long' },
    /** Offset of the command in im.commands; in a claim, the first source it will write. */
    { name: 'source', type: 'long' },
    { name: 'stream', type: 'string' },
    /** Of an event: its seq in the stream, from 1. 0 otherwise. */
    { name: 'seq', type: 'long' },
    /** Messages in the stream up to and including this record. 0 in a claim. */
    { name: 'ordinal', type: 'long' },
    /** Broker time of the command in ms, never below an earlier record's of the partition. */
    { name: 'time', type: 'long' },
    /** Fingerprint of the payload's schema. */
    { name: 'schema', type: fingerprint },
    { name: 'trace', type: ['null', { type: 'fixed', name: 'TraceId', size: 16 }] },
    { name: 'reply', type: ['null', replySchema] },
    { name: 'payload', type: 'bytes' },
  ],
} as const

/** Record of im.commands. Its time is the broker's (LogAppendTime). */
const commandSchema = {
  type: 'record',
  name: 'Command',
  namespace: 'longwire',
  fields: [
    { name: 'stream', type: 'string' },
    { name: 'packId', type: packId },
    { name: 'sender', type: 'string' },
    { name: 'device', type: 'string' },
    { name: 'trace', type: ['null', { type: 'fixed', name: 'TraceId', size: 16 }] },
    { name: 'reply', type: ['null', replySchema] },
    { name: 'schema', type: fingerprint },
    { name: 'payload', type: 'bytes' },
  ],
} as const

/** What fan-out tells one gateway. A hint: losing one costs a resync, never a message. */
const deliverySchema = {
  type: 'record',
  name: 'Delivery',
  namespace: 'longwire',
  fields: [
    /** Which fan-out instance wrote this, for which partition, and its running number per (partition, gateway). */
    { name: 'instance', type: 'string' },
    { name: 'partition', type: 'int' },
    { name: 'counter', type: 'long' },
    /** Bytes of the im.events record to push; null where only an answer or a head is told. */
    { name: 'event', type: ['null', 'bytes'] },
    { name: 'stream', type: 'string' },
    /** With no event: the newest seq of the stream, for a client to catch up to. */
    { name: 'headSeq', type: 'long' },
    { name: 'recipients', type: ids },
    /** To everyone on that gateway who is in the large group `stream`, whom only the gateway knows; `recipients` get it too. */
    { name: 'channel', type: 'boolean', default: false },
    /** The recipients merely observe: it is for those of their connections alone whose token gives the right to. */
    { name: 'observing', type: 'boolean', default: false },
    /** With nothing to tell the recipients: another has blocked or unblocked them, or ended a friendship. */
    { name: 'related', type: 'boolean', default: false },
    /** What concerns people of another stream: told once, and read again at connect. */
    {
      name: 'signal',
      type: [
        'null',
        {
          type: 'record',
          name: 'Signal',
          fields: [
            /** receipt: `user` has read `conversationId` up to `seq`. profile: that of `user` has changed. */
            { name: 'kind', type: { type: 'enum', name: 'SignalKind', symbols: ['receipt', 'profile'] } },
            { name: 'user', type: 'string' },
            { name: 'conversationId', type: 'string' },
            { name: 'seq', type: 'long' },
          ],
        },
      ],
      default: null,
    },
    {
      name: 'answer',
      type: [
        'null',
        {
          type: 'record',
          name: 'Answer',
          fields: [
            { name: 'boot', type: 'string' },
            { name: 'connection', type: 'string' },
            { name: 'packId', type: packId },
            /** null: committed. */
            { name: 'code', type: nullableString },
            { name: 'seq', type: 'long' },
            { name: 'ordinal', type: 'long' },
            { name: 'time', type: 'long' },
            { name: 'repeat', type: 'boolean' },
            { name: 'conflict', type: 'boolean' },
          ],
        },
      ],
    },
  ],
} as const

/** Heartbeat of a gateway on im.gateways, every gatewayHeartbeatMs. A null value there: the gateway has left. */
const gatewaySchema = {
  type: 'record',
  name: 'GatewayAlive',
  namespace: 'longwire',
  fields: [
    { name: 'gateway', type: 'string' },
    { name: 'boot', type: 'string' },
    { name: 'draining', type: 'boolean' },
  ],
} as const

/**
 * On im.revocations, by user: his tokens that were issued before are worth nothing. Never followed by a null value: the newest
 * record of a user stays, and a reader that has come to the last one knows that it has all.
 */
const revocationSchema = {
  type: 'record',
  name: 'Revocation',
  namespace: 'longwire',
  fields: [
    { name: 'user', type: 'string' },
    /** In ms. */
    { name: 'notBefore', type: 'long' },
    /** Who asked for it, and when in ms by his own clock. */
    { name: 'by', type: 'string' },
    { name: 'at', type: 'long' },
  ],
} as const

/**
 * On im.generations, by its number: logs that were written anew from the archive. The record that says `restoring` stands before the
 * first record of that generation, the one that says `complete` after the last: without it the logs are half of what they will be.
 */
const logGenerationSchema = {
  type: 'record',
  name: 'LogGeneration',
  namespace: 'longwire',
  fields: [
    { name: 'generation', type: 'int' },
    {
      name: 'state',
      type: { type: 'enum', name: 'RestoreState', symbols: ['restoring', 'complete'] },
    },
    /** Of im.commands and im.events from this generation on. */
    { name: 'partitions', type: 'int' },
    /** Records of im.events that count. */
    { name: 'records', type: 'long' },
    /** Name of the ClickHouse database that they came from. */
    { name: 'archive', type: 'string' },
    /** Who restored, and when in ms by his own clock. */
    { name: 'by', type: 'string' },
    { name: 'at', type: 'long' },
  ],
} as const

/** One slice of one partition's fold, on im.snapshots. */
const snapshotSchema = {
  type: 'record',
  name: 'SnapshotChunk',
  namespace: 'longwire',
  fields: [
    /** Shared by all slices of one snapshot. */
    { name: 'id', type: 'string' },
    { name: 'generation', type: 'int' },
    /** Next offset of im.events to fold. */
    { name: 'offset', type: 'long' },
    { name: 'epoch', type: 'long' },
    { name: 'last', type: 'long' },
    { name: 'now', type: 'long' },
    { name: 'foldVersion', type: 'int' },
    { name: 'chunk', type: 'int' },
    { name: 'chunks', type: 'int' },
    /** SHA-256 over the bodies of all slices in order. */
    { name: 'hash', type: 'bytes' },
    { name: 'body', type: 'bytes' },
  ],
} as const

const deadLetterSchema = {
  type: 'record',
  name: 'DeadLetter',
  namespace: 'longwire',
  fields: [
    { name: 'topic', type: 'string' },
    { name: 'partition', type: 'int' },
    { name: 'offset', type: 'long' },
    { name: 'reason', type: 'string' },
    { name: 'detail', type: 'string' },
    { name: 'value', type: ['null', 'bytes'] },
  ],
} as const

export const records = {
  Envelope: codec(envelopeSchema),
  Command: codec(commandSchema),
  Delivery: codec(deliverySchema),
  GatewayAlive: codec(gatewaySchema),
  Revocation: codec(revocationSchema),
  LogGeneration: codec(logGenerationSchema),
  ContentKey: codec(contentKeySchema),
  AuditReading: codec(readingSchema),
  SnapshotChunk: codec(snapshotSchema),
  Activity: codec(activitySchema),
  DeadLetter: codec(deadLetterSchema),
  ProjectionNamespaces: codec(namespacesSchema),
  ProjectionLease: codec(leaseSchema),
}

export type ReplyAddress = Infer<typeof replySchema>
export type Target = Infer<typeof targetSchema>
export type Envelope = Infer<typeof envelopeSchema>
export type Command = Infer<typeof commandSchema>
export type Delivery = Infer<typeof deliverySchema>
export type Answer = NonNullable<Delivery['answer']>
export type Signal = NonNullable<Delivery['signal']>
export type GatewayAlive = Infer<typeof gatewaySchema>
export type Revocation = Infer<typeof revocationSchema>
export type LogGeneration = Infer<typeof logGenerationSchema>
export type ContentKey = Infer<typeof contentKeySchema>
export type AuditReading = Infer<typeof readingSchema>
export type SnapshotChunk = Infer<typeof snapshotSchema>
export type Activity = Infer<typeof activitySchema>
export type LoginRecord = Activity['logins'][number]
export type DeadLetter = Infer<typeof deadLetterSchema>
export type ProjectionNamespaces = Infer<typeof namespacesSchema>
export type ProjectionLease = Infer<typeof leaseSchema>

type Payloads<T extends Record<string, { decode(b: Buffer): unknown }>> = {
  [K in keyof T]: { type: K } & ReturnType<T[K]['decode']>
}[keyof T]
export type CommandPayload = Payloads<typeof commandPayloads>
export type EventPayload = Payloads<typeof eventPayloads>
export type CommandType = keyof typeof commandPayloads
export type EventType = keyof typeof eventPayloads
export type PayloadOf<T extends EventType> = Extract<EventPayload, { type: T }>
