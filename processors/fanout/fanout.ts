/**
 * The fan-out role: accepted records → heads → roster ∩ online map → one record per gateway. Positions are committed
 * only after the effect.
 */
import { randomUUID } from 'node:crypto'
import { seal } from '../../schemas/avro.ts'
import { limits } from '../../schemas/limits.ts'
import type { Appender, Clock, Fault, Logger, LogRecord, LogStore } from '../../schemas/ports.ts'
import type { Read } from '../../schemas/read.ts'
import { records } from '../../schemas/records.ts'
import { topics } from '../../schemas/topics.ts'
import { createFeed } from '../feed.ts'
import { createDeliveryWriter } from './deliveries.ts'
import { watchGateways } from './gateways.ts'
import { createHeadsWriter } from './heads.ts'
import { type Batch, committedForm, type FanoutPartition, startFanoutPartition } from './partition.ts'
import type { Plan } from './plan.ts'
import type { FanoutStore, StreamHead } from './ports.ts'
import { membersOf, observersOf } from './roster.ts'
import { type LiveGateways, type OnlineMap, type Parcel, routeHead, routePlan } from './route.ts'
import { type FanoutStats, newFanoutStats } from './stats.ts'

export interface FanoutOptions {
  readonly store: LogStore
  readonly map: FanoutStore
  readonly clock: Clock
  readonly logger: Logger
  readonly name: string
  readonly sessionTimeoutMs?: number
  /** The role cannot go on; the process should exit. */
  failed(fault: Fault): void
}

export interface Fanout {
  readonly stats: FanoutStats
  owned(): { assigned: number; backlog: number }
  /** Gateways that live, with their boots. */
  live(): LiveGateways
  stop(): Promise<void>
}

const COMMIT_MS = 1_000
const BACKLOG_MAX = 20_000
const BATCH_MAX = 2_000
/** Batches whose deliveries may be under way at once. */
const WRITES_MAX = 8
/** How long a map that did not answer is left alone. */
const MAP_REST_MS = 1_000
/** Counter lane of head hints, which belong to no partition. */
const HINTS = -1

