/**
 * The whole topology in one thread on virtual time: the released sequencer, fan-out, gateway and client, on the log in
 * memory, with processes that die, freeze and come back, appends that go wrong, and an online map that fails.
 */

import type { Client, Message } from '../../../client/api.ts'
import { connectWith } from '../../../client/client.ts'
import { jsonCodec } from '../../../client/codec-json.ts'
import { newBoot, startGateway } from '../../../gateway/gateway.ts'
import { createRevocations } from '../../../gateway/tokens/revocations.ts'
import { silentLog } from '../../../infra/log.ts'
import { createMemoryLog, type MemoryLog, type MemoryProcess } from '../../../infra/memory/log.ts'
import { createMemoryOnlineMap, type MemoryOnlineMap } from '../../../infra/memory/online-map.ts'
import { createMemorySignalBus } from '../../../infra/memory/signal-bus.ts'
import { createVirtualClock, type VirtualClock } from '../../../infra/memory/virtual-clock.ts'
import { createMetrics } from '../../../infra/metrics.ts'
import { startFanout } from '../../../processors/fanout/fanout.ts'
import type { Decide } from '../../../processors/processor.ts'
import { startSequencer } from '../../../processors/sequencer/sequencer.ts'
import { sharedTopics } from '../../../schemas/topics.ts'
import { asBuilt } from '../partition-model/rules.ts'
import { createRandom, type Random } from '../random.ts'
import { createLinks, type Links } from './links.ts'

import { createWorldReads, type WorldReads } from './read-model.ts'

export const PARTITIONS = 2
const SESSION_MS = 3_000

export interface RoleProcess {
  readonly name: string
  readonly process: MemoryProcess
  kill(): void
}

export interface Device {
  readonly user: string
  readonly client: Client
  readonly messages: Message[]
}

export interface World {
  readonly clock: VirtualClock
  readonly random: Random
  readonly log: MemoryLog
  readonly map: MemoryOnlineMap
  readonly reads: WorldReads
  readonly links: Links
  /** Processes that run now, by role and place. */
  readonly roles: Map<string, RoleProcess>
  readonly restarts: { count: number }
  readonly errors: unknown[]
  /** Starts the role anew in its place, after killing what runs there. */
  start(role: 'sequencer' | 'fanout' | 'gateway', place: number): Promise<void>
  connect(user: string): Promise<Device>
  /** No read model trails from now on. */
  setTrailing(chance: number): void
}

export async function createWorld(
  seed: number,
  versions: readonly Decide[] = asBuilt.versions,
): Promise<World> {
  const random = createRandom(seed)
  const clock = createVirtualClock()
  const log = createMemoryLog(clock, {
    latencyMs: (kind) =>
      kind === 'heartbeat' ? 500 : kind === 'rebalance' ? 5 + random.int(50) : 1 + random.int(4),
  })
  const map = createMemoryOnlineMap()
  let trailing = 0
  const reads = createWorldReads(log.broker, PARTITIONS, map, () => random.chance(trailing))
  const bus = createMemorySignalBus()
  const links = createLinks(clock, random)
  const roles = new Map<string, RoleProcess>()
  const restarts = { count: 0 }
  const errors: unknown[] = []
  for (const { name, partitions } of sharedTopics(PARTITIONS)) log.broker.createTopic(name, partitions)

  const start: World['start'] = async (role, place) => {
    const seat = `${role}-${place}`
    roles.get(seat)?.kill()
    restarts.count++
    const name = `${seat}.${restarts.count}`
    const process = log.process(name)
    const address = `gw://${seat}`
    const kill = () => {
      if (roles.get(seat)?.process === process) roles.delete(seat)
      process.kill()
      if (role === 'gateway') links.listen(address, null)
    }
    roles.set(seat, { name, process, kill })
    // A role that cannot go on ends; whoever supervises it starts it again.
    const failed = () => {
      kill()
      clock.after(200, () => void start(role, place))
    }
    const common = { store: process, clock: process.clock, logger: silentLog, failed }
    try {
      if (role === 'sequencer') {
        const decide = random.pick(versions)
        await startSequencer({
          ...common,
          name,
          generation: 0,
          decide,
          snapshotEvery: 7,
          sessionTimeoutMs: SESSION_MS,
        })
      } else if (role === 'fanout') await startFanout({ ...common, name, map, sessionTimeoutMs: SESSION_MS })
      else {
        const gateway = await startGateway({
          ...common,
          log: silentLog,
          gatewayId: seat,
          boot: newBoot(clock.now(), random.next),
          partitions: PARTITIONS,
          heartbeatMs: 10_000,
          online: map,
          bus,
          reads,
          revocations: createRevocations(),
          tokens: {
            verify: async (user) => ({
              ok: true,
              userId: user,
              rights: [],
              issuedAt: 0,
              expiresAt: Number.MAX_SAFE_INTEGER,
            }),
          },
          metrics: createMetrics(),
          random: random.next,
          defer: queueMicrotask,
          fenced: failed,
        })
        if (roles.get(seat)?.process === process) links.listen(address, gateway.hub)
      }
    } catch {
      if (roles.get(seat)?.process === process) failed()
    }
  }

  const connect: World['connect'] = async (user) => {
    const messages: Message[] = []
    const client = await connectWith(
      {
        url: ['gw://gateway-0', 'gw://gateway-1'],
        token: user,
        heartbeatMs: 10_000,
        connectTimeoutMs: 0,
        on: { message: (message) => void messages.push(message) },
      },
      {
        clock,
        random: random.next,
        randomBytes: (bytes) => Uint8Array.from({ length: bytes }, () => random.int(256)),
        ways: () => ({ open: links.open, codec: jsonCodec }),
        deviceType: 'test',
        onWake: () => () => {},
        report: (error) => errors.push(error),
      },
    )
    return { user, client, messages }
  }

  return {
    clock,
    random,
    log,
    map,
    reads,
    links,
    roles,
    restarts,
    errors,
    start,
    connect,
    setTrailing(chance) {
      trailing = chance
    },
  }
}
