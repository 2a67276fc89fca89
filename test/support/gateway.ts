/** A gateway on the log in memory with real sockets, the other roles played by the test. */

import { randomUUID } from 'node:crypto'
import type { DevicePolicy } from '../../gateway/devices.ts'
import { startGateway } from '../../gateway/gateway.ts'
import type { LoginHook } from '../../gateway/login-hook.ts'
import type { QuotaSettings } from '../../gateway/quotas.ts'
import { type KeySource, secretSource } from '../../gateway/tokens/key-source.ts'
import { AUDIENCE, ISSUER, mintToken } from '../../gateway/tokens/mint.ts'
import { createRevocations } from '../../gateway/tokens/revocations.ts'
import type { Right } from '../../gateway/tokens/verdict.ts'
import { createVerifier } from '../../gateway/tokens/verifier.ts'
import { createAddresses } from '../../gateway/transports/addresses.ts'
import { type OmtpPort, openOmtpPort } from '../../gateway/transports/omtp.ts'
import { openPublicPort } from '../../gateway/transports/public-port.ts'
import { systemClock } from '../../infra/clock.ts'
import { type Log, silentLog } from '../../infra/log.ts'
import { createMemoryLog } from '../../infra/memory/log.ts'
import { createMemoryOnlineMap, type MemoryOnlineMap } from '../../infra/memory/online-map.ts'
import { createMemorySignalBus } from '../../infra/memory/signal-bus.ts'
import { createMetrics } from '../../infra/metrics.ts'
import { networksOf } from '../../infra/networks.ts'
import type { OnlineMap } from '../../infra/redis/online-map.ts'
import type { SignalBus } from '../../infra/redis/signal-bus.ts'
import type { ReadModels } from '../../projections/reads.ts'
import { seal } from '../../schemas/avro.ts'
import { encodeEventPayload, openCommand, sealEnvelope } from '../../schemas/codec.ts'
import { limits } from '../../schemas/limits.ts'
import type { Clock, LogStore } from '../../schemas/ports.ts'
import {
  type Answer,
  type Command,
  type Delivery,
  type EventPayload,
  records,
} from '../../schemas/records.ts'
import { sharedTopics, topics } from '../../schemas/topics.ts'

export const secret = Buffer.from('a secret for tests of 32 bytes or more')
export const PARTITIONS = 4

const observing: ReadModels['observing'] = {
  heads: async () => ({ partial: false, heads: [] }),
  history: async (_user, conversationId) =>
    conversationId === 'g:secret'
      ? { code: 'not_member' }
      : { code: null, partial: false, fromSeq: 1, toSeq: 10, more: false, items: [], reactions: [] },
  sync: async () => ({ code: null, partial: false, reset: false, changesUpTo: 0, changes: [] }),
  group: async () => ({ code: 'not_member' }),
  members: async () => ({ code: 'not_member' }),
  readers: async () => ({ code: 'not_member' }),
  search: async () => ({ code: null, partial: false, items: [], next: null }),
  target: async () => ({ partial: false, target: null }),
  overview: async () => ({ conversations: { partial: false, conversations: [], next: null }, pages: [] }),
}

/** Reads of a world in which every conversation has ten messages, and nobody is in `g:secret`. */
export const fakeReads: ReadModels = {
  ...observing,
  observing,
  conversations: async () => ({ partial: false, conversations: [], next: null }),
  lookup: async () => ({ partial: false, found: null }),
  headOf: async () => ({ partial: false, head: { seq: 10, ordinal: 10, time: 0 } }),
  endFor: async () => ({ partial: false, end: { seq: 10, ordinal: 10 } }),
  relations: async () => ({ partial: false, relations: [] }),
  openFriends: async () => [],
  profiles: async (users) => ({
    partial: false,
    profiles: users.map((userId) => ({ userId, ...nothingSet })),
  }),
  settings: async () => ({ partial: false, settings: [] }),
  channelsOf: async () => ({ partial: false, channels: [] }),
  membersAmong: async () => new Map(),
  typingAudience: async () => null,
  roomPage: async () => ({ partial: false, headSeq: 0, items: [] }),
}
const nothingSet = {
  name: null,
  avatar: null,
  birthday: null,
  region: null,
  gender: null,
  custom: null,
  version: 0,
}

