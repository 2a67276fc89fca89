/** What stands on the topics that a restore would replace, and whether that may be given up. */
import { START } from '../../schemas/accept.ts'
import { open } from '../../schemas/avro.ts'
import { history, openCommand, openEnvelope } from '../../schemas/codec.ts'
import { formatPackId } from '../../schemas/ids.ts'
import { limits } from '../../schemas/limits.ts'
import { type Clock, Fault, type LogRange, type LogStore } from '../../schemas/ports.ts'
import { readRecord } from '../../schemas/read.ts'
import { records as schemas } from '../../schemas/records.ts'
import { topics } from '../../schemas/topics.ts'
import { scan } from '../scan.ts'
import type { Stretch } from './archive.ts'
import { recordHash } from './restamp.ts'

export interface Standing {
  /** 0: there is no such topic. */
  readonly partitions: number
  readonly ranges: readonly LogRange[]
  readonly isEmpty: boolean
}

export async function standingOf(store: LogStore, topic: string): Promise<Standing> {
  const admin = await store.admin()
  try {
    const partitions = await admin.partitionCount(topic)
    const ranges = await Promise.all(
      Array.from({ length: partitions }, (_, partition) => admin.range(topic, partition)),
    )
    return { partitions, ranges, isEmpty: ranges.every(({ end }) => end === 0) }
  } finally {
    await admin.close()
  }
}

/** Generations that the first records of im.events name. */
export async function firstGenerations(
  store: LogStore,
  { partitions, ranges }: Standing,
): Promise<ReadonlySet<number>> {
  const found = new Set<number>()
  await scan({
    store,
    topic: topics.events,
    partitions,
    until: (partition) => {
      const { begin, end } = ranges[partition] ?? { begin: 0, end: 0 }
      return Math.min(begin + 1, end)
    },
    take(_, batch) {
      for (const { value } of batch) found.add(openEnvelope(value ?? Buffer.alloc(0)).generation)
    },
  })
  return found
}

/** Next source of each partition, −1 where there is no telling. */
export type Answered = readonly number[]

/** Compares im.events with the archive, record by record. Lines that say where they differ; empty: the archive has it all. */
export async function compareWithLog(
  store: LogStore,
  { partitions }: Standing,
  stretches: readonly Stretch[],
  signal?: AbortSignal,
): Promise<{ readonly faults: string[]; readonly answered: Answered }> {
  const positions = Array.from({ length: partitions }, () => START)
  const sums = new Map<string, { records: number; xor: bigint }>()
  await scan({
    store,
    topic: topics.events,
    partitions,
    ...(signal ? { signal } : {}),
    take(partition, batch) {
      for (const record of batch) {
        const read = readRecord(positions[partition] ?? START, record)
        positions[partition] = read.next
        if (read.verdict !== 'accept' || !read.envelope) continue
        const key = `${read.envelope.generation}/${partition}`
        const sum = sums.get(key) ?? { records: 0, xor: 0n }
        sums.set(key, { records: sum.records + 1, xor: sum.xor ^ recordHash(read.envelope) })
      }
    },
  })
  const faults: string[] = []
  for (const [key, sum] of sums) {
    const archived = stretches.find(({ generation, partition }) => key === `${generation}/${partition}`)
    const [generation, partition] = key.split('/')
    const where = `generation ${generation}, partition ${partition}`
    if (archived?.records !== sum.records)
      faults.push(
        `${where}: im.events holds ${sum.records} records, the archive ${archived?.records ?? 'none'}`,
      )
    else if (archived.xor !== sum.xor) faults.push(`${where}: the archive holds other records than im.events`)
  }
  return { faults, answered: positions.map(({ last }) => last + 1) }
}

export interface Unanswered {
  readonly count: number
  /** Some of them, for people. */
  readonly shown: string[]
}

const SHOWN_MAX = 20

/** Commands that were accepted and have no record: behind the last source of each partition. */
export async function unansweredIn(
  store: LogStore,
  { partitions, ranges }: Standing,
  answered: Answered,
): Promise<Unanswered> {
  const fromOf = (partition: number): number =>
    Math.max(answered[partition] ?? 0, ranges[partition]?.begin ?? 0)
  const count = ranges.reduce((sum, { end }, partition) => sum + Math.max(0, end - fromOf(partition)), 0)
  const shown: string[] = []
  if (count === 0) return { count, shown }
  await scan({
    store,
    topic: topics.commands,
    partitions,
    from: (partition, { end }) => Math.min(end, fromOf(partition)),
    take(partition, batch) {
      for (const { offset, value } of batch)
        if (shown.length < SHOWN_MAX) shown.push(`${partition}/${offset} ${nameOf(value)}`)
    },
  })
  return { count, shown }
}

function nameOf(value: Buffer | null): string {
  try {
    const { sender, stream, packId } = openCommand(value ?? Buffer.alloc(0))
    return `${formatPackId(packId)} of ${sender} to ${stream}`
  } catch {
    return 'undecodable'
  }
}

/** Of the groups that only run while somebody writes. */
const WRITERS = ['sequencer', 'fanout'] as const

/** Who still works on these topics, in words; empty: nobody. */
export async function stillRunning(store: LogStore, clock: Clock): Promise<string[]> {
  const found: string[] = []
  const admin = await store.admin()
  try {
    // Its offsets are for people only; a group with members is not deleted.
    for (const group of WRITERS)
      await admin.deleteGroup(group).catch((err) => {
        if (!(err instanceof Fault)) throw err
        found.push(`processors (${group})`)
      })
    if ((await admin.partitionCount(topics.gateways)) === 0) return found
  } finally {
    await admin.close()
  }
  const gateways = new Map<string, boolean>()
  await scan({
    store,
    topic: topics.gateways,
    partitions: 1,
    compacted: true,
    take(_, batch) {
      for (const { value, key, timestamp } of batch) {
        const isLive = value !== null && clock.now() - timestamp <= limits.gatewaySilenceMsMax
        gateways.set(value ? open(schemas.GatewayAlive, value, history).gateway : String(key), isLive)
      }
    },
  })
  return [...found, ...[...gateways].filter(([, isLive]) => isLive).map(([id]) => `gateway ${id}`)]
}
