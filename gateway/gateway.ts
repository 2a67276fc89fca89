/** One gateway, put together and ordered: what it depends on comes in, so that the same runs on a cluster and in a test. */
import type { Metrics } from '../infra/metrics.ts'
import type { OnlineRegistry } from '../infra/redis/online-map.ts'
import type { SignalBus } from '../infra/redis/signal-bus.ts'
import {
  type ContentOpener,
  type ContentSealer,
  noContentKeys,
} from '../projections/content-keys/follower.ts'
import type { ReadModels } from '../projections/reads.ts'
import { limits } from '../schemas/limits.ts'
import { type Clock, type Fault, type Logger, type LogStore, sleepOf } from '../schemas/ports.ts'
import { defaultWindows, type Windows } from '../schemas/windows.ts'
import { startActivity } from './activity.ts'
import { startAlive } from './alive.ts'
import { createChannelUsers } from './channel-users.ts'
import { createChannels } from './channels.ts'
import { createCommandSink } from './commands.ts'
import { createConnections } from './connections.ts'
import { type Counters, newCounters } from './counters.ts'
import { createDeliveries } from './deliveries.ts'
import type { DevicePolicy } from './devices.ts'
import { sendAway } from './drain.ts'
import { createHub, type Hub } from './hub.ts'
import { startInbound } from './inbound.ts'
import { createKicks } from './kicks.ts'
import { createLedger } from './ledger.ts'
import type { LoginHook } from './login-hook.ts'
import { onlineApi } from './online-api.ts'
import { createOutbox } from './outbox.ts'
import { createPeers } from './peers.ts'
import { createPresence } from './presence.ts'
import { createQuotas, defaultQuotas, type QuotaSettings } from './quotas.ts'
import { createReading } from './reading.ts'
import { createRegistry } from './registry.ts'
import { createRooms } from './rooms.ts'
import { createSampling, type LedgerSetting } from './sampling.ts'
import { createSignals } from './signals.ts'
import type { Revocations } from './tokens/revocations.ts'
import type { TokenVerifier } from './tokens/verdict.ts'
import { createTyping } from './typing.ts'

export interface GatewayOptions {
  readonly gatewayId: string
  /** Greater than that of every earlier process under this id. */
  readonly boot: string
  readonly partitions: number
  readonly heartbeatMs: number
  readonly windows?: Windows
  /** Default 'none'. */
  readonly devicePolicy?: DevicePolicy
  /** Of which messages the delivery ledger is. Default: of all. */
  readonly ledger?: LedgerSetting
  readonly store: LogStore
  readonly online: OnlineRegistry
  readonly bus: Pick<SignalBus, 'publish' | 'listen'>
  readonly reads: ReadModels
  /** Seals contents and opens them. Default: nothing is sealed. */
  readonly contentKeys?: ContentOpener & ContentSealer
  readonly tokens: TokenVerifier
  readonly quotas?: QuotaSettings
  /** Default: every login with a right token may go on. */
  readonly loginHook?: LoginHook
  /** Filled here from the log; the verifier goes by them too. */
  readonly revocations: Revocations
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: Metrics
  readonly random: () => number
  /** Runs its argument after the current round of I/O callbacks. */
  defer(fn: () => void): void
  failed(fault: Fault): void
  fenced(newerBoot: string): void
}

export interface Gateway {
  readonly hub: Hub
  readonly counters: Counters
  /** Who is online, for operators. */
  readonly onlineApi: ReturnType<typeof onlineApi>
  levels(): Readonly<Record<string, number>>
  ready(): boolean
  /**
   * Not ready from now on; after a while `noticed` is to close the listening sockets; then every client is sent elsewhere, spread
   * over `drainMs` (0: at once), and what was accepted ends well.
   */
  drain(options?: { readonly drainMs?: number; noticed?(): void }): Promise<void>
  /** `leave`: false where a newer boot has the id and what stands under it is not this process's. */
  stop(leave: boolean): Promise<void>
}

/** Under load something is always in flight: clients that are told to go send the rest elsewhere, with the same packId. */
const GRACE_MS_MAX = 250
const APPENDS_WAIT_MS_MAX = 5_000
const POLL_MS = 20
/** Of the time for a drain, before the first client is sent away: load balancers see meanwhile that this gateway is not ready. */
const NOTICE_SHARE = 0.2

/** Time first, so that a later process under the same id has the greater one. */
export const newBoot = (nowMs: number, random: () => number): string =>
  nowMs.toString(36).padStart(9, '0') +
  Math.floor(random() * 36 ** 6)
    .toString(36)
    .padStart(6, '0')

