/**
 * The read models and a plain model of what a reader may and must know (decision 16), over random logs of a group whose members
 * and observers come and go, with the archive trailing behind. LONGWIRE_SEED=s replays the run that a failure names.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { systemClock } from '../../../infra/clock.ts'
import { type ReadModels, readModels } from '../../../projections/reads.ts'
import type { Item, Range } from '../../../schemas/frames.ts'
import { Fault } from '../../../schemas/ports.ts'
import { T0 } from '../../support/commands.ts'
import { startEngines } from '../../support/projections/engines.ts'
import { sinksOn } from '../../support/projections/sinks.ts'
import { streams } from '../../support/projections/streams.ts'
import { createRandom, type Random } from '../../support/random.ts'

const SEED = process.env.LONGWIRE_SEED
const seeds = SEED ? [Number(SEED)] : Array.from({ length: 6 }, (_, i) => i + 1)
/** Some logs are longer than the timeline and some have more changes than the index. */
const BURST = 1_010
const BURSTS = 0.4

/** Of all runs: void where it stays 0. */
const tally = { resets: 0, changes: 0, partial: 0 }

type Reads = Pick<ReadModels, 'history' | 'sync' | 'search'>
type Who = 'bob' | 'eve'
const WHO: readonly Who[] = ['bob', 'eve']

interface Event {
  readonly kind: 'message' | 'edited' | 'recalled' | 'other'
  readonly target: number
  readonly text: string | null
  /** Who reads this event. */
  readonly readers: ReadonlySet<Who>
  /** Who is in after it. */
  readonly isIn: ReadonlySet<Who>
}

let engines: Awaited<ReturnType<typeof startEngines<true>>>
let sinks: Awaited<ReturnType<typeof sinksOn>>
let models: ReadModels
let archiveOnly: ReadModels
const clock = { ...systemClock, now: () => T0 + 60_000 }
const away = { batch: () => Promise.reject(new Fault('away', 'away', { retriable: true })) }

beforeAll(async () => {
  engines = await startEngines({ clickhouse: true })
  sinks = await sinksOn(engines)
  models = readModels({ ...engines, partitions: 1, generation: 0, clock })
  archiveOnly = readModels({ ...engines, redis: away as never, partitions: 1, generation: 0, clock })
})
afterAll(async () => {
  sinks?.close()
  await engines?.stop()
})

const readsOf = (all: ReadModels, who: Who): Reads => (who === 'eve' ? all.observing : all)

/** A group of ann's, and all that happens in it. */
function groupLog(group: string, random: Random) {
  const log = streams()
  const events: Event[] = []
  const living: number[] = []
  const members = new Set<Who>(['bob'])
  const observers = new Set<Who>()
  const note = (kind: Event['kind'], target: number, text: string | null, change: () => void = () => {}) => {
    const before = [...members, ...observers]
    change()
    const isIn = new Set([...members, ...observers])
    events.push({ kind, target, text, readers: new Set([...before, ...isIn]), isIn })
  }
  const next = () => events.length + 1
  log.event(group, 'ann', 'GroupCreated', { members: ['ann', 'bob'] })
  note('other', 0, null)

  function say(): void {
    const text = `m${next()}v${next()}z`
    living.push(next())
    log.say(group, 'ann', text)
    note('message', next(), text)
  }
  function edit(seq: number): void {
    const text = `m${seq}v${next()}z`
    log.edit(group, 'ann', seq, text)
    note('edited', seq, text)
  }
  function recall(): void {
    const [seq] = living.splice(random.int(living.length), 1)
    log.recall(group, 'ann', seq as number)
    note('recalled', seq as number, null)
  }
  function move(who: Who): void {
    if (who === 'eve' && !members.has(who) && random.chance(0.7)) {
      const on = !observers.has(who)
      log.event(group, who, 'Observing', { on })
      note('other', 0, null, () => void (on ? observers.add(who) : observers.delete(who)))
    } else if (members.has(who)) {
      log.event(group, 'ann', 'MembersRemoved', { members: [who] })
      note('other', 0, null, () => void members.delete(who))
    } else {
      log.event(group, 'ann', 'MembersAdded', { members: [who] })
      note('other', 0, null, () => {
        members.add(who)
        observers.delete(who)
      })
    }
  }
  /** Mostly what is new, sometimes what the timeline holds no longer. */
  const some = () =>
    living[living.length - 1 - random.int(random.chance(0.7) ? Math.min(8, living.length) : living.length)]
  return {
    events,
    take: log.take,
    /** Ends as a member and an observer, who must then know everything. */
    comeBack() {
      for (const who of WHO) while (!members.has(who) && !observers.has(who)) move(who)
    },
    /** Recalls that leave the index of changes at once. */
    burst() {
      for (let i = 0; i < 20; i++) say()
      for (let i = 0; i < 10; i++) recall()
      const seq = living.at(-1) as number
      for (let i = 0; i < BURST; i++) edit(seq)
    },
    step() {
      const dice = random.int(100)
      const seq = some()
      if (dice < 50 || seq === undefined) say()
      else if (dice < 75) edit(seq)
      else if (dice < 88) recall()
      else move(random.pick(WHO))
    },
  }
}

