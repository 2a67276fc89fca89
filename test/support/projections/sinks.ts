/** Both sinks on real engines, fed by hand. */
import { systemClock } from '../../../infra/clock.ts'
import { silentLog } from '../../../infra/log.ts'
import { archiveSink } from '../../../projections/archive/sink.ts'
import { liveSink } from '../../../projections/live/sink.ts'
import type { Accepted, Sink } from '../../../projections/projection.ts'
import type { Policies } from '../../../projections/reads/policy.ts'
import type { Clock } from '../../../schemas/ports.ts'
import type { startEngines } from './engines.ts'

type Engines = Awaited<ReturnType<typeof startEngines<true>>>

export async function sinksOn(engines: Engines, options: { clock?: Clock; policies?: Policies } = {}) {
  const { redis, clickhouse } = engines
  const { clock = systemClock, policies } = options
  const live = liveSink({
    redis,
    generation: 0,
    logger: silentLog,
    clock,
    ...(policies ? { policies } : {}),
  })
  const archive = archiveSink({
    clickhouse,
    generation: 0,
    clock: systemClock,
    logger: silentLog,
    lingerMs: 5,
  })
  await live.begin(0, { begin: 0, end: 0 }, true)
  await archive.begin(0, { begin: 0, end: 0 }, true)
  const offsets = new Map<Sink, number>()
  return {
    live,
    archive,
    /** Gives each record the next offset of the sinks and applies them. */
    async put(records: readonly Accepted[], sinks: readonly Sink[] = [live, archive]): Promise<void> {
      for (const sink of sinks) {
        let offset = offsets.get(sink) ?? 0
        const placed = records.map((record): Accepted => {
          offset++
          return { ...record, offset, envelope: { ...record.envelope, source: offset - 1 } }
        })
        offsets.set(sink, offset)
        const next = { generation: 0, offset: offset + 1, epoch: 0, last: offset - 1 }
        const result = await sink.apply(0, placed, next)
        if (result !== 'applied') throw new Error(`a sink has ${result}`)
      }
      await live.tick()
    },
    close: () => archive.close(),
  }
}