export async function startFanout(options: FanoutOptions): Promise<Fanout> {
  const { store, map, clock, logger, failed } = options
  const stats = newFanoutStats()
  const partitions = new Map<number, FanoutPartition>()
  const appender = await store.appender(`fanout-${options.name}`)
  const gateways = await watchGateways({ store, clock, logger, failed })
  const deliveries = createDeliveryWriter({ appender, clock, logger, stats, instance: randomUUID() })
  const heads = createHeadsWriter({
    store: map,
    clock,
    logger,
    stats,
    healed: (told) => void tellHeads(told),
  })
  const consumer = store.consumer({
    group: 'fanout',
    topics: [topics.events, topics.snapshots],
    compacted: [topics.snapshots],
    maxWaitMs: 100,
    sessionTimeoutMs: options.sessionTimeoutMs,
  })
  const feed = createFeed(consumer)
  let queue: Batch[] = []
  let backlog = 0
  let running: Promise<void> | null = null
  let relieved: (() => void)[] = []
  let writes = 0
  let settled: Promise<void> = Promise.resolve()
  let mapRestsUntil = 0
  let stopped = false

  const take = (batch: Batch): void | Promise<void> => {
    queue.push(batch)
    backlog += batch.plans.length
    running ??= run().finally(() => {
      running = null
    })
    if (backlog < BACKLOG_MAX) return
    return new Promise((resolve) => relieved.push(resolve))
  }

  const run = async () => {
    while (queue.length > 0 && !stopped) {
      while (writes >= WRITES_MAX) await settled
      const batches = takeBatches()
      const parcels = await prepare(batches)
      writes++
      const written = Promise.all(
        batches.map((batch, i) => deliveries.write(batch.source.partition, parcels[i] ?? [])),
      )
      // In order: what is committed has nothing unfinished before it.
      settled = Promise.all([settled, written]).then(() => {
        writes--
        for (const batch of batches) batch.source.done = batch.position
      })
    }
  }

  const takeBatches = (): Batch[] => {
    let size = 0
    let count = 0
    while (count < queue.length && (count === 0 || size < BATCH_MAX))
      size += queue[count++]?.plans.length ?? 0
    const taken = queue.slice(0, count)
    queue = queue.slice(count)
    backlog -= size
    if (backlog < BACKLOG_MAX) {
      for (const resolve of relieved) resolve()
      relieved = []
    }
    return taken
  }

  /** Heads first, then the map: whoever connects between the two finds the message by its head. */
  const prepare = async (batches: readonly Batch[]): Promise<Parcel[][]> => {
    const plans = batches.flatMap((batch) => batch.plans)
    const newest = new Map<string, StreamHead>()
    for (const { head } of plans) if (head) newest.set(head.stream, head)
    const lists = plans.flatMap((plan) => plan.lists)
    const stored = newest.size + lists.length === 0 || (await heads.write([...newest.values()], lists))
    const friends = await friendsFor(plans, stored)
    const live = gateways.live()
    const complete = friends === null ? batches : batches.map((batch) => withFriends(batch, friends))
    const online = stored ? await readMap(complete, live) : null
    if (live.size > 1 && online === null && plans.some((plan) => plan.event !== null)) stats.broadcasts++
    return complete.map(({ plans }) => plans.flatMap((plan) => routePlan(plan, live, online, clock.now())))
  }

  /** Null: nobody's friends are to be told anything. Whose friends cannot be read have none to tell. */
  const friendsFor = async (plans: readonly Plan[], stored: boolean) => {
    const users = plans.flatMap(({ signal }) => (signal?.to === null ? [signal.signal.user] : []))
    if (users.length === 0) return null
    try {
      if (!stored) throw new Error('the store is down')
      stats.storeReads += users.length
      return await map.friends(users, limits.profileSignalsMax)
    } catch (err) {
      stats.signalsDropped += users.length
      logger.debug({ err, profiles: users.length }, 'friends could not be read: they are not told')
      return new Map<string, string[]>()
    }
  }

  const readMap = async (
    batches: readonly Pick<Batch, 'plans'>[],
    live: LiveGateways,
  ): Promise<OnlineMap | null> => {
    // One gateway: everyone who is online is there.
    if (live.size <= 1 || clock.now() < mapRestsUntil) return null
    const users = new Set<string>()
    const channels = new Set<string>()
    let pushes = false
    for (const { plans } of batches)
      for (const { event, recipients, observers, channel, signal, related, stream } of plans) {
        for (const user of [...(signal?.to ?? []), ...related]) users.add(user)
        if (event === null) continue
        pushes = true
        for (const user of recipients) users.add(user)
        for (const user of observers) users.add(user)
        if (channel && !channel.everywhere) channels.add(stream)
      }
    const nothing: OnlineMap = { locations: new Map(), announced: new Map(), interested: new Map() }
    if (users.size === 0 && !pushes) return nothing
    stats.storeReads += users.size + channels.size + live.size
    stats.interestLookups += channels.size
    try {
      const [locations, announced, interested] = await Promise.all([
        users.size === 0 ? nothing.locations : map.locate([...users]),
        map.announced([...live.keys()]),
        channels.size === 0 ? nothing.interested : map.interested([...channels]),
      ])
      return { locations, announced, interested }
    } catch (err) {
      mapRestsUntil = clock.now() + MAP_REST_MS
      logger.warn({ err }, 'the online map does not answer: broadcasting')
      return null
    }
  }

  const tellHeads = (told: readonly StreamHead[]) => {
    const live = gateways.live()
    const parcels = told.flatMap(({ stream, seq }) => {
      const rosters = [...partitions.values()].find((one) => one.rosters.has(stream))?.rosters ?? new Map()
      const members = rosters.get(stream)?.largeSince == null ? membersOf(stream, rosters) : null
      return routeHead(stream, seq, members, observersOf(stream, rosters), live)
    })
    return deliveries.write(HINTS, parcels)
  }

  const deadLetter = (partition: number, folded: Read, record: LogRecord) => {
    stats.deadLetters++
    const detail = folded.fault instanceof Error ? folded.fault.message.slice(0, 500) : ''
    logger.warn({ partition, offset: record.offset, detail }, 'dead letter')
    writeDeadLetter(appender, logger, { partition, offset: record.offset, detail, value: record.value })
  }

  const commit = () => {
    if (stopped) return
    // Held heads hold the position back: a new owner would tell them again.
    if (heads.clear()) void commitDone()
    clock.after(COMMIT_MS, commit)
  }
  const committed = new Map<number, number>()
  const commitDone = async () => {
    for (const { partition, done } of partitions.values()) {
      if (!done || committed.get(partition) === done.offset) continue
      try {
        await consumer.commit(topics.events, partition, committedForm(done))
        committed.set(partition, done.offset)
      } catch (err) {
        logger.debug({ err, partition }, 'position was not committed')
      }
    }
  }

  await consumer.start({
    assigned(added, removed) {
      logger.info({ added, removed }, 'assignment')
      for (const partition of removed) {
        partitions.get(partition)?.stop()
        partitions.delete(partition)
        committed.delete(partition)
      }
      for (const partition of added) {
        const started = startFanoutPartition({
          partition,
          consumer,
          feed,
          logger,
          stats,
          now: () => clock.now(),
          take,
          deadLetter: (folded, record) => deadLetter(partition, folded, record),
          failed,
        })
        partitions.set(partition, started)
      }
    },
    records: feed.deliver,
    failed,
  })
  clock.after(COMMIT_MS, commit)

  return {
    stats,
    live: gateways.live,
    owned: () => ({ assigned: partitions.size, backlog }),
    async stop() {
      for (const partition of partitions.values()) partition.stop()
      await running
      await settled
      if (heads.clear()) await commitDone()
      stopped = true
      heads.stop()
      await consumer.stop()
      await gateways.stop()
      await appender.close()
    },
  }
}

const withFriends = (
  batch: Batch,
  friends: ReadonlyMap<string, readonly string[]>,
): Pick<Batch, 'plans'> => ({
  plans: batch.plans.map((plan) =>
    plan.signal?.to === null
      ? { ...plan, signal: { ...plan.signal, to: friends.get(plan.signal.signal.user) ?? [] } }
      : plan,
  ),
})

function writeDeadLetter(
  appender: Appender,
  logger: Logger,
  letter: { partition: number; offset: number; detail: string; value: Buffer | null },
): void {
  const value = seal(records.DeadLetter, { topic: topics.events, reason: 'undecodable', ...letter })
  appender
    .append(topics.deadLetters, 0, { key: `${topics.events}/${letter.partition}`, value })
    .catch((err) => logger.error({ err, offset: letter.offset }, 'a dead letter was not written'))
}
