/**
 * A restore from its checks to its completion. Everything that could refuse it comes before the first change; from the record
 * `restoring` on, the same command with the same settings goes on where it stopped.
 */
import { type Clock, Fault, type LogAdmin, type LogStore, sleepOf } from '../../schemas/ports.ts'
import type { LogGeneration } from '../../schemas/records.ts'
import { sharedTopics, topics } from '../../schemas/topics.ts'
import type { Archive, Stretch } from './archive.ts'
import { appendGeneration, readGenerations } from './generations.ts'
import { rewrite } from './rewrite.ts'
import {
  type Answered,
  compareWithLog,
  firstGenerations,
  type Standing,
  standingOf,
  stillRunning,
  unansweredIn,
} from './standing.ts'

/** A database that holds an archive. */
export interface Candidate {
  readonly database: string
  readonly records: number
  /** Of its newest record. */
  readonly generation: number
}

/** What is being done; `check` counts stretches, the others records. */
export type Phase = 'check' | 'compare' | 'write' | 'verify'

export interface RestoreOptions {
  readonly store: LogStore
  readonly clock: Clock
  /** Archives that there are, and one of them opened. */
  readonly candidates: () => Promise<readonly Candidate[]>
  readonly archiveIn: (database: string) => Archive
  /** Restore from this one; null: from the newest. */
  readonly database: string | null
  /** LONGWIRE_GENERATION: that of the logs that were lost, or a later one. */
  readonly generation: number
  readonly partitions: number
  /** Logs that stand may be given up, where the archive has all of them. */
  readonly replace: boolean
  readonly by: string
  /** Writes im.schemas back, without which another release's records cannot be read. Answers how many texts were missing there. */
  readonly restoreSchemas: () => Promise<number>
  /** Writes im.keys back, without which nobody can read the contents. Answers how many keys were missing there. */
  readonly restoreKeys: () => Promise<number>
  /** Makes the read models of the new logs be built afresh, beside those of the old. */
  readonly startAfresh: (generation: number) => Promise<void>
  readonly say: (line: string) => void
  readonly progress: (phase: Phase, done: number, of: number) => void
  readonly signal?: AbortSignal
}

export interface Restored {
  readonly generation: number
  readonly partitions: number
  readonly records: number
  /** Written by an earlier try. */
  readonly found: number
  /** Time of the newest record, in ms. */
  readonly until: number
  /** Commands that had been accepted and have no record: their senders send them again. */
  readonly unanswered: number
}

/** Why nothing was restored, in words that say what to do. */
export class RestoreRefused extends Error {
  override readonly name = 'RestoreRefused'
}

const WRITERS_GONE_MS = 15_000
const LOOK_MS = 1_000
const TOPIC_GONE_MS = 30_000
const TOPIC_LED_MS = 30_000
/** What is numbered by sources and offsets. */
const REPLACED = [topics.commands, topics.events, topics.snapshots] as const

export async function restore(options: RestoreOptions): Promise<Restored> {
  const { store, clock, say } = options
  const target = options.generation + 1
  const begun = begunOf(await readGenerations(store), options)
  const database = begun?.archive ?? (await chosen(options))
  const archive = options.archiveIn(database)
  const stretches = await sound(archive, options)
  const records = stretches.reduce((sum, one) => sum + one.records, 0)
  const until = stretches.reduce((newest, { time }) => Math.max(newest, time), 0)
  const size = `${records} records up to ${new Date(until).toISOString()}`
  say(`the archive in ${database} is whole: ${size}, in ${stretches.length} stretches`)
  await nobodyWrites(options)
  const unanswered = begun ? 0 : await mayBeReplaced(stretches, options)

  const { partitions, by } = options
  const at = { generation: target, partitions, records, archive: database, by }
  const admin = await store.admin()
  try {
    await admin.ensureTopics(sharedTopics(partitions).filter(({ name }) => name === topics.generations))
    if (begun) say(`going on with the restore that ${begun.by} began at ${new Date(begun.at).toISOString()}`)
    else await appendGeneration(store, { ...at, state: 'restoring', at: clock.now() })
    await clear(admin, target, options)
    await admin.ensureTopics(sharedTopics(partitions))
    const schemas = await onceLed(options.restoreSchemas, clock)
    if (schemas > 0) say(`${schemas} schemas were missing in ${topics.schemas} and stand there`)
    const keys = await onceLed(options.restoreKeys, clock)
    if (keys > 0) say(`${keys} keys of contents were missing in ${topics.keys} and are there again`)
  } finally {
    await admin.close()
  }
  const { found } = await rewrite({
    ...{ store, archive, stretches, partitions, generation: target, owner: `restore of ${by}` },
    signal: options.signal,
    progress: (phase, done) => options.progress(phase, done, records),
  })
  await options.startAfresh(target)
  await appendGeneration(store, { ...at, state: 'complete', at: clock.now() })
  return { generation: target, partitions, records, found, until, unanswered }
}