export interface TestGateway {
  readonly url: string
  readonly port: number
  readonly store: LogStore
  readonly online: MemoryOnlineMap
  readonly gateway: Awaited<ReturnType<typeof startGateway>>
  readonly boot: string
  readonly publicPort: Awaited<ReturnType<typeof openPublicPort>>
  readonly omtp: OmtpPort
  readonly fencedBy: string[]
  token(user: string, ttlSec?: number, rights?: readonly Right[]): Promise<string>
  /** Commands in the log so far. */
  commands(): Promise<Command[]>
  /** Waits until `count` commands are in the log. */
  commandsOnce(count: number): Promise<Command[]>
  /** As fan-out would. */
  deliver(part: Partial<Delivery>): Promise<void>
  /** `leave`: false as when a newer process has its id. */
  stop(leave?: boolean): Promise<void>
}

export interface TestGatewayOptions {
  readonly gatewayId?: string
  readonly boot?: string
  readonly heartbeatMs?: number
  readonly origins?: readonly string[] | null
  /** Trusted with whom they speak for. */
  readonly proxies?: readonly string[]
  readonly reads?: ReadModels
  readonly store?: LogStore
  readonly clock?: Clock
  /** Of the deadlines of OMTP's sockets. */
  readonly omtpClock?: Clock
  readonly staticFolder?: string
  readonly loginHook?: LoginHook
  readonly quotas?: QuotaSettings
  readonly connectionsPerAddress?: number
  readonly loginsPendingPerAddress?: number
  /** Default: the secret's. */
  readonly keys?: KeySource
  readonly online?: OnlineMap
  readonly bus?: SignalBus
  readonly log?: Log
  readonly devicePolicy?: DevicePolicy
  readonly tls?: { readonly certFile: string; readonly keyFile: string }
}

