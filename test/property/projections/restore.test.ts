/** A log written anew from the archive: SCHEDULES random logs over random partition counts, some of them interrupted. */
import { expect, test } from 'vitest'
import { createMemoryLog, type MemoryLog } from '../../../infra/memory/log.ts'
import { createVirtualClock } from '../../../infra/memory/virtual-clock.ts'
import { emptyFold, type Fold, foldRecord } from '../../../processors/fold.ts'
import { createOwner } from '../../../processors/sequencer/owner.ts'
import { serializeState } from '../../../processors/state-text.ts'
import type { Archive, Stretch } from '../../../projections/restore/archive.ts'
import { type ArchivedRecord, recordHash, restamp } from '../../../projections/restore/restamp.ts'
import { type RewriteOptions, type Rewritten, rewrite } from '../../../projections/restore/rewrite.ts'
import { sealEnvelope } from '../../../schemas/codec.ts'
import { partitionOf } from '../../../schemas/ids.ts'
import { Fault } from '../../../schemas/ports.ts'
import type { EventPayload } from '../../../schemas/records.ts'
import { topics } from '../../../schemas/topics.ts'
import { commandOf, commandRecord, send, T0 } from '../../support/commands.ts'
import { asBuilt } from '../../support/partition-model/rules.ts'
import { logWriter } from '../../support/projections/log-writer.ts'
import { plainModel } from '../../support/projections/plain-model.ts'
import { createRandom, type Random } from '../../support/random.ts'

const SCHEDULES = Math.min(150, Number(process.env.SCHEDULES ?? 60))
const SEED = Number(process.env.LONGWIRE_SEED ?? 1)
const LATER = 60_000

interface Accepted extends ArchivedRecord {
  readonly value: EventPayload | null
}

/** What counts in a log, partition by partition, with the folds. */
function read(log: MemoryLog, partitions: number): { records: Accepted[]; folds: Fold[] } {
  const records: Accepted[] = []
  const folds = Array.from({ length: partitions }, (_, partition) => {
    const fold = emptyFold()
    for (const record of log.broker.read(topics.events, partition, 0, 1e9)) {
      const { verdict, envelope, payload } = foldRecord(fold, record)
      expect(verdict).not.toBe('missed-claim')
      if (verdict !== 'accept' || !envelope || envelope.kind === 'claim') continue
      records.push({ ...envelope, kind: envelope.kind, partition, value: payload })
    }
    return fold
  })
  return { records, folds }
}

/** An archive that holds these records, in pages of a few. */
function archiveOf(records: readonly ArchivedRecord[], random: Random): Pick<Archive, 'page'> {
  return {
    page: async (partition, after) =>
      records
        .filter((one) => one.partition === partition && one.generation === after.generation)
        .filter(({ source }) => source > after.source)
        .slice(0, 1 + random.int(40)),
  }
}

function stretchesOf(records: readonly ArchivedRecord[]): Stretch[] {
  const groups = Map.groupBy(records, ({ generation, partition }) => `${generation}/${partition}`)
  return [...groups.values()].map((some) => {
    const [first, last] = [some[0] as ArchivedRecord, some.at(-1) as ArchivedRecord]
    const { generation, partition } = first
    const place = { generation, partition, first: first.source, last: last.source, time: last.time }
    return { ...place, records: some.length, bytes: 100 * some.length, xor: 0n }
  })
}

/** The states of all streams, which name no partition. */
const statesOf = (folds: readonly Fold[]): string[] =>
  folds.flatMap((fold) => [...fold.streams.values()].map(serializeState)).sort()

const linesOf = (records: readonly Accepted[]): string[] =>
  records
    .map(({ stream, seq, ordinal, time, kind, payload }) =>
      [stream, seq, ordinal, time, kind, recordHash({ stream, seq, payload })].join(' '),
    )
    .sort()

/** Rewrites until it succeeds; each try may be cut by a lost answer, a lost request or a late one. */
async function restored(
  random: Random,
  options: Omit<RewriteOptions, 'store' | 'owner'>,
): Promise<{ log: MemoryLog; tries: number; result: Rewritten; hits: number }> {
  const clock = createVirtualClock(T0 + LATER)
  const log = createMemoryLog(clock)
  log.broker.createTopic(topics.events, options.partitions)
  for (let tries = 1; ; tries++) {
    const match = { topic: topics.events, partition: random.int(options.partitions) }
    // Some requests go well first: what is cut must have begun.
    if (tries < 4 && random.chance(0.6)) {
      log.faults.delayAppend(1, match, 1 + random.int(5))
      const fault = random.int(3)
      if (fault === 0) log.faults.dropResponse(match)
      else if (fault === 1) log.faults.failAppend(match)
      else log.faults.delayAppend(40_000 + random.int(60_000), match)
    }
    const store = log.process(`restore-${tries}`)
    let result: Rewritten | Fault | undefined
    const batchRecordsMax = 1 + random.int(20)
    rewrite({ ...options, store, owner: `restore-${tries}`, batchRecordsMax }).then(
      (done) => {
        result = done
      },
      (fault) => {
        result = fault
      },
    )
    expect(await clock.runUntil(() => result !== undefined, 600_000)).toBe(true)
    if (!(result instanceof Fault)) {
      // What was on its way still arrives.
      await clock.advance(200_000)
      if (result instanceof Error) throw result
      return { log, tries, result: result as Rewritten, hits: log.faults.hits() }
    }
    expect(result.code).toMatch(/append/)
  }
}

