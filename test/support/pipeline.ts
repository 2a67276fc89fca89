/**
 * All roles in one process: gateways on real sockets, sequencer, fan-out and projections on the log in memory, with a real
 * Redis and ClickHouse behind the read models. What a client can be told here is what the platform tells.
 */
import { randomUUID } from 'node:crypto'
import type { Counters } from '../../gateway/counters.ts'
import { newBoot, startGateway } from '../../gateway/gateway.ts'
import { mintToken } from '../../gateway/tokens/mint.ts'
import { createRevocations } from '../../gateway/tokens/revocations.ts'
import type { Right } from '../../gateway/tokens/verdict.ts'
import { verifier } from '../../gateway/tokens/verifier.ts'
import { createAddresses } from '../../gateway/transports/addresses.ts'
import { openOmtpPort } from '../../gateway/transports/omtp.ts'
import { openPublicPort } from '../../gateway/transports/public-port.ts'
import { systemClock } from '../../infra/clock.ts'
import { silentLog } from '../../infra/log.ts'
import { createMemoryLog } from '../../infra/memory/log.ts'
import { createMemorySignalBus } from '../../infra/memory/signal-bus.ts'
import { createMetrics } from '../../infra/metrics.ts'
import { networksOf } from '../../infra/networks.ts'
import { createRedisOnlineMap } from '../../infra/redis/online-map.ts'
import { decideWith } from '../../processors/decide.ts'
import { startFanout } from '../../processors/fanout/fanout.ts'
import type { FanoutStats } from '../../processors/fanout/stats.ts'
import { startSequencer } from '../../processors/sequencer/sequencer.ts'
import { archiveSink } from '../../projections/archive/sink.ts'
import { deadLetters } from '../../projections/dead-letters.ts'
import { liveSink } from '../../projections/live/sink.ts'
import type { RedisPort } from '../../projections/ports.ts'
import { createReader } from '../../projections/reader.ts'
import { readModels } from '../../projections/reads.ts'
import type { ServerFrame } from '../../schemas/frames.ts'
import { limits } from '../../schemas/limits.ts'
import type { Fault } from '../../schemas/ports.ts'
import { sharedTopics, topics } from '../../schemas/topics.ts'
import { defaultWindows } from '../../schemas/windows.ts'
import { newPackId, secret, until } from './gateway.ts'
import { type RawClient, rawClient } from './gateway-client.ts'
import { startEngines } from './projections/engines.ts'

const PARTITIONS = 2

export type Answered = Extract<ServerFrame, { type: 'committed' | 'rejected' }>

/** A user's connection on the bare protocol. */
export interface Person extends RawClient {
  readonly user: string
  /** Sends a command under a fresh packId (or the one given) and waits until it is committed or rejected. */
  tell(command: object): Promise<Answered>
  /** Asks under a fresh id, again while the answer is partial or for later. */
  ask<F extends ServerFrame = ServerFrame>(request: object): Promise<F>
}

export interface Pipeline {
  /** Gateways to connect to. */
  readonly urls: readonly string[]
  /** The same gateways' OMTP ports, as host:port. */
  readonly omtp: readonly string[]
  readonly redis: RedisPort
  readonly fanout: FanoutStats
  /** Of each gateway. */
  readonly counters: readonly Counters[]
  /** The broker's time from now on, ahead of all others by so much: connections and beats do not age by it. */
  skew(ms: number): void
  now(): number
  online(user: string, options?: { gateway?: number; rights?: readonly Right[] }): Promise<Person>
  /** As by SIGTERM, up to where the last client of this gateway is gone. Default: all at once. */
  drain(gateway: number, drainMs?: number): Promise<void>
  stop(): Promise<void>
}

