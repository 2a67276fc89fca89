/**
 * Proves from the outside that the log is sound and that the read models hold it. Each round fixes the ends of the partitions, folds
 * up to them, waits until the read models have come as far, and looks at what differs once more before it says so.
 */

import { partitionOf, userStream } from '../../schemas/ids.ts'
import { type Clock, type LogRange, type LogStore, sleepOf } from '../../schemas/ports.ts'
import { topics } from '../../schemas/topics.ts'
import type { ContentOpener } from '../content-keys/follower.ts'
import type { ArchivePort, RedisPort } from '../ports.ts'
import { KEEP_ALL, type Policies } from '../reads/policy.ts'
import { scan } from '../scan.ts'
import { archivedTotal, difference, isSame, locate, type Total, totalOf } from './archive.ts'
import { checkTables, portionsOf } from './archive-tables.ts'
import { type BehindOptions, caughtUp } from './behind.ts'
import { checkCommands } from './commands.ts'
import { createFindings, type Findings } from './findings.ts'
import { createFold, type FoldCounts, type GenerationSum } from './fold.ts'
import { checkServed } from './round.ts'
import { createSample } from './sample.ts'
import { confirm } from './suspects.ts'

export interface VerifyOptions {
  readonly store: LogStore
  readonly redis: RedisPort
  readonly clickhouse: Pick<ArchivePort, 'query'>
  readonly opener: Pick<ContentOpener, 'opened' | 'untilRead'>
  /** Of the topics. */
  readonly partitions: number
  readonly generation: number
  readonly clock: Clock
  readonly policies?: Policies
  /** Only these are looked at; default: all. */
  readonly only?: readonly number[] | undefined
  /** Streams of which timelines and unread counts are compared. Default 2,000. */
  readonly sample?: number
  /** PackIds remembered per partition, in up to 32 bytes each, twice. Default 4,000,000. */
  readonly packIdsMax?: number
  /** Longest wait for the read models. Default 60,000. */
  readonly waitMs?: number
  /** Before what differs is looked at again. Default 1,500. */
  readonly settleMs?: number
  readonly signal?: AbortSignal
  readonly progress?: (what: string, done: number, of: number) => void
}

export interface Report {
  readonly partitions: number
  readonly counts: FoldCounts
  readonly streams: number
  readonly commands: number
  readonly pairs: number
  readonly pairsAll: number
  readonly timelines: number
  readonly archived: number
  /** Portions of the derived tables that were looked at. */
  readonly portions: number
  readonly portionsAll: number
  /** PackIds that were forgotten for want of room. */
  readonly forgotten: number
  readonly tookMs: number
  readonly findings: readonly Findings[]
}

export interface Verifier {
  /** The first goes through all that there is, each later one through what came since, and one partition of the archive anew. */
  round(): Promise<Report>
}

const SAMPLE = 2_000
const PACK_IDS_MAX = 4_000_000
const WAIT_MS = 60_000
const SETTLE_MS = 1_500
/** What trails for longer has been found behind already. */
const AGAIN_MS = 5_000

