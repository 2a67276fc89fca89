/** Writes delivery records. They are hints: what cannot be written within 2 s is dropped and counted, and the gap in the counter makes the gateway resync. */
import { seal } from '../../schemas/avro.ts'
import { limits } from '../../schemas/limits.ts'
import type { Appender, Clock, Logger } from '../../schemas/ports.ts'
import { records } from '../../schemas/records.ts'
import { topics } from '../../schemas/topics.ts'
import type { Parcel } from './route.ts'
import type { FanoutStats } from './stats.ts'

export interface DeliveryWriter {
  /** Queues the parcels of one partition in order; resolves when each was written or given up. Never rejects. */
  write(partition: number, parcels: readonly Parcel[]): Promise<void>
}

const REQUEST_BYTES_MAX = limits.recordBytesMax / 2
const REQUEST_RECORDS_MAX = 1_000
const RECORD_OVERHEAD_BYTES = 64

export function createDeliveryWriter(options: {
  appender: Appender
  clock: Clock
  logger: Logger
  stats: FanoutStats
  /** Name of this fan-out instance: counters begin at 0 with it. */
  instance: string
}): DeliveryWriter {
  const { appender, clock, stats, instance, logger } = options
  const counters = new Map<string, number>()

  const next = (partition: number, gateway: string): number => {
    const key = `${partition}/${gateway}`
    const counter = counters.get(key) ?? 0
    counters.set(key, counter + 1)
    return counter
  }

  return {
    write(partition, parcels) {
      const byGateway = new Map<string, { key: string; value: Buffer }[]>()
      for (const { gateway, ...parcel } of parcels) {
        if (parcel.channel) stats.channelDeliveries++
        if (parcel.signal) stats.signals++
        const delivery = { instance, partition, counter: next(partition, gateway), ...parcel }
        const value = seal(records.Delivery, { ...delivery, recipients: [...parcel.recipients] })
        const batch = byGateway.get(gateway)
        if (batch) batch.push({ key: parcel.stream, value })
        else byGateway.set(gateway, [{ key: parcel.stream, value }])
      }
      const requests = [...byGateway].flatMap(([gateway, all]) =>
        inRequests(all).map((batch) => ({ gateway, batch })),
      )
      const writes = requests.map(async ({ gateway, batch }) => {
        stats.deliveries += batch.length
        try {
          await within(clock, appender.appendBatch(topics.deliveries(gateway), 0, batch))
        } catch (err) {
          stats.deliveriesDropped += batch.length
          logger.warn(
            { err, gateway, dropped: batch.length },
            'deliveries were given up; the gateway will resync',
          )
        }
      })
      return Promise.all(writes).then(() => undefined)
    },
  }
}

/** Parts that fit one request each; what fan-out reads together after a pause is more than that. */
function inRequests<T extends { key: string; value: Buffer }>(all: readonly T[]): T[][] {
  const parts: T[][] = []
  let bytes = 0
  for (const one of all) {
    const size = one.value.length + one.key.length + RECORD_OVERHEAD_BYTES
    const part = parts.at(-1)
    if (part && part.length < REQUEST_RECORDS_MAX && bytes + size <= REQUEST_BYTES_MAX) {
      part.push(one)
      bytes += size
    } else {
      parts.push([one])
      bytes = size
    }
  }
  return parts
}

function within(clock: Clock, work: Promise<unknown>): Promise<void> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(limits.deliveryWriteMsMax, () => reject(new Error('not written in time')))
    work.then(
      () => {
        cancel()
        resolve()
      },
      (err) => {
        cancel()
        reject(err)
      },
    )
  })
}