type GroupLog = ReturnType<typeof groupLog>

/** What this reader may know when the log has come to `upTo`. */
function knowledge(events: readonly Event[], who: Who, upTo: number) {
  const seen = events.slice(0, upTo)
  const last = seen.findLastIndex(({ readers }) => readers.has(who)) + 1
  const end = seen.at(-1)?.isIn.has(who) ? upTo : last
  const mayRead = (seq: number): boolean => seen[seq - 1]?.readers.has(who) ?? false
  const texts = (seq: number): string[] =>
    seen
      .slice(0, end)
      .flatMap(({ kind, target, text }) =>
        target === seq && text !== null && kind !== 'recalled' ? [text] : [],
      )
  const isRecalled = (seq: number): boolean =>
    seen.some(({ kind, target }) => kind === 'recalled' && target === seq)
  return {
    end,
    mayRead,
    isRecalled,
    /** Every version that he may ever have been shown, the last one last. */
    texts,
    textOf: (seq: number): string | null => (isRecalled(seq) ? null : (texts(seq).at(-1) ?? null)),
    kindOf: (seq: number): Event['kind'] => seen[seq - 1]?.kind as Event['kind'],
  }
}
type Knowledge = ReturnType<typeof knowledge>

const textIn = (item: Pick<Item, 'content'> | null | undefined): string | null =>
  item?.content ? (JSON.parse(item.content) as { text: string }).text : null

/** One answer's page is a run without a hole of what he may read; `exact`: in the versions that he must be shown. */
function expectPage(known: Knowledge, items: readonly Item[], exact: boolean): void {
  for (const [i, item] of items.entries()) {
    const { seq, kind } = item
    expect(seq).toBe((items[0]?.seq ?? 0) + i)
    expect(seq, 'nothing beyond what he may know').toBeLessThanOrEqual(known.end)
    expect(kind === 'hidden', `seq ${seq} hidden`).toBe(!known.mayRead(seq))
    if (kind !== 'message') continue
    if (exact) expect(textIn(item), `text of seq ${seq}`).toBe(known.textOf(seq))
    else expectAllowed(known, seq, textIn(item))
  }
}

/** Older ones at most, where an answer says that it is partial; but never what was recalled or came later. */
function expectAllowed(known: Knowledge, seq: number, text: string | null): void {
  if (text === null) return
  expect(known.texts(seq), `text of seq ${seq}`).toContain(text)
  expect(known.isRecalled(seq), `seq ${seq} recalled`).toBe(false)
}

interface Device {
  readonly who: Who
  changesUpTo: number
  readonly shows: Map<number, string | null>
}

function heldRanges({ shows }: Device): Range[] {
  const ranges: { from: number; to: number }[] = []
  for (const seq of [...shows.keys()].sort((a, b) => a - b)) {
    const last = ranges.at(-1)
    if (last?.to === seq - 1) last.to = seq
    else ranges.push({ from: seq, to: seq })
  }
  return ranges
}

interface At {
  readonly group: string
  readonly known: Knowledge
  readonly reads: Reads
}