export async function startPipeline(gateways = 3, windows = defaultWindows): Promise<Pipeline> {
  let skewMs = 0
  const clock = systemClock
  const engines = await startEngines({ clickhouse: true })
  const { redis, clickhouse } = engines
  const store = createMemoryLog({ ...systemClock, now: () => Date.now() + skewMs })
  const admin = await store.admin()
  await admin.ensureTopics(sharedTopics(PARTITIONS))
  const failed = (fault: Fault) => {
    throw fault
  }
  const common = { store, clock, logger: silentLog, failed }
  const map = createRedisOnlineMap(redis)
  const bus = createMemorySignalBus()

  const consume = (group: string) => store.consumer({ group, topics: [topics.events] })
  const letters = await store.appender('dead-letters')
  const reading = {
    clock,
    logger: silentLog,
    recordsPerBatchMax: 500,
    bytesPerBatchMax: 1_000_000,
    deadLetter: deadLetters(letters),
    failed,
  }
  const archive = archiveSink({ clickhouse, generation: 0, clock, logger: silentLog, lingerMs: 20 })
  const readers = [
    createReader({
      ...reading,
      name: 'live',
      consumer: consume('live'),
      sink: liveSink({ redis, generation: 0, logger: silentLog, clock }),
    }),
    createReader({ ...reading, name: 'archive', consumer: consume('archive'), sink: archive }),
  ]
  await Promise.all(readers.map((reader) => reader.start()))
  const sequencer = await startSequencer({
    ...common,
    name: 'sequencer',
    generation: 0,
    decide: decideWith(windows),
  })
  const fanout = await startFanout({ ...common, name: 'fanout', map })

  const started = await Promise.all(
    Array.from({ length: gateways }, async (_, i) => {
      const gateway = await startGateway({
        gatewayId: `gw-${i}`,
        boot: newBoot(clock.now(), Math.random),
        partitions: PARTITIONS,
        heartbeatMs: 60_000,
        windows,
        store,
        online: map,
        bus,
        reads: readModels({ redis, clickhouse, partitions: PARTITIONS, generation: 0, clock }),
        tokens: verifier(secret, clock),
        revocations: createRevocations(),
        clock,
        log: silentLog,
        metrics: createMetrics(),
        random: Math.random,
        defer: setImmediate,
        failed,
        fenced() {},
      })
      const addresses = createAddresses(limits.connectionsPerAddressMax, limits.loginsPendingPerAddressMax)
      const trusted = networksOf([])
      const port = await openPublicPort({
        host: '127.0.0.1',
        port: 0,
        origins: null,
        staticFolder: '/nonexistent',
        gatewayId: `gw-${i}`,
        clock,
        tls: null,
        secretName: () => randomUUID(),
        hub: gateway.hub,
        addresses,
        trusted,
        log: silentLog,
      })
      const omtp = await openOmtpPort({
        host: '127.0.0.1',
        port: 0,
        tls: null,
        hub: gateway.hub,
        addresses,
        trusted,
        clock,
        log: silentLog,
      })
      return { gateway, port, omtp }
    }),
  )
  const urls = started.map(({ port }) => `ws://127.0.0.1:${port.port}/ws`)

  return {
    urls,
    omtp: started.map(({ omtp }) => `127.0.0.1:${omtp.port}`),
    redis,
    fanout: fanout.stats,
    counters: started.map(({ gateway }) => gateway.counters),
    skew(ms) {
      skewMs = ms
    },
    now: clock.now,
    async online(user, { gateway = 0, rights = [] } = {}) {
      const client = await rawClient(urls[gateway] as string)
      client.login(await mintToken(secret, user, 86_400, { rights, nowMs: clock.now() }))
      await client.next('welcome')
      return person(user, client, clock.now)
    },
    async drain(i, drainMs = 0) {
      const noticed = (): void => {
        started[i]?.port.stopAccepting()
        started[i]?.omtp.stopAccepting()
      }
      await started[i]?.gateway.drain({ drainMs, noticed })
    },
    async stop() {
      for (const { gateway, port, omtp } of started) {
        port.stopAccepting()
        omtp.close()
        port.close()
        await gateway.stop(true)
      }
      await fanout.stop()
      await sequencer.stop()
      archive.close()
      for (const reader of readers) await reader.stop()
      await letters.close()
      await admin.close()
      await bus.close()
      await engines.stop()
    },
  }
}

function person(user: string, client: RawClient, now: () => number): Person {
  let lastId = 0

  async function answerTo(fits: (frame: ServerFrame) => boolean, from: number): Promise<ServerFrame> {
    let found: ServerFrame | undefined
    await until(() => {
      found = client.frames.slice(from).find(fits)
      return found !== undefined
    })
    return found as ServerFrame
  }

  return {
    ...client,
    user,
    async tell(command) {
      const frame = { packId: newPackId(now()), ...command }
      const from = client.frames.length
      client.send(frame)
      const answer = await answerTo(
        (one) => (one.type === 'committed' || one.type === 'rejected') && one.packId === frame.packId,
        from,
      )
      return answer as Answered
    },
    async ask<F extends ServerFrame>(request: object) {
      for (;;) {
        const id = ++lastId
        const from = client.frames.length
        client.send({ id, ...request })
        const answer = await answerTo((one) => 'id' in one && one.id === id, from)
        const trails =
          ('partial' in answer && answer.partial) ||
          (answer.type === 'error' && answer.code === 'unavailable')
        if (!trails) return answer as F
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
    },
  }
}