/** The restore that was begun and is to be gone on with; null: none was. */
function begunOf(all: readonly LogGeneration[], options: RestoreOptions): LogGeneration | null {
  const newest = all.at(-1)
  const target = options.generation + 1
  if (!newest) return null
  if (newest.state === 'complete') {
    if (target > newest.generation) return null
    throw new RestoreRefused(
      `the logs were restored as generation ${newest.generation} already: start with LONGWIRE_GENERATION=${newest.generation + 1} LONGWIRE_PARTITIONS=${newest.partitions}`,
    )
  }
  if (newest.generation !== target || newest.partitions !== options.partitions)
    throw new RestoreRefused(
      `a restore as generation ${newest.generation} with ${newest.partitions} partitions was begun and is not complete: go on with it, with LONGWIRE_GENERATION=${newest.generation - 1} and --partitions ${newest.partitions}`,
    )
  return newest
}

async function chosen({ candidates, database }: RestoreOptions): Promise<string> {
  const all = (await candidates()).filter(({ records }) => records > 0)
  const names = all.map((one) => one.database).join(', ')
  if (database !== null && !all.some((one) => one.database === database))
    throw new RestoreRefused(
      `the database ${database} holds no archive; ${names === '' ? 'no other one does' : `these do: ${names}`}`,
    )
  const newest = all.reduce<Candidate | null>((best, one) => (best && !isNewer(one, best) ? best : one), null)
  if (!newest)
    throw new RestoreRefused(
      'the archive holds no records: there is nothing to restore. Look at LONGWIRE_CLICKHOUSE and LONGWIRE_CLICKHOUSE_DATABASE',
    )
  return database ?? newest.database
}

const isNewer = (one: Candidate, than: Candidate): boolean =>
  one.generation > than.generation || (one.generation === than.generation && one.records > than.records)

/** A log with holes would be a log of which nothing that is promised holds: who may read, what is unread, which seq is next. */
async function sound(archive: Archive, { generation, progress }: RestoreOptions): Promise<Stretch[]> {
  const stretches = await archive.stretches()
  const newest = stretches.reduce((max, one) => Math.max(max, one.generation), 0)
  if (newest > generation)
    throw new RestoreRefused(
      `LONGWIRE_GENERATION is ${generation}, but the archive's newest records are of generation ${newest}: set it to ${newest}`,
    )
  const faults = await archive.faults(stretches, (done) => progress('check', done, stretches.length))
  if (faults.length > 0)
    throw new RestoreRefused(
      `the archive is not whole, and nothing was changed:\n${lines(faults)}\nput the missing rows back into \`events\` from a backup or another copy of the archive, and run this again`,
    )
  return stretches
}

const lines = (some: readonly string[]): string => some.map((line) => `  ${line}`).join('\n')