/** Asks until all is told; false: it is not to be had now. Afterwards all that the device shows is as it must be. */
async function syncs(device: Device, { group, known, reads }: At): Promise<boolean> {
  for (let tries = 0; tries < 12; tries++) {
    const { changesUpTo, shows } = device
    const answer = await reads.sync(device.who, group, { ranges: heldRanges(device), changesUpTo })
    if (answer.code !== null) throw new Error(answer.code)
    expect(answer.changesUpTo).toBeLessThanOrEqual(known.end)
    device.changesUpTo = answer.changesUpTo
    if (answer.reset) {
      tally.resets++
      shows.clear()
      return true
    }
    let before = 0
    for (const change of answer.changes) {
      const target = change.targetSeq ?? 0
      expect(change.seq).toBeGreaterThan(before)
      before = change.seq
      expect(shows.has(target) && known.mayRead(target), `change of seq ${target}`).toBe(true)
      if (change.kind === 'edited') {
        expect(change.seq).toBeLessThanOrEqual(known.end)
        expectAllowed(known, target, textIn(change))
      }
      if (change.seq > changesUpTo || textIn(change) === null) shows.set(target, textIn(change))
      tally.changes++
    }
    if (answer.partial) continue
    for (const [seq, text] of shows)
      if (known.kindOf(seq) === 'message' && known.mayRead(seq))
        expect(text, `shows seq ${seq}`).toBe(known.textOf(seq))
    return true
  }
  return false
}

/** Holds what a whole answer brought. */
async function readsPage(
  device: Device,
  { group, known, reads }: At,
  ask: { before?: number; after?: number; limit: number },
): Promise<Item[]> {
  const page = await reads.history(device.who, group, ask).catch((err: unknown) => {
    if (err instanceof Fault) return null
    throw err
  })
  if (page === null) return []
  if (page.code !== null) throw new Error(page.code)
  expect(page.toSeq).toBe(known.end)
  expectPage(known, page.items, !page.partial)
  if (page.partial) tally.partial++
  if (page.partial) return []
  const before = device.shows.size
  for (const item of page.items) device.shows.set(item.seq, textIn(item))
  device.changesUpTo = before === 0 ? page.toSeq : Math.min(device.changesUpTo, page.toSeq)
  return page.items
}

/** One moment: the live models at `live`, the archive at `archived`. */
async function visit(
  device: Device,
  group: string,
  events: readonly Event[],
  random: Random,
  count: number,
): Promise<void> {
  const live = events.length
  const known = knowledge(events, device.who, live)
  if (known.end === 0) return
  const at: At = { group, known, reads: readsOf(models, device.who) }
  if (random.chance(0.7)) await syncs(device, at)
  for (let n = 0; n < count; n++) {
    // A burst of edits is long and says little.
    const edge = 1 + random.int(random.chance(0.5) ? live : Math.min(live, 300))
    const limit = 1 + random.int(60)
    await readsPage(device, at, random.chance(0.5) ? { before: edge, limit } : { after: edge, limit })
  }
  await expectPreview(device.who, group, known)
  const seq = 1 + random.int(live)
  await expectFound(
    at,
    device.who,
    random.pick([...knowledge(events, 'bob', events.length).texts(seq), `m${seq}v`]),
    false,
  )
}

async function expectPreview(who: Who, group: string, known: Knowledge): Promise<void> {
  const { partial, conversations } = await models.conversations(who, { limit: 1 })
  const entry = conversations.find(({ conversationId }) => conversationId === group)
  if (!entry?.preview) return
  const { seq } = entry.preview
  expect(known.mayRead(seq), `preview of seq ${seq}`).toBe(true)
  if (partial) expectAllowed(known, seq, textIn(entry.preview))
}

async function expectFound(
  { group, known, reads }: At,
  who: Who,
  query: string,
  exact: boolean,
): Promise<void> {
  const answer = await reads.search(who, { query, conversationId: group, limit: 100 })
  if (answer.code !== null) throw new Error(answer.code)
  for (const item of answer.items) {
    expect(known.mayRead(item.seq), `found seq ${item.seq}`).toBe(true)
    expectAllowed(known, item.seq, textIn(item))
    expect(textIn(item)).toContain(query)
  }
  if (!exact) return
  expect(answer.partial).toBe(false)
  const seq = Number(/^m(\d+)v/.exec(query)?.[1])
  const findable = known.mayRead(seq) && known.textOf(seq)?.includes(query)
  expect(
    answer.items.map((item) => item.seq),
    `found by ${query}`,
  ).toEqual(findable ? [seq] : [])
}