async function schedule(seed: number) {
  const random = createRandom(seed)
  const [before, after] = [1 + random.int(5), 1 + random.int(7)]
  const old = createMemoryLog(createVirtualClock())
  old.broker.createTopic(topics.events, before)
  const writer = logWriter(old.broker, before, random, plainModel())
  for (let i = 100 + random.int(300); i > 0; i--) writer.step()
  const was = read(old, before)
  const generation = 1 + random.int(3)
  const { log, tries, result, hits } = await restored(random, {
    archive: archiveOf(was.records, random),
    stretches: stretchesOf(was.records),
    partitions: after,
    generation,
  })
  expect(result.records).toBe(was.records.length)

  const is = read(log, after)
  expect(linesOf(is.records)).toEqual(linesOf(was.records))
  expect(statesOf(is.folds)).toEqual(statesOf(was.folds))
  for (const [partition, fold] of is.folds.entries()) {
    const records = is.records.filter((one) => one.partition === partition)
    expect(records.map(({ source }) => source)).toEqual(records.map((_, i) => i))
    expect(records.every((one) => partitionOf(one.stream, after) === partition)).toBe(true)
    expect(records.every((one, i) => one.time >= (records[i - 1]?.time ?? 0))).toBe(true)
    expect(fold.position.generation).toBe(generation)
  }
  goOn(is, generation + 1, random)
  return { tries, hits, found: result.found, grown: Number(after > before) }
}

/** A sequencer of the next generation, on fresh commands: the next message gets the next seq, an old packId its old answer. */
function goOn({ records, folds }: ReturnType<typeof read>, generation: number, random: Random): void {
  const sent = records.filter(
    ({ value, stream }) => value?.type === 'MessageSent' && stream.startsWith('p2p:'),
  )
  const one = sent.length > 0 ? random.pick(sent) : null
  const value = one?.value
  if (!one || value?.type !== 'MessageSent') return
  const tail = folds[one.partition] as Fold
  const owner = createOwner({ generation, owner: 'next', decide: random.pick(asBuilt.versions) }, tail)
  const state = tail.streams.get(one.stream)
  if (!state || state.broken) return
  const claim = owner.claim(0)
  const end = tail.position.offset
  owner.claimed(end)
  owner.fold([{ offset: end, key: null, value: claim, timestamp: 0 }])
  expect(owner.phase()).toBe('owning')
  expect(owner.decidedSource()).toBe(-1)
  const again = commandOf(one.stream, value.sender, value.packId, send('the same id'))
  const [repeat] = owner.decide([commandRecord(0, tail.now, again)])
  expect(repeat?.envelope).toMatchObject({ kind: 'repeat', source: 0, generation })
  expect(repeat?.payload).toMatchObject({ seq: one.seq, ordinal: one.ordinal, time: one.time })
}

test(`a restored log folds to what the lost one did, in ${SCHEDULES} logs from seed ${SEED}`, async () => {
  const sum = { tries: 0, hits: 0, found: 0, grown: 0 }
  for (let seed = SEED; seed < SEED + SCHEDULES; seed++) {
    try {
      for (const [name, count] of Object.entries(await schedule(seed))) sum[name as keyof typeof sum] += count
    } catch (error) {
      throw new Error(`seed ${seed}: ${String(error)}`, { cause: error })
    }
  }
  console.info(`restore: ${JSON.stringify({ from: SEED, schedules: SCHEDULES, ...sum })}`)
  if (SCHEDULES < 30) return
  expect(sum.tries).toBeGreaterThan(SCHEDULES)
  for (const name of ['hits', 'found', 'grown'] as const) expect(sum[name], name).toBeGreaterThan(0)
})

test('payload bytes, stream, seq, ordinal and time stay; the answer is for nobody any more', () => {
  const record: ArchivedRecord = {
    ...{ generation: 4, partition: 2, source: 77, kind: 'event', stream: 'g:team', seq: 9, ordinal: 7 },
    ...{ time: T0, trace: Buffer.alloc(16, 1), schema: Buffer.from('12345678'), payload: Buffer.from('x') },
  }
  const envelope = restamp(record, { generation: 5, epoch: 3, source: 12 })
  const { partition: _, ...rest } = record
  expect(envelope).toEqual({ ...rest, generation: 5, epoch: 3, source: 12, reply: null })
  expect(() => sealEnvelope(envelope)).not.toThrow()
})
