/**
 * What comes to this gateway from the log: its own deliveries, and every gateway's heartbeats, by which it learns that a
 * newer process has taken its id. Both begin at the end: what was told to an earlier boot is of no use to this one.
 * Revocations begin at the beginning, and all that stand are read before anyone may log in.
 */
import { open } from '../schemas/avro.ts'
import { history } from '../schemas/codec.ts'
import { type Clock, Fault, type Logger, type LogRecord, type LogStore, sleepOf } from '../schemas/ports.ts'
import { records } from '../schemas/records.ts'
import { deliveriesTopic, topics } from '../schemas/topics.ts'

export interface Inbound {
  stop(): Promise<void>
}

export interface InboundOptions {
  readonly store: LogStore
  readonly gatewayId: string
  readonly boot: string
  readonly clock: Clock
  readonly log: Logger
  /** Runs its argument in a later turn, so that sockets are served between slices. */
  defer(fn: () => void): void
  /** `at`: when fan-out wrote it. */
  /** A promise: the next one is handed over when it has resolved. */
  delivery(value: Buffer, at: number): void | Promise<void>
  revocation(value: Buffer): void
  /** Of any gateway; null: it has left. */
  heartbeat(gateway: string, boot: string | null): void
  /** A newer boot runs under this id: this process must end. */
  fenced(newerBoot: string): void
  failed(fault: Fault): void
}

const PARTITION = 0
/** Deliveries handled in one turn. */
const SLICE = 256
const RETRY_MS = 500
/** A topic that was just created is not known to every broker at once. */
const CREATE_TRIES_MAX = 20
/** Ids hold no colon, so that no gateway's groups begin like another's. */
const groupPrefix = (gatewayId: string): string => `gateway:${gatewayId}:`

/** Resolves when the positions are known and the revocations read: what is told from then on arrives. */
export async function startInbound(options: InboundOptions): Promise<Inbound> {
  const { store, gatewayId, boot, clock, log } = options
  const admin = await store.admin()
  await ensureTopic()
  const deliveries = topics.deliveries(gatewayId)
  const group = groupPrefix(gatewayId) + boot
  const next = new Map<string, number>()
  let stopped = false
  let positioned = (): void => {}
  let revocationsRead = (): void => {}
  /** Offset up to which revocations stood when this began. */
  let revocationsEnd: number | null = null
  const ready = Promise.all([
    new Promise<void>((resolve) => {
      positioned = resolve
    }),
    new Promise<void>((resolve) => {
      revocationsRead = resolve
    }),
  ])
  const consumer = store.consumer({
    group,
    topics: [deliveries, topics.gateways, topics.revocations],
    compacted: [topics.gateways, topics.revocations],
  })

  async function ensureTopic(): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        await admin.ensureTopics([deliveriesTopic(gatewayId)])
        return
      } catch (error) {
        const hopeless = error instanceof Fault && error.code === 'partition_count_mismatch'
        if (hopeless || tries >= CREATE_TRIES_MAX) throw error
        await sleepOf(clock)(RETRY_MS)
      }
    }
  }

  async function seekEnds(): Promise<void> {
    try {
      for (const topic of [deliveries, topics.gateways]) {
        const known = next.get(topic)
        const at = known ?? (await consumer.range(topic, PARTITION)).end
        next.set(topic, at)
        consumer.seek(topic, PARTITION, at)
      }
      await seekRevocations()
      positioned()
    } catch (error) {
      if (stopped) return
      log.warn({ err: error }, 'the end of the deliveries is not known yet')
      clock.after(RETRY_MS, () => void seekEnds())
    }
  }

  async function seekRevocations(): Promise<void> {
    const { begin, end } = await consumer.range(topics.revocations, PARTITION)
    revocationsEnd ??= end
    const at = next.get(topics.revocations) ?? begin
    next.set(topics.revocations, at)
    consumer.seek(topics.revocations, PARTITION, at)
    noteRevocations()
  }

  function noteRevocations(): void {
    if (revocationsEnd !== null && (next.get(topics.revocations) ?? 0) >= revocationsEnd) revocationsRead()
  }

  const pause = (): Promise<void> => new Promise((resolve) => options.defer(resolve))

  async function handleDeliveries(batch: readonly LogRecord[]): Promise<void> {
    for (let at = 0; at < batch.length; at += SLICE) {
      if (at > 0) await pause()
      for (const record of batch.slice(at, at + SLICE)) {
        const waits = record.value && options.delivery(record.value, record.timestamp)
        if (waits) await waits
      }
    }
  }

  function handleHeartbeats(batch: readonly LogRecord[]): void {
    for (const { key, value } of batch) {
      const gateway = key?.toString('utf8') ?? ''
      const of = value && bootOf(value)
      // What cannot be read says nothing, what is empty that it has left.
      if (of !== null || value === null) options.heartbeat(gateway, of)
      if (gateway === gatewayId && of !== null && of > boot) options.fenced(of)
    }
  }

  function handleRevocations(batch: readonly LogRecord[]): void {
    for (const { offset, value } of batch) {
      try {
        if (value) options.revocation(value)
      } catch (error) {
        log.error({ err: error, offset }, 'a revocation cannot be read')
      }
    }
    noteRevocations()
  }

  await consumer.start({
    assigned(added) {
      if (added.includes(PARTITION)) void seekEnds()
    },
    records(topic, _partition, batch) {
      const last = batch.at(-1)
      if (last) next.set(topic, last.offset + 1)
      if (topic === deliveries) return handleDeliveries(batch)
      if (topic === topics.revocations) handleRevocations(batch)
      else handleHeartbeats(batch)
    },
    failed: options.failed,
  })
  await ready
  void removeOlderGroups()

  /** Groups of boots that did not leave in order. */
  async function removeOlderGroups(): Promise<void> {
    try {
      for (const old of await admin.listGroups(groupPrefix(gatewayId)))
        if (old !== group && old < group) await admin.deleteGroup(old)
    } catch (error) {
      // One that still runs is about to see that it was replaced; the next start removes its group.
      log.debug({ err: error }, 'an older group stays for now')
    }
  }

  return {
    async stop() {
      stopped = true
      await consumer.stop()
      try {
        await admin.deleteGroup(group)
      } catch (error) {
        log.debug({ err: error }, 'the consumer group stays; the next start removes it')
      }
      await admin.close()
    },
  }
}

function bootOf(value: Buffer): string | null {
  try {
    return open(records.GatewayAlive, value, history).boot
  } catch {
    return null
  }
}