/** While Redis is away the archive says what it knows, of a reader as it knows him. */
async function visitArchive(
  who: Who,
  group: string,
  events: readonly Event[],
  archived: number,
): Promise<void> {
  const known = knowledge(events, who, archived)
  const page = await readsOf(archiveOnly, who)
    .history(who, group, { limit: 200 })
    .catch(() => null)
  if (page === null || page.code !== null) return
  expect(page.partial).toBe(true)
  expectPage(known, page.items, true)
}

/** All that he may know, page by page and by search, and all that his device shows. */
async function atTheEnd(device: Device, group: string, events: readonly Event[], random: Random) {
  const { who } = device
  const known = knowledge(events, who, events.length)
  if (known.end === 0) return
  const at: At = { group, known, reads: readsOf(models, who) }
  expect(await syncs(device, at), 'the sync comes to an end').toBe(true)
  const walked: number[] = []
  for (let after = 0; after < known.end; after = walked.at(-1) as number) {
    const items = await readsPage(device, at, { after, limit: 1 + random.int(200) })
    expect(items.length, `a whole page after ${after}`).toBeGreaterThan(0)
    walked.push(...items.map(({ seq }) => seq))
  }
  const first = walked[0] as number
  expect(walked).toEqual(Array.from({ length: known.end - first + 1 }, (_, i) => first + i))
  for (let seq = 1; seq < first; seq++) expect(known.mayRead(seq)).toBe(false)
  expect(await syncs(device, at)).toBe(true)
  await visitArchive(who, group, events, events.length)
  for (let n = 0; n < 6; n++) {
    const seq = 1 + random.int(events.length)
    const said = events.flatMap(({ target, text }) => (target === seq && text ? [text] : []))
    for (const text of new Set([said[0], said.at(-1), known.texts(seq).at(-1)]))
      if (text) await expectFound(at, who, text, true)
  }
}

/** Writes on in rounds; after each, live has come to its end and the archive to `archived`. */
async function* rounds(log: GroupLog, random: Random): AsyncGenerator<{ archived: number; reads: number }> {
  const trailing: ReturnType<GroupLog['take']> = []
  const count = 6 + random.int(6)
  const burstAt = random.chance(BURSTS) ? 2 + random.int(count - 2) : -1
  let archived = 0
  async function write(share: number): Promise<void> {
    const fresh = log.take()
    trailing.push(...fresh)
    const now = trailing.splice(0, Math.floor(trailing.length * share))
    archived += now.length
    await sinks.put(fresh, [sinks.live])
    await sinks.put(now, [sinks.archive])
  }
  for (let round = 0; round < count; round++) {
    for (let n = random.int(60); n > 0; n--) log.step()
    const bursts = round === burstAt
    await write(bursts || random.chance(0.4) ? 1 : random.next())
    if (bursts) {
      log.burst()
      await write(0)
    }
    yield { archived, reads: bursts ? 8 : 1 + random.int(3) }
  }
  if (random.chance(0.6)) log.comeBack()
  await write(1)
}

test.each(seeds)(
  'what readers are told is what they may know, and all of it (LONGWIRE_SEED=%i)',
  async (seed) => {
    const random = createRandom(seed)
    const group = `g:sync${seed}`
    const log = groupLog(group, random)
    const devices = WHO.map((who): Device => ({ who, changesUpTo: 0, shows: new Map() }))
    for await (const { archived, reads } of rounds(log, random))
      for (const device of devices) {
        if (reads > 3 || random.chance(0.8)) await visit(device, group, log.events, random, reads)
        if (random.chance(0.3)) await visitArchive(device.who, group, log.events, archived)
      }
    for (const device of devices) await atTheEnd(device, group, log.events, random)
  },
)

test.skipIf(SEED !== undefined)('enough of it happened', () => {
  for (const [what, count] of Object.entries(tally)) expect(count, what).toBeGreaterThan(0)
})
