/** The reference model: what follows from the records of im.events that count. */
import { createHash } from 'node:crypto'
import { type Accepted, judge, type Partition } from './accept.ts'
import type { Row, Schemas } from './avro.ts'
import { answersRubbish, compareWithCommand, readCommands } from './commands.ts'
import { inClear, type Opener } from './keys.ts'
import { createRules, type Rules } from './rules.ts'
import type { Find, Finding, Raw } from './types.ts'

export interface Interval {
  readonly from: number
  readonly to: number
  /** Messages of the conversation before the join. */
  readonly ordinal: number
}

/** What a message said from one event on: its own, or that of an edit. */
export interface Version {
  readonly seq: number
  /** See hashOfText. Of one that was erased: what its sender was told stands there. */
  readonly hash: string
  /** Nobody can open it any more. */
  readonly erased: boolean
  readonly mentions: readonly string[]
  readonly mentionAll: boolean
}

export interface Message {
  readonly seq: number
  readonly ordinal: number
  readonly sender: string
  readonly packId: string
  readonly time: number
  /** The one it was sent with first. */
  readonly versions: Version[]
  /** Seq of its recall, or null. */
  recalledBy: number | null
}

export interface Stream {
  readonly name: string
  readonly events: Accepted[]
  readonly messages: Map<number, Message>
  readonly members: Map<string, Interval[]>
  readonly rules: Rules
}

export interface Model {
  readonly accepted: Accepted[]
  readonly partitions: Map<number, Partition>
  readonly streams: Map<string, Stream>
  /** user → conversation → the furthest mark. */
  readonly reads: Map<string, Map<string, { seq: number; ordinal: number }>>
  readonly findings: Finding[]
  /** Place of rubbish in im.commands → code with which it was refused. */
  readonly refusedRubbish: Map<string, string>
}

/** First 16 hex digits of SHA-256: names a body that is unique by itself. */
export const hashOfText = (text: string): string =>
  createHash('sha256').update(text, 'utf8').digest('hex').slice(0, 16)

/** Hash of the text whose sender was told that it is this event of this stream. */
export type Said = (stream: string, seq: number) => string | undefined

/** Folds both topics; records may come in any order of partitions, but by offset within one. */
export function foldLog(
  schemas: Schemas,
  commands: readonly Raw[],
  events: readonly Raw[],
  poison: ReadonlySet<string> = new Set(),
  open: Opener = inClear,
  said: Said = () => undefined,
): Model {
  const findings: Finding[] = []
  const find: Find = (kind, detail) => void findings.push({ kind, detail })
  const model: Model = {
    accepted: [],
    partitions: new Map(),
    streams: new Map(),
    reads: new Map(),
    findings,
    refusedRubbish: new Map(),
  }
  const asked = readCommands(schemas, commands, poison, find)
  const first = new Map<string, Accepted>()
  for (const record of events) {
    const at = partitionOf(model, record.partition)
    if (poison.has(`im.events ${record.partition}/${record.offset}`)) continue
    const accepted = judge(schemas, at, record, find)
    if (!accepted) continue
    if (answersRubbish(asked, accepted, find)) {
      model.accepted.push(accepted)
      model.refusedRubbish.set(
        `im.commands ${accepted.partition}/${accepted.source}`,
        String(accepted.row.code),
      )
      continue
    }
    compareWithCommand(asked, accepted, find)
    fold(model, first, accepted, { open, said }, find)
  }
  for (const [partition, { end }] of asked) {
    const last = model.partitions.get(partition)?.last ?? -1
    if (last !== end - 1)
      find('unanswered', `partition ${partition}: ${end} commands, answered up to ${last}`)
  }
  return model
}

function partitionOf(model: Model, partition: number): Partition {
  let at = model.partitions.get(partition)
  if (!at) {
    const counts = { claims: 0, stale: 0, duplicates: 0, holes: 0 }
    at = { generation: -1, epoch: -1, last: -1, time: 0, claimTimes: [], ...counts }
    model.partitions.set(partition, at)
  }
  return at
}

interface Contents {
  readonly open: Opener
  readonly said: Said
}

function fold(
  model: Model,
  first: Map<string, Accepted>,
  record: Accepted,
  contents: Contents,
  find: Find,
): void {
  model.accepted.push(record)
  const { stream: name, seq, ordinal, type, row } = record
  const place = `${name} seq ${seq} (im.events ${record.partition}/${record.offset})`
  // The same packId by the same sender is the same command, wherever it turns up in the stream.
  const key = `${name}|${record.sender}|${record.packId}`
  const before = first.get(key)
  if (record.kind === 'repeat') {
    const right = before && (before.kind === 'event' ? row.seq === before.seq : row.code === before.row.code)
    if (!right) find('wrong-repeat', `${place}: packId ${record.packId}`)
    return
  }
  if (before)
    find('duplicated', `${place}: packId ${record.packId} is ${before.stream} seq ${before.seq} too`)
  const passing = type === 'Rejection' && (row.code === 'pack_id_ahead' || row.code === 'pack_id_expired')
  if (!before && !passing) first.set(key, record)
  if (record.kind !== 'event') return
  const stream = streamOf(model, name)
  const previous = stream.events.at(-1)
  if (seq !== (previous?.seq ?? 0) + 1) find('gap', `${place} follows seq ${previous?.seq ?? 0}`)
  const message = type === 'MessageSent'
  if (ordinal !== (previous?.ordinal ?? 0) + (message ? 1 : 0))
    find('gap', `${place}: ordinal ${ordinal} follows ${previous?.ordinal ?? 0}`)
  stream.events.push(record)
  apply(model, stream, record, contents, find)
}

