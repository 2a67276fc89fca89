/** What must hold of a partition at the end of any schedule, told from its log alone. */
import { emptyFold, type Fold, foldRecord } from '../../../processors/fold.ts'
import { restoreSnapshot } from '../../../processors/snapshot.ts'
import { serializeState } from '../../../processors/state-text.ts'
import { formatPosition, parsePosition } from '../../../schemas/accept.ts'
import type { Envelope, EventPayload } from '../../../schemas/records.ts'
import { type Clients, keyOf } from './clients.ts'
import type { Network } from './network.ts'
import { type Commands, endOf, type Worker, type World } from './worker.ts'

/** An invariant that did not hold. */
export class Violation extends Error {}

export interface Judged {
  accepted: number
  /** Records that did not count, by verdict: a model in which none is ever dropped proves nothing. */
  dropped: Record<string, number>
  repeats: number
  snapshots: number
}

interface Accepted {
  readonly offset: number
  readonly envelope: Envelope
  readonly payload: Exclude<EventPayload, { type: 'Claim' }>
}

export interface Case {
  readonly network: Network
  readonly commands: Commands
  readonly world: World
  readonly clients: Clients
  readonly last: Worker
  /** False for workers that claim nothing: there is no fold of theirs to compare. */
  readonly versioned: boolean
}

const must = (holds: boolean, what: string) => {
  if (!holds) throw new Violation(what)
}

export function judge(of: Case): Judged {
  const { network, world } = of
  const full = emptyFold()
  const accepted: Accepted[] = []
  const dropped: Record<string, number> = {}
  const stored: string[] = []
  const firstOf = new Map<number, number>()
  let now = 0
  for (const record of network.log) {
    const { verdict, envelope, payload, offset } = foldRecord(full, record)
    must(verdict !== 'missed-claim', 'a reader from 0 meets a claim that it never saw')
    stored.push(formatPosition(full.position))
    if (verdict === 'claim' && !firstOf.has(full.position.generation))
      firstOf.set(full.position.generation, full.position.last + 1)
    if (verdict !== 'accept') dropped[verdict] = (dropped[verdict] ?? 0) + 1
    if (verdict !== 'accept' || !envelope || !payload || payload.type === 'Claim') continue
    accepted.push({ offset, envelope, payload })
    must(envelope.time >= now, 'time steps back')
    now = envelope.time
  }
  checkSources(of, accepted, firstOf)
  checkNumbers(accepted)
  checkAnswers(of, accepted)
  const counted = new Set(accepted.map((one) => one.offset))
  for (const offset of world.seenAccepted)
    must(counted.has(offset), 'a worker acted on a record that does not count')
  checkReaders(of, full, stored, accepted)
  const repeats = accepted.filter(({ envelope }) => envelope.kind === 'repeat').length
  return { accepted: accepted.length, dropped, repeats, snapshots: world.snapshots.written.length }
}

/** Exactly one accepted record for each source of each generation, in order. */
function checkSources(
  { commands }: Case,
  accepted: readonly Accepted[],
  firstOf: ReadonlyMap<number, number>,
) {
  let generation = -1
  let next = 0
  for (const { envelope } of accepted) {
    if (envelope.generation !== generation) {
      must(envelope.generation > generation, 'generations go back')
      generation = envelope.generation
      next = firstOf.get(generation) ?? 0
    }
    must(envelope.source === next, `source ${envelope.source} is answered where ${next} should be`)
    next++
  }
  must(next === endOf(commands), `${endOf(commands)} commands end, ${next} are answered`)
}

/** Seq gapless from 1 and ordinal = count of messages, in every stream. */
function checkNumbers(accepted: readonly Accepted[]) {
  const heads = new Map<string, { seq: number; ordinal: number }>()
  for (const { envelope, payload } of accepted) {
    const head = heads.get(envelope.stream) ?? { seq: 0, ordinal: 0 }
    if (payload.type === 'MessageSent') head.ordinal++
    if (envelope.kind === 'event') {
      head.seq++
      must(envelope.seq === head.seq, `${envelope.stream}: seq ${envelope.seq} where ${head.seq} should be`)
    } else must(envelope.seq === 0, 'a seq on what is no event')
    must(
      envelope.ordinal === head.ordinal,
      `${envelope.stream}: ordinal ${envelope.ordinal}, not ${head.ordinal}`,
    )
    heads.set(envelope.stream, head)
  }
}

/** One event at most for each packId; what a repeat says is what was said first; a refused one never happens later. */
function checkAnswers({ clients }: Case, accepted: readonly Accepted[]) {
  const first = new Map<string, string>()
  const answered = new Set<string>()
  for (const { envelope, payload } of accepted) {
    const key = keyOf(envelope.stream, payload.sender, payload.packId)
    answered.add(key)
    if (payload.type === 'Rejection') {
      if (payload.code === 'pack_id_expired' || payload.code === 'pack_id_ahead') continue
      if (payload.code === 'bad_id' || payload.sender === '') continue
    }
    const said =
      payload.type === 'Repeat'
        ? answerText(payload.seq, payload.ordinal, payload.time, payload.code)
        : answerText(
            envelope.seq,
            envelope.ordinal,
            envelope.time,
            payload.type === 'Rejection' ? payload.code : null,
          )
    const before = first.get(key)
    if (payload.type === 'Repeat') must(before === said, `${key}: repeated as ${said}, first ${before}`)
    else must(before === undefined, `${key}: answered ${before}, then ${said}`)
    first.set(key, said)
  }
  for (const { key } of clients.issued()) must(key === null || answered.has(key), `${key} has no answer`)
}

const answerText = (seq: number, ordinal: number, time: number, code: string | null) =>
  `${seq}/${ordinal}@${time}:${code ?? 'committed'}`

/** Whoever began elsewhere holds the same: from each snapshot, from a stored position, and the last worker. */
function checkReaders(of: Case, full: Fold, stored: readonly string[], accepted: readonly Accepted[]) {
  const { network, world, last } = of
  const expected = textOf(full)
  if (of.versioned) must(textOf(last.fold()) === expected, 'the last worker holds another state')
  const oldest = parsePosition(stored[0])?.generation ?? 0
  for (const chunks of world.snapshots.written) {
    // Of a log that was written anew since: no reader of this one takes it.
    if ((chunks[0]?.generation ?? 0) < oldest) continue
    const fold = restoreSnapshot(chunks)
    for (const record of network.log.slice(fold.position.offset))
      must(foldRecord(fold, record).verdict !== 'missed-claim', 'a snapshot stands before a claim never seen')
    must(textOf(fold) === expected, 'a reader that began at a snapshot holds another state')
  }
  if (stored.length === 0) return
  // A position stored with a sink's own state; the log is delivered from somewhat before it.
  const at = world.random.int(stored.length)
  const fold = emptyFold(parsePosition(stored[at]) ?? undefined)
  const seen = network.log
    .slice(Math.max(0, at - 3))
    .filter((record) => foldRecord(fold, record).verdict === 'accept')
    .map((record) => record.offset)
  const behind = accepted.filter((one) => one.offset > at).map((one) => one.offset)
  must(seen.join() === behind.join(), 'a reader that began at its stored position accepts other records')
}

function textOf(fold: Fold): string {
  const states = [...fold.streams.values()].map(serializeState)
  return `${formatPosition(fold.position)} ${fold.now} ${states.sort().join('\n')}`
}