export async function startTestGateway(options: TestGatewayOptions = {}): Promise<TestGateway> {
  const clock = options.clock ?? systemClock
  const store = options.store ?? createMemoryLog(systemClock)
  const admin = await store.admin()
  await admin.ensureTopics(sharedTopics(PARTITIONS))
  const online = (options.online ?? createMemoryOnlineMap()) as MemoryOnlineMap
  const gatewayId = options.gatewayId ?? 'gw-test'
  const boot = options.boot ?? 'boot00001'
  const heartbeatMs = options.heartbeatMs ?? 60_000
  const fencedBy: string[] = []
  const revocations = createRevocations()
  const gateway = await startGateway({
    gatewayId,
    boot,
    partitions: PARTITIONS,
    heartbeatMs,
    store,
    online,
    ...(options.devicePolicy === undefined ? {} : { devicePolicy: options.devicePolicy }),
    bus: options.bus ?? createMemorySignalBus(),
    reads: options.reads ?? fakeReads,
    tokens: createVerifier({
      keys: options.keys ?? secretSource(secret),
      issuer: ISSUER,
      audience: AUDIENCE,
      clock,
      revokedBefore: revocations.before,
    }),
    revocations,
    ...(options.quotas ? { quotas: options.quotas } : {}),
    ...(options.loginHook ? { loginHook: options.loginHook } : {}),
    clock,
    log: options.log ?? silentLog,
    metrics: createMetrics(),
    random: () => 0.5,
    defer: setImmediate,
    failed: (fault) => {
      throw fault
    },
    fenced: (newer) => fencedBy.push(newer),
  })
  const trusted = networksOf(options.proxies ?? [])
  const addresses = createAddresses(
    options.connectionsPerAddress ?? limits.connectionsPerAddressMax,
    options.loginsPendingPerAddress ?? limits.loginsPendingPerAddressMax,
  )
  const publicPort = await openPublicPort({
    host: '127.0.0.1',
    port: 0,
    origins: options.origins ?? null,
    staticFolder: options.staticFolder ?? '/nonexistent',
    gatewayId,
    clock,
    tls: options.tls ?? null,
    secretName: () => randomUUID(),
    hub: gateway.hub,
    ready: gateway.ready,
    addresses,
    trusted,
    log: options.log ?? silentLog,
  })
  const omtp = await openOmtpPort({
    host: '127.0.0.1',
    port: 0,
    tls: options.tls ?? null,
    hub: gateway.hub,
    addresses,
    trusted,
    clock: options.omtpClock ?? clock,
    log: options.log ?? silentLog,
  })
  const appender = await store.appender('test')
  const seen: Command[] = []
  const reader = store.consumer({ group: `reader-${boot}`, topics: [topics.commands] })
  await reader.start({
    assigned: (added) => {
      for (const partition of added) reader.seek(topics.commands, partition, 0)
    },
    records: (_topic, _partition, batch) => {
      for (const { value } of batch) if (value) seen.push(openCommand(value))
    },
    failed: (fault) => {
      throw fault
    },
  })
  let counter = 0
  const test: TestGateway = {
    url: `ws://127.0.0.1:${publicPort.port}/ws`,
    port: publicPort.port,
    store,
    online,
    gateway,
    boot,
    publicPort,
    omtp,
    fencedBy,
    token: (user, ttlSec = 3600, rights = []) => mintToken(secret, user, ttlSec, { rights }),
    commands: async () => seen,
    async commandsOnce(count) {
      await until(() => seen.length >= count)
      return seen
    },
    async deliver(part) {
      const delivery: Delivery = {
        instance: 'f1',
        partition: 0,
        counter: counter++,
        event: null,
        stream: '',
        headSeq: 0,
        recipients: [],
        channel: false,
        observing: false,
        related: false,
        signal: null,
        answer: null,
        ...part,
      }
      const value = seal(records.Delivery, delivery)
      await appender.append(topics.deliveries(gatewayId), 0, { key: delivery.stream, value })
    },
    async stop(leave = true) {
      publicPort.stopAccepting()
      publicPort.close()
      omtp.close()
      await gateway.stop(leave)
      await reader.stop()
      await appender.close()
      await admin.close()
    },
  }
  return test
}

/** Bytes of an im.events record. */
export function eventBytes(
  of: { stream: string; seq: number; reply?: { gateway: string; boot: string; connection: string } },
  payload: EventPayload,
): Buffer {
  return sealEnvelope({
    kind: 'event',
    generation: 0,
    epoch: 0,
    source: of.seq,
    stream: of.stream,
    seq: of.seq,
    ordinal: of.seq,
    time: Date.now(),
    trace: null,
    reply: of.reply ?? null,
    ...encodeEventPayload(payload),
  })
}

export const messageSent = (
  sender: string,
  text: string,
  packId: Buffer = Buffer.alloc(16, 7),
): EventPayload => ({
  type: 'MessageSent',
  packId,
  sender,
  device: 'd1',
  bodyHash: 0,
  contentType: 'text',
  content: Buffer.from(JSON.stringify({ text })),
  keyId: null,
  mentions: [],
  mentionAll: false,
  replyTo: null,
})

export const answerTo = (command: Command, part: Partial<Answer> = {}): Answer => ({
  boot: command.reply?.boot ?? '',
  connection: command.reply?.connection ?? '',
  packId: command.packId,
  code: null,
  seq: 1,
  ordinal: 1,
  time: 1,
  repeat: false,
  conflict: false,
  ...part,
})

export async function until(done: () => boolean, waitMs = 10_000): Promise<void> {
  const end = Date.now() + waitMs
  while (!done()) {
    if (Date.now() > end) throw new Error('it did not happen in time')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

let packIds = 0
/** A UUIDv7 of now (or of `at` ms), in text. */
export function newPackId(at: number = Date.now()): string {
  const hex = `${at.toString(16).padStart(12, '0')}70008${(packIds++).toString(16).padStart(15, '0')}`
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}