function streamOf(model: Model, name: string): Stream {
  let stream = model.streams.get(name)
  if (!stream) {
    stream = { name, events: [], messages: new Map(), members: new Map(), rules: createRules(name) }
    const [kind, a, b] = name.split(':')
    if (kind === 'p2p' && a && b)
      for (const user of [a, b]) stream.members.set(user, [{ from: 1, to: Infinity, ordinal: 0 }])
    model.streams.set(name, stream)
  }
  return stream
}

function apply(model: Model, stream: Stream, record: Accepted, contents: Contents, find: Find): void {
  const { seq, type, row, sender } = record
  const forbidden = stream.rules.objection(record, stream.messages)
  if (forbidden !== null)
    find('forbidden', `${stream.name} seq ${seq}: ${type} by ${sender}, who ${forbidden}`)
  stream.rules.note(record)
  if (type === 'ReadMarked') mark(model, record)
  else if (type === 'GroupCreated' || type === 'MembersAdded') join(stream, record, row.members as string[])
  else if (type === 'JoinAnswered' && row.accept) join(stream, record, [String(row.user)])
  else if (type === 'MembersRemoved') leave(stream, seq, row.members as string[])
  else if (type === 'MessageSent') {
    const { ordinal, packId, time } = record
    const versions = [versionOf(stream, seq, row, contents)]
    stream.messages.set(seq, { seq, ordinal, sender, packId, time, versions, recalledBy: null })
  } else if (type === 'MessageEdited' || type === 'MessageRecalled') {
    const message = stream.messages.get(Number((row.target as Row).seq))
    if (type === 'MessageEdited') message?.versions.push(versionOf(stream, seq, row, contents))
    else if (message) message.recalledBy = seq
  }
}

function mark(model: Model, { sender, row }: Accepted): void {
  const marks = model.reads.get(sender) ?? new Map<string, { seq: number; ordinal: number }>()
  model.reads.set(sender, marks)
  marks.set(String(row.conversationId), { seq: Number(row.seq), ordinal: Number(row.ordinal) })
}

const isIn = (stream: Stream, user: string) => stream.members.get(user)?.at(-1)?.to === Infinity

function join(stream: Stream, { seq, ordinal }: Accepted, users: readonly string[]): void {
  for (const user of users) {
    const intervals = stream.members.get(user) ?? []
    stream.members.set(user, intervals)
    if (!isIn(stream, user)) intervals.push({ from: seq, to: Infinity, ordinal })
  }
}

function leave(stream: Stream, seq: number, users: readonly string[]): void {
  for (const user of users) {
    const open = isIn(stream, user) ? stream.members.get(user)?.pop() : undefined
    if (open) stream.members.get(user)?.push({ ...open, to: seq })
  }
}

const versionOf = ({ name }: Stream, seq: number, row: Row, { open, said }: Contents): Version => {
  const hash = hashOfContent(row, open)
  return {
    seq,
    hash: hash ?? said(name, seq) ?? `erased: ${name} seq ${seq}`,
    erased: hash === null,
    mentions: row.mentions as string[],
    mentionAll: row.mentionAll === true,
  }
}

function hashOfContent(row: Row, open: Opener): string | null {
  try {
    const content = open(row)
    if (content === null) return null
    const { text } = JSON.parse(content.toString('utf8')) as { text?: unknown }
    return typeof text === 'string' ? hashOfText(text) : 'no-text'
  } catch (err) {
    return `unreadable: ${(err as Error).message}`
  }
}

/** Something that it said at any time was erased. */
export const isErased = (message: Message | undefined): boolean =>
  message?.versions.some(({ erased }) => erased) === true

/** May this user see that seq? Join and leave themselves are visible. */
export const visible = (stream: Stream, user: string, seq: number): boolean =>
  (stream.members.get(user) ?? []).some(({ from, to }) => seq >= from && seq <= to)

/** What a message says now: the last version, unless it was recalled. */
export const currentOf = (message: Message): Version | null =>
  message.recalledBy === null ? (message.versions.at(-1) ?? null) : null

/** A user knows what was said up to the end of his last stay; without end while he is in. */
export const knownUpTo = (stream: Stream, user: string): number =>
  Math.max(0, ...(stream.members.get(user) ?? []).map(({ to }) => to))

/** What a message says for a user: the last version that he may know, unless it was recalled at whatever time. */
export const knownOf = (stream: Stream, user: string, message: Message): Version | null =>
  message.recalledBy === null
    ? (message.versions.findLast(({ seq }) => seq <= knownUpTo(stream, user)) ?? null)
    : null