async function nobodyWrites({ store, clock, say, signal }: RestoreOptions): Promise<void> {
  for (let waited = 0; ; waited += LOOK_MS) {
    const running = await stillRunning(store, clock)
    if (running.length === 0) return
    if (waited >= WRITERS_GONE_MS || signal?.aborted)
      throw new RestoreRefused(
        `still running: ${running.join(', ')}. Stop all gateways, processors and projections first`,
      )
    if (waited === 0) say(`waiting for ${running.join(', ')} to be gone`)
    await sleepOf(clock)(LOOK_MS)
  }
}

/** Refuses where something would be lost by it that the archive does not have. Answers how many commands have no record. */
async function mayBeReplaced(stretches: readonly Stretch[], options: RestoreOptions): Promise<number> {
  const { store, replace, say } = options
  const events = await standingOf(store, topics.events)
  const commands = await standingOf(store, topics.commands)
  if (events.isEmpty && commands.isEmpty) return 0
  if (!replace)
    throw new RestoreRefused(
      `${events.isEmpty ? topics.commands : topics.events} is not empty. To give up the logs that stand for those of the archive, say --replace; it is refused where the archive has not all of them`,
    )
  const answered = events.isEmpty
    ? archivedUpTo(stretches, commands)
    : await compared(events, stretches, options)
  if (commands.isEmpty) return 0
  const { count, shown } = await unansweredIn(store, commands, answered)
  if (count === 0) return 0
  if (!events.isEmpty)
    throw new RestoreRefused(
      `${count} commands in im.commands have no record yet: start the processors, let them finish, stop them, and run this again`,
    )
  say(
    `${count} accepted commands have no record in the archive; their senders send them again when they reconnect:\n${lines(shown)}`,
  )
  return count
}

async function compared(
  events: Standing,
  stretches: readonly Stretch[],
  { store, progress, signal }: RestoreOptions,
): Promise<Answered> {
  const total = events.ranges.reduce((sum, { end }) => sum + end, 0)
  progress('compare', 0, total)
  const { faults, answered } = await compareWithLog(store, events, stretches, signal)
  if (faults.length > 0)
    throw new RestoreRefused(
      `the archive has not all of im.events, and nothing was changed:\n${lines(faults)}\nstart the projections, wait until their lag is 0, stop all, and run this again`,
    )
  return answered
}

/** im.events is lost: what the archive has of the newest generation tells how far the commands were answered. */
function archivedUpTo(stretches: readonly Stretch[], { partitions }: Standing): Answered {
  const newest = Math.max(...stretches.map(({ generation }) => generation))
  return Array.from({ length: partitions }, (_, partition) => {
    const of = stretches.find((one) => one.generation === newest && one.partition === partition)
    return (of?.last ?? -1) + 1
  })
}

/** Deletes what is not of this restore, so that fresh topics can take its place. */
async function clear(
  admin: LogAdmin,
  target: number,
  { store, partitions, clock }: RestoreOptions,
): Promise<void> {
  const events = await standingOf(store, topics.events)
  const isOurs =
    events.partitions === partitions &&
    [...(await firstGenerations(store, events))].every((generation) => generation === target)
  for (const topic of REPLACED) {
    const standing = topic === topics.events ? events : await standingOf(store, topic)
    const keeps = topic === topics.events ? isOurs : standing.isEmpty && standing.partitions === partitions
    if (standing.partitions === 0 || keeps) continue
    await admin.deleteTopic(topic)
    for (let waited = 0; (await admin.listTopics()).includes(topic); waited += LOOK_MS) {
      if (waited >= TOPIC_GONE_MS)
        throw new Fault('topic_not_deleted', `${topic} is still there`, { retriable: true })
      await sleepOf(clock)(LOOK_MS)
    }
  }
}

/** Topics that were just created have no leader yet. */
async function onceLed(restoreTopic: () => Promise<number>, clock: Clock): Promise<number> {
  for (let waited = 0; ; waited += LOOK_MS) {
    try {
      return await restoreTopic()
    } catch (err) {
      if (!(err instanceof Fault && err.retriable) || waited >= TOPIC_LED_MS) throw err
      await sleepOf(clock)(LOOK_MS)
    }
  }
}
