import path from 'node:path'
import type { Log } from '../log.ts'
import { type EmbeddedClickHouse, startClickHouse } from './clickhouse.ts'
import { ensureKafkaJars, ensureRedisServer } from './engines.ts'
import { type KafkaCluster, startKafka } from './kafka.ts'
import { type EmbeddedRedis, startRedis } from './redis.ts'
import { lockDataDir, openRunRecord, type RunRecord, stopLeftovers } from './run-record.ts'

export interface Need {
  readonly kafka: boolean
  readonly redis: boolean
  readonly clickhouse: boolean
}

/** For people who wait: what is being done, and when it is done how long it took. */
export type Progress = (event: {
  readonly name: string
  readonly state: 'working' | 'done'
  readonly text: string
  readonly ms?: number
}) => void

export interface EmbeddedOptions<N extends Need> {
  readonly dataDir: string
  /** Where the fetched engines are kept. Default: `.longwire/engines` of the current folder. */
  readonly enginesDir?: string
  readonly need: N
  readonly kafkaNodes?: 1 | 3
  readonly kafkaHeapMb?: number
  readonly progress?: Progress
  readonly log: Log
}

type If<Wanted extends boolean, T> = Wanted extends true ? T : undefined

export interface Embedded<N extends Need> {
  readonly kafka: If<N['kafka'], KafkaCluster>
  readonly redis: If<N['redis'], EmbeddedRedis>
  readonly clickhouse: If<N['clickhouse'], EmbeddedClickHouse>
  /** Other processes of this data folder are recorded here, to be recognised after a kill. */
  readonly record: RunRecord
  /** Stops the engines, then gives the data folder free. Safe to call twice. */
  stop(): Promise<void>
}

/**
 * Starts the engines that are needed, in parallel, on the data of `dataDir`. The folder is locked for this process; what a
 * killed run left running in it is stopped first. Throws `EngineError` with one clear line, and leaves nothing running then.
 */
export async function startEmbedded<const N extends Need>(options: EmbeddedOptions<N>): Promise<Embedded<N>> {
  const { dataDir, need, log } = options
  const progress: Progress = options.progress ?? (() => {})
  const enginesDir = options.enginesDir ?? path.resolve('.longwire/engines')
  const lock = lockDataDir(dataDir)
  const stops: (() => Promise<void>)[] = []
  let stopped: Promise<void> | undefined
  const stop = (): Promise<void> => {
    stopped ??= (async () => {
      const results = await Promise.allSettled(stops.map((stopOne) => stopOne()))
      for (const result of results)
        if (result.status === 'rejected') log.error({ err: result.reason }, 'engine did not stop')
      lock.release()
    })()
    return stopped
  }
  const begin = async <T extends { stop(): Promise<void> }>(
    name: string,
    start: () => Promise<T>,
  ): Promise<T> => {
    const startedMs = Date.now()
    const engine = await start()
    stops.push(() => engine.stop())
    progress({ name, state: 'done', text: 'embedded', ms: Date.now() - startedMs })
    return engine
  }
  try {
    const leftovers = await stopLeftovers(dataDir)
    if (leftovers.length > 0) {
      progress({
        name: 'cleanup',
        state: 'done',
        text: `stopped what a killed run left: ${leftovers.join(', ')}`,
      })
    }
    const record = openRunRecord(dataDir)
    const fetching = (name: string) => (what: string) =>
      progress({ name, state: 'working', text: `fetching ${what}` })
    const dir = (name: string) => path.join(dataDir, name)
    const jars = need.kafka ? ensureKafkaJars(enginesDir, fetching('kafka')) : Promise.resolve('')
    // One Maven at a time: two of them would race for one local repository.
    const redisBinary = need.redis
      ? jars.then(() => ensureRedisServer(enginesDir, fetching('redis')))
      : Promise.resolve('')
    redisBinary.catch(() => {})
    const results = await Promise.allSettled([
      need.kafka
        ? jars.then((lib) =>
            begin('kafka', () =>
              startKafka({
                dir: dir('kafka'),
                lib,
                nodes: options.kafkaNodes ?? 1,
                ...(options.kafkaHeapMb ? { heapMb: options.kafkaHeapMb } : {}),
                record,
              }),
            ),
          )
        : undefined,
      need.redis
        ? redisBinary.then((binary) =>
            begin('redis', () => startRedis({ dir: dir('redis'), binary, record })),
          )
        : undefined,
      need.clickhouse
        ? begin('clickhouse', () => startClickHouse({ dir: dir('clickhouse'), record }))
        : undefined,
    ] as const)
    const [kafka, redis, clickhouse] = results.map((result) => {
      if (result.status === 'rejected') throw result.reason
      return result.value
    })
    return { kafka, redis, clickhouse, record, stop } as Embedded<N>
  } catch (err) {
    await stop()
    throw err
  }
}
