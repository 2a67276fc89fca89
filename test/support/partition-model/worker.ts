/** A sequencer of one partition, as a set of steps that a schedule may take in any order, or stop taking. */
import { emptyFold, evolveInto, type Fold } from '../../../processors/fold.ts'
import type { Decide } from '../../../processors/processor.ts'
import { createOwner, SourceGap } from '../../../processors/sequencer/owner.ts'
import { beginSnapshot, type Snapshotter } from '../../../processors/snapshot.ts'
import { cloneState } from '../../../processors/state.ts'
import { openEnvelope, sealEnvelope } from '../../../schemas/codec.ts'
import type { LogRecord } from '../../../schemas/ports.ts'
import type { Read } from '../../../schemas/read.ts'
import type { Random } from '../random.ts'
import type { Network } from './network.ts'
import type { SnapshotTopic } from './snapshots.ts'

/** im.commands of one generation: what is kept of it begins at `begin`. */
export interface Commands {
  readonly begin: number
  readonly records: LogRecord[]
}

export interface World {
  readonly random: Random
  readonly network: Network
  readonly snapshots: SnapshotTopic
  /** Offsets that some worker took for accepted. */
  readonly seenAccepted: Set<number>
  readonly snapshotDecided: boolean
}

export interface Worker {
  readonly generation: number
  /** One step, chosen at random among those that are possible. */
  step(): void
  /** All that the log holds, at once. */
  readAll(): void
  /** True when all commands have an accepted answer. */
  drained(): boolean
  fold(): Fold
}

/** The log is of a later generation than this worker writes. */
export class Behind extends Error {}

export const endOf = (commands: Commands): number => commands.begin + commands.records.length

export interface WorkerOptions {
  readonly generation: number
  readonly decide: Decide
  readonly commands: Commands
}

export function createWorker(world: World, options: WorkerOptions): Worker {
  const { random, network, snapshots } = world
  const { generation, commands } = options
  const owner = createOwner({ generation, owner: 'w', decide: options.decide }, restored(world))
  const tail = owner.tail()
  let inFlight = false
  let snapshot: Snapshotter | null = null
  let slot = random.int(3)
  let isOfThisLog = true
  /** What was decided on top of what was read: only for the variant that takes snapshots of it. */
  let shadow: Fold | null = null

  const onSeen = (folded: Read) => {
    if (folded.verdict === 'accept' && isOfThisLog) world.seenAccepted.add(folded.offset)
  }
  const read = (count: number) => {
    const from = tail.position.offset
    if (from >= network.log.length) return
    // Who goes on in a log that was written anew may believe himself alone; what he writes there is of an older generation.
    isOfThisLog = generation >= generationOf(network.log[0]?.value as Buffer)
    owner.fold(network.log.slice(from, from + count), onSeen)
    if (tail.position.generation > generation) throw new Behind()
  }

  const claim = () => {
    inFlight = true
    shadow = null
    const value = owner.claim(firstSource(tail, generation, commands))
    network.append(
      [value],
      (offset) => {
        inFlight = false
        if (offset === null) owner.lost()
        else owner.claimed(offset)
      },
      true,
    )
  }

  const decide = () => {
    const next = owner.decidedSource() + 1 - commands.begin
    if (next < 0) throw new SourceGap(owner.decidedSource() + 1, commands.begin)
    const batch = commands.records.slice(next, next + 1 + random.int(5))
    const under = tail.position.epoch
    if (world.snapshotDecided && owner.phase() === 'owning') shadow ??= copyOf(tail)
    const written = owner.decide(batch)
    if (written.length === 0) return
    const basis = shadow
    if (basis) for (const { envelope, payload } of written) evolveInto(basis, envelope, payload)
    inFlight = true
    const last = owner.decidedSource()
    network.append(
      written.map(({ envelope }) => sealEnvelope(envelope)),
      (offset) => {
        inFlight = false
        if (offset === null) return owner.lost()
        owner.appended(offset + written.length, last)
        if (!basis || basis !== shadow || random.chance(0.5)) return
        basis.position = { generation, offset: offset + written.length, epoch: under, last }
        takeSnapshot(basis)
      },
      false,
    )
  }

  const takeSnapshot = (fold: Fold) => {
    const whole = beginSnapshot(fold, `s${random.int(1e9)}`)
    while (!whole.step(10));
    snapshots.write(slot++, whole.finish())
  }

  const workOnSnapshot = () => {
    if (!snapshot) {
      if (tail.position.epoch >= 0) snapshot = beginSnapshot(tail, `s${random.int(1e9)}`)
      return
    }
    if (!snapshot.step(1)) return
    snapshots.write(slot++, snapshot.finish())
    snapshot = null
  }

  return {
    generation,
    step() {
      const kind = random.int(10)
      if (kind < 4) return read(1 + random.int(8))
      if (kind === 4 && !world.snapshotDecided) return workOnSnapshot()
      if (inFlight) return
      if (owner.phase() === 'reading') claim()
      else if (owner.phase() === 'owning') decide()
    },
    readAll: () => read(network.log.length),
    drained: () => owner.phase() === 'owning' && tail.position.last === endOf(commands) - 1,
    fold: () => tail,
  }
}

/** A later generation begins where im.commands lets it. */
function firstSource(tail: Fold, generation: number, commands: Commands): number {
  const { position } = tail
  const end = endOf(commands)
  if (generation === position.generation) return position.last + 1
  const next = position.generation < 0 ? commands.begin : position.last + 1
  return Math.min(Math.max(next, commands.begin), end)
}

function restored({ network, snapshots }: World): Fold {
  const first = network.log[0]?.value
  const logGeneration = first ? generationOf(first) : -1
  return snapshots.newest(logGeneration, network.log.length) ?? emptyFold()
}

function generationOf(value: Buffer): number {
  return openEnvelope(value).generation
}

function copyOf(fold: Fold): Fold {
  const streams = new Map([...fold.streams].map(([stream, state]) => [stream, cloneState(state)]))
  return { ...fold, streams, beforeChange: null }
}