export async function createVerifier(options: VerifyOptions): Promise<Verifier> {
  const { store, clickhouse, partitions, clock, waitMs = WAIT_MS, settleMs = SETTLE_MS } = options
  const only = options.only ?? Array.from({ length: partitions }, (_, partition) => partition)
  const sleep = sleepOf(clock)
  const scanning = { store, partitions, ...(options.signal ? { signal: options.signal } : {}) }
  const logFindings = createFindings()
  const sample = createSample(options.sample ?? SAMPLE, options.opener)
  const commandsBegin = await rangesOf(topics.commands)
  const fold = createFold({
    ...{ partitions, find: logFindings.find, sample },
    commandsFrom: (partition) => commandsBegin.get(partition)?.begin ?? 0,
    packIdsMax: options.packIdsMax ?? PACK_IDS_MAX,
  })
  /** What was compared of each generation, as `generation/partition`. */
  const compared = new Map<string, { readonly last: number; readonly total: Total }>()
  /** What was wrong last time is looked at whole in each round, until it is right. */
  const wrongPartitions = new Set<number>()
  let wrongTables = false
  let confirmed = 0
  let rounds = 0
  let commands = 0

  async function rangesOf(topic: string): Promise<Map<number, LogRange>> {
    const admin = await store.admin()
    try {
      const ranges = new Map<number, LogRange>()
      for (const partition of only) ranges.set(partition, await admin.range(topic, partition))
      return ranges
    } finally {
      await admin.close()
    }
  }

  /** Folds up to where the partitions end now. */
  async function extend(): Promise<void> {
    const ranges = await rangesOf(topics.events)
    let [done, all] = [0, 0]
    for (const [partition, { begin, end }] of ranges) {
      const from = fold.partitions.get(partition)?.position.offset ?? 0
      if (begin > from) throw new RangeError(truncated(partition, begin))
      all += Math.max(0, end - from)
    }
    for (const partition of only) fold.take(partition, [])
    if (all === 0) return
    await scan({
      ...{ ...scanning, topic: topics.events },
      from: (partition, range) => fold.partitions.get(partition)?.position.offset ?? range.end,
      until: (partition, range) => ranges.get(partition)?.end ?? range.begin,
      async take(partition, records) {
        // Whatever stands in the log by now, its key stood there before.
        await options.opener.untilRead()
        fold.take(partition, records)
        done += records.length
        options.progress?.('reading the log', done, all)
      },
    })
  }

  async function checkAnswers(ends: ReadonlyMap<number, number>, findings: Findings): Promise<void> {
    const isAnswered = () =>
      [...fold.partitions].every(
        ([partition, { position }]) => position.last + 1 >= (ends.get(partition) ?? 0),
      )
    for (const until = clock.now() + waitMs; !isAnswered() && clock.now() < until; ) {
      await sleep(settleMs)
      await extend()
    }
    commands += await checkCommands(scanning, fold.partitions, ends, findings.find)
  }

  /** What came since the last round; all of it for one partition in turn. */
  async function checkArchive(archived: ReadonlySet<number>, findings: Findings): Promise<number> {
    const anew = only[rounds % only.length]
    let rows = 0
    for (const [partition, { generations, position }] of fold.partitions) {
      if (!archived.has(partition)) continue
      let differs = false
      for (const of of generations) {
        const { now, wanted, stretch } = toCompare(
          partition,
          of,
          partition === anew || wrongPartitions.has(partition),
        )
        if (wanted.count > 0) differs = !isSame(await archivedTotal(clickhouse, stretch), wanted) || differs
        rows += wanted.count
        compared.set(`${of.generation}/${partition}`, { last: of.last, total: now })
        options.progress?.('comparing the archive', rows, fold.counts.accepted)
      }
      wrongPartitions.delete(partition)
      if (!differs) continue
      const wrong = await locate({ ...scanning, clickhouse }, partition, position.offset, findings.find)
      if (wrong > 0) wrongPartitions.add(partition)
    }
    return rows
  }

  function toCompare(partition: number, of: GenerationSum, whole: boolean) {
    const now = totalOf(of.sum, of.kinds.event)
    const before = whole ? undefined : compared.get(`${of.generation}/${partition}`)
    const from = before ? before.last + 1 : of.first
    const stretch = { generation: of.generation, partition, from, to: of.last }
    return { now, wanted: before ? difference(now, before.total) : now, stretch }
  }

  /** All portions at first, then one by one. */
  async function checkDerived(wait: BehindOptions, findings: Findings) {
    /** What was there at the first look is then in all tables: the events of a block come last. */
    const settled = async (): Promise<void> => {
      await sleep(settleMs)
      await extend()
      await caughtUp(wait, fold.partitions, () => {})
    }
    const portions = await portionsOf(clickhouse)
    const all = rounds === 0 || wrongTables
    const those = all ? Array.from({ length: portions }, (_, i) => i) : [rounds % portions]
    for (const [i, portion] of those.entries()) {
      options.progress?.('comparing items and messages', i, those.length)
      await checkTables(clickhouse, { portion, portions }, settled, findings.find)
    }
    wrongTables = findings.count('archive-tables') > 0
    return { portions: those.length, portionsAll: portions }
  }

  return {
    async round() {
      const began = clock.now()
      const findings = createFindings()
      const ends = new Map(
        [...(await rangesOf(topics.commands))].map(([partition, { end }]) => [partition, end]),
      )
      await extend()
      await checkAnswers(ends, findings)
      const suspects = fold.suspects.slice(confirmed)
      confirmed = fold.suspects.length
      await confirm(scanning, suspects, fold.partitions, logFindings.find)
      const wait = { redis: options.redis, clickhouse, clock, waitMs }
      const again = { ...wait, waitMs: Math.min(waitMs, AGAIN_MS) }
      const there = await caughtUp(wait, fold.partitions, findings.find)
      const archived = await checkArchive(there.archived, findings)
      const derived = there.archived.size === only.length && only.length === partitions
      const tables = derived ? await checkDerived(again, findings) : { portions: 0, portionsAll: 0 }
      const isIn = (stream: string) => there.live.has(partitionOf(stream, partitions))
      const served = await checkServed({
        ...{ redis: options.redis, partitions, generation: options.generation },
        ...{
          sample,
          extend,
          settle: () => sleep(settleMs / 4),
          find: findings.find,
          policies: options.policies ?? KEEP_ALL,
        },
        caughtUp: () => caughtUp(again, fold.partitions, () => {}),
        hasStream: isIn,
        hasUser: (user) => isIn(userStream(user)),
        progress: (done, of) => options.progress?.('comparing unread counts and timelines', done, of),
      })
      rounds += 1
      return {
        ...{
          partitions: only.length,
          counts: { ...fold.counts },
          streams: fold.streams(),
          commands,
          archived,
        },
        ...served,
        ...tables,
        ...{ forgotten: fold.forgotten(), tookMs: clock.now() - began, findings: [logFindings, findings] },
      }
    },
  }
}

const truncated = (partition: number, begin: number): string =>
  `${topics.events}/${partition} begins at offset ${begin}: what came before is gone, and nothing can be proven without it. Restore the topics from the archive (npm run restore), or leave the partition out (--partitions)`