/** Resolves when it may take connections: its deliveries are positioned and fan-out has been told that it lives. */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { gatewayId, boot, clock, log, metrics, online, reads, revocations, store } = options
  const { quotas = defaultQuotas } = options
  const counters = newCounters()
  const connections = createConnections(quotas.connectionsPerUser)
  const outbox = createOutbox(options.defer, clock.after, () => {
    counters.socketsDropped += 1
  })
  const appender = await store.appender('commands', { timeoutMs: limits.appendTimeoutMs })
  const commands = createCommandSink({
    appender,
    sealer: options.contentKeys ?? null,
    partitions: options.partitions,
    gatewayId,
    boot,
    clock,
    log,
    counters,
    observeAppendMs: (ms) => metrics.observe('longwire_gateway_append_ms', ms),
  })
  const activityAppender = await store.appender('activity', { timeoutMs: limits.deliveryWriteMsMax })
  const ledger = createLedger(createSampling(options.ledger ?? { oneOf: 1 }), counters)
  const activity = startActivity({
    appender: activityAppender,
    ...{ gatewayId, boot, ledger, counters, clock, log },
  })
  const common = { gatewayId, boot, online, connections, counters, clock, log }
  const peers = createPeers({ gatewayId, boot, clock })
  const send: Hub['send'] = (connection, frame) => hub.send(connection, frame)
  const registry = createRegistry({
    ...common,
    onLost: (lost) => hub.resync(lost),
    onRegistered: (connection, others) => kicks.registered(connection, others),
    onSeen: (connection, all) => kicks.examine(connection, all),
    async refreshRest() {
      await channels.refresh()
      await rooms.refresh()
    },
  })
  const channels = createChannels({
    ...common,
    reads,
    push: (user, event) => deliveries.push(user, event),
    hint: (users, conversationId, seq) => deliveries.hint(users, conversationId, seq),
    resync: (users) => hub.resync([...users].flatMap((user) => connections.byUser(user) ?? [])),
    distrust: () => registry.distrust(),
    onMember: (user, conversationId) => channelUsers.noteMember(user, conversationId),
  })
  const rooms = createRooms({
    ...common,
    reads,
    outbox,
    defer: options.defer,
    joined: (connection, ticket, page) => hub.input(connection, { kind: 'joined', ticket, ...page }),
    distrust: () => registry.distrust(),
  })
  const channelUsers = createChannelUsers({ reads, channels, counters, clock, log })
  const typing = createTyping({ ...common, reads, lives: peers.lives, signals: () => signals, send })
  const kicks = createKicks({
    ...common,
    policy: options.devicePolicy ?? 'none',
    lives: peers.lives,
    signals: () => signals,
    input: (connection, input) => hub.input(connection, input),
  })
  const signals = createSignals({
    bus: options.bus,
    gatewayId,
    counters,
    heard: (signal) => (signal.kind === 'kick' ? kicks.heard(signal) : typing.show(signal)),
  })
  const presence = createPresence({ ...common, reads, lives: peers.lives, send })
  const hub: Hub = createHub({
    gatewayId,
    boot,
    settings: { heartbeatMs: options.heartbeatMs, windows: options.windows ?? defaultWindows },
    clock,
    log,
    random: options.random,
    tokens: options.tokens,
    loginHook: options.loginHook ?? null,
    quotas: createQuotas(quotas),
    revocations,
    commands,
    reading: createReading(reads, log),
    connections,
    outbox,
    channelUsers,
    typing,
    presence,
    kicks,
    rooms,
    activity,
    ledger,
    counters,
    registry: () => registry,
    onClosed: (code) => metrics.inc('longwire_gateway_closed_total', 1, { code }),
  })
  const deliveries = createDeliveries({
    gatewayId,
    boot,
    connections,
    hub,
    outbox,
    channels,
    rooms,
    ledger,
    opener: options.contentKeys ?? noContentKeys,
    counters,
    clock,
    log,
    onGap() {
      channelUsers.refreshAll()
      presence.relationsLost()
    },
    onRelation: presence.relationsChanged,
    observeDeliveryMs: (ms) => metrics.observe('longwire_gateway_delivery_ms', ms),
  })
  const inbound = await startInbound({
    store,
    gatewayId,
    boot,
    clock,
    log,
    defer: options.defer,
    delivery: deliveries.handle,
    revocation,
    heartbeat: peers.heard,
    fenced: options.fenced,
    failed: options.failed,
  })
  function revocation(value: Buffer): void {
    const revoked = revocations.apply(value)
    if (!revoked) return
    const { userId, notBefore } = revoked
    for (const connection of connections.byUser(userId) ?? [])
      hub.input(connection, { kind: 'revoked', notBefore })
  }

  const alive = await startAlive({ appender, gatewayId, boot, clock, log })
  registry.start()
  presence.start()
  let running = true

  const sleep = sleepOf(clock)

  async function appendsDone(waitMsMax: number): Promise<void> {
    const until = clock.now() + waitMsMax
    while (commands.inFlight() > 0 && clock.now() < until) await sleep(POLL_MS)
  }

  return {
    hub,
    counters,
    onlineApi: onlineApi({ online, connections, lives: peers.lives }),
    levels: () => ({
      gateway_connections: connections.size(),
      gateway_users: connections.users(),
      gateway_appends_in_flight: commands.inFlight(),
      gateway_online_records_ahead: registry.recordsAhead(),
      gateway_login_records_waiting: activity.waiting(),
      gateway_ledger_waiting: ledger.waiting(),
      gateway_announced: registry.announced() ? 1 : 0,
      gateway_logins_waiting: hub.loginsWaiting(),
      gateway_channels: channels.size(),
      gateway_revocations: revocations.size(),
      gateway_rooms: rooms.rooms(),
      gateway_in_rooms: rooms.seated(),
      gateway_presence_watched: presence.watched(),
    }),
    ready: () => running,
    async drain({ drainMs = 0, noticed = () => {} } = {}) {
      running = false
      await alive.drain()
      const noticeMs =
        connections.size() === 0 ? 0 : Math.min(limits.drainNoticeMsMax, drainMs * NOTICE_SHARE)
      if (noticeMs > 0) await sleep(noticeMs)
      noticed()
      await appendsDone(GRACE_MS_MAX)
      await sendAway({
        connections: connections.all,
        input: hub.input,
        clock,
        random: options.random,
        defer: options.defer,
        drainMs: drainMs - noticeMs,
      })
      await appendsDone(APPENDS_WAIT_MS_MAX)
    },
    async stop(leave) {
      running = false
      hub.stop()
      presence.stop()
      await channels.stop()
      await rooms.stop()
      await registry.stop()
      await activity.stop()
      await activityAppender.close()
      await alive.stop(leave)
      await inbound.stop()
      await appender.close()
    },
  }
}
