/** One random life of one partition, replayed by its seed, ended by a drain with one healthy worker. */
import { emptyFold } from '../../../processors/fold.ts'
import { MissedClaim, SourceGap } from '../../../processors/sequencer/owner.ts'
import { T0 } from '../commands.ts'
import { createRandom } from '../random.ts'
import { createClients } from './clients.ts'
import { type Judged, judge } from './judge.ts'
import { createNetwork } from './network.ts'
import { rewriteLog } from './rewriting.ts'
import type { Variant } from './rules.ts'
import { createShortcutWorker, type Trusted } from './shortcut.ts'
import { createSnapshotTopic } from './snapshots.ts'
import { Behind, type Commands, createWorker, endOf, type Worker, type World } from './worker.ts'

const STEPS = 140

/** Throws a Violation, or whatever the code under test threw, when the schedule ends wrong. */
export function runSchedule(seed: number, variant: Variant): Judged & { restores: number } {
  const random = createRandom(seed)
  const network = createNetwork(random)
  const world: World = {
    random,
    network,
    snapshots: createSnapshotTopic(random),
    seenAccepted: new Set(),
    snapshotDecided: variant.snapshotDecided,
  }
  const clients = createClients(random)
  let time = T0
  let generation = variant.shortcut ? 0 : random.int(2)
  let opened = false
  let restores = 0
  let commands: Commands = { begin: variant.shortcut || random.chance(0.8) ? 0 : random.int(50), records: [] }
  const trusted: Trusted = { snapshot: emptyFold(), committed: 0 }

  const issue = (value: Buffer) => {
    // After a change of leader the broker's clock can step back.
    time += random.chance(0.1) ? -random.int(3_000) : random.int(400)
    commands.records.push({ offset: endOf(commands), key: null, value, timestamp: time })
  }
  const newWorker = (): Worker => {
    const decide = random.pick(variant.versions)
    if (!variant.shortcut) return createWorker(world, { generation, decide, commands })
    const { step } = createShortcutWorker(world, trusted, commands, decide)
    return {
      generation,
      step,
      readAll() {},
      drained: () => trusted.committed === endOf(commands),
      fold: emptyFold,
    }
  }
  // All of them believe that they own the partition; how often each gets to run makes it a zombie.
  const workers = Array.from({ length: 2 + random.int(2) }, newWorker)

  const run = (index: number) => {
    const worker = workers[index] as Worker
    try {
      const burst = 1 + random.int(10)
      for (let i = 0; i < burst; i++) worker.step()
    } catch (error) {
      // A worker of the generation before finds the logs renewed: its process ends.
      if (!isRenewal(error) || worker.generation === generation) throw error
      workers[index] = newWorker()
    }
  }

  const drain = () => {
    for (let i = 0; i < 5 && network.pending() > 0; i++) network.deliverOne()
    const last = newWorker()
    for (let i = 0; !last.drained(); i++) {
      if (i > 5_000) throw new Error('the partition does not drain')
      last.step()
      if (random.chance(0.3)) network.deliverOne()
      if (random.chance(0.1)) last.readAll()
    }
    return last
  }

  /** The logs are rewritten or re-partitioned: commands are numbered anew and the writers have a new number. */
  const openGeneration = () => {
    const planned = random.chance(0.5)
    if (planned) drain()
    if (random.chance(0.5)) {
      // The logs are lost, or are to have other partitions: im.events is written anew, as a generation of its own.
      rewriteLog(world, ++generation, planned)
      restores++
    }
    generation++
    opened = true
    const begin = random.pick([0, endOf(commands), endOf(commands) + random.int(20)])
    commands = { begin, records: [] }
    for (let i = random.int(3); i > 0; i--) issue(clients.next(time).value)
    workers[random.int(workers.length)] = newWorker()
  }

  for (let step = 0; step < STEPS; step++) {
    const what = random.int(100)
    if (what < 22) issue(clients.next(time).value)
    else if (what < 40) network.deliverOne()
    else if (what < 44) workers[random.int(workers.length)] = newWorker()
    else if (what < 46) world.snapshots.rollBack()
    else if (what < 47 && network.log.length > 0) network.log.push(rubbish(network.log.length))
    else if (what === 47 && random.chance(0.4) && !variant.shortcut) openGeneration()
    else run(random.chance(0.6) ? 0 : random.int(workers.length))
  }

  network.setHealthy(true)
  const old = [...workers]
  let last = drain()
  // What was never answered, because a generation ended before it, is sent again by its client.
  if (opened)
    for (const { value } of new Map(clients.issued().map((one) => [one.key, one])).values()) issue(value)
  for (const worker of old) if (worker.generation < generation) tolerate(() => worker.step())
  last = drain()
  while (network.pending() > 0) network.deliverOne()
  last.readAll()
  const judged = judge({ network, commands, world, clients, last, versioned: !variant.shortcut })
  return { ...judged, restores }
}

const isRenewal = (error: unknown): boolean =>
  error instanceof SourceGap || error instanceof MissedClaim || error instanceof Behind

function tolerate(step: () => void) {
  try {
    step()
  } catch (error) {
    if (!isRenewal(error)) throw error
  }
}

const rubbish = (offset: number) => ({ offset, key: null, value: Buffer.from([1, 2, 3]), timestamp: 0 })
