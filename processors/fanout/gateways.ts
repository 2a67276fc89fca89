/** Which gateways live, from the compacted topic im.gateways: no store that can be emptied has a say in it. */
import { randomUUID } from 'node:crypto'
import { open } from '../../schemas/avro.ts'
import { history } from '../../schemas/codec.ts'
import { limits } from '../../schemas/limits.ts'
import type { Clock, Fault, Logger, LogStore } from '../../schemas/ports.ts'
import { records } from '../../schemas/records.ts'
import { topics } from '../../schemas/topics.ts'
import type { LiveGateways } from './route.ts'

export interface GatewayWatch {
  /** Gateways heard of within limits.gatewaySilenceMsMax. */
  live(): LiveGateways
  stop(): Promise<void>
}

/** Resolves once the topic has been read to the end that it had. */
export async function watchGateways(options: {
  store: LogStore
  clock: Clock
  logger: Logger
  failed(fault: Fault): void
}): Promise<GatewayWatch> {
  const { store, clock, logger } = options
  const seen = new Map<string, { boot: string; at: number }>()
  // Every watcher reads everything: a group of its own, deleted at the end.
  const group = `fanout-gateways-${randomUUID()}`
  const consumer = store.consumer({
    group,
    topics: [topics.gateways],
    compacted: [topics.gateways],
    maxWaitMs: 500,
  })
  const { promise: caughtUp, resolve } = Promise.withResolvers<void>()
  let startEnd = Number.POSITIVE_INFINITY
  await consumer.start({
    assigned(added) {
      if (!added.includes(0)) return
      consumer.range(topics.gateways, 0).then(
        ({ begin, end }) => {
          startEnd = end
          if (begin >= end) resolve()
          consumer.seek(topics.gateways, 0, begin)
          consumer.resume(topics.gateways, 0)
        },
        (err) => logger.error({ err }, 'the range of im.gateways is not known'),
      )
    },
    records(_topic, _partition, batch) {
      for (const record of batch) {
        const gateway = record.key?.toString('utf8') ?? ''
        if (!record.value) seen.delete(gateway)
        else {
          try {
            const { boot } = open(records.GatewayAlive, record.value, history)
            // A heartbeat that was written before we looked is as old as its broker time says.
            seen.set(gateway, { boot, at: Math.min(clock.now(), record.timestamp) })
          } catch (err) {
            logger.warn({ err, offset: record.offset }, 'a heartbeat could not be read')
          }
        }
      }
      if ((batch.at(-1)?.offset ?? -1) >= startEnd - 1) resolve()
    },
    failed: options.failed,
  })
  await caughtUp
  return {
    live() {
      const alive = new Map<string, string>()
      for (const [gateway, { boot, at }] of seen) {
        if (clock.now() - at <= limits.gatewaySilenceMsMax) alive.set(gateway, boot)
      }
      return alive
    },
    async stop() {
      await consumer.stop()
      const admin = await store.admin()
      await admin.deleteGroup(group).catch((err) => logger.debug({ err, group }, 'group was not deleted'))
      await admin.close()
    },
  }
}
