/** What the archive holds of a user or of a conversation, as JSON Lines with a manifest by which anyone can tell that nothing was changed. */

import { FOLD_VERSION } from '../../processors/snapshot.ts'
import { isId, parseStream, userStream } from '../../schemas/ids.ts'
import { migrations } from '../archive/tables.ts'
import { archivedConversations, archivedEvents, type Recorded, sayingIn } from '../archived.ts'
import type { ContentOpener } from '../content-keys/follower.ts'
import { openRecords } from '../content-keys/open.ts'
import { type Fact, intervalsOf, mayRead } from '../directory/membership.ts'
import type { ArchivePort } from '../ports.ts'
import { recordHash, text64 } from '../verify/fingerprints.ts'
import type { FileFacts, LineFile } from './files.ts'

type Query = Pick<ArchivePort, 'query'>

export type Subject =
  | { readonly kind: 'user'; readonly id: string }
  | { readonly kind: 'conversation'; readonly id: string }

export interface ExportOptions {
  readonly clickhouse: Query
  /** Where logins stand. */
  readonly shared: Query
  readonly opener: Pick<ContentOpener, 'openedAll'>
  readonly generation: number
  readonly now: number
  open(name: string): Promise<LineFile>
  readonly signal?: AbortSignal
  readonly progress?: (records: number) => void
}

export interface Manifest {
  readonly form: 1
  readonly subject: Subject
  /** When it was made, in ISO form, and of which generation of the log. */
  readonly at: string
  readonly generation: number
  readonly foldVersions: { readonly snapshots: number; readonly archive: number }
  readonly files: readonly FileFacts[]
  readonly records: number
  readonly logins: number
  readonly types: Readonly<Record<string, number>>
  /** Broker times of the first and the last record, in ISO form. */
  readonly times: { readonly first: string; readonly last: string } | null
  readonly streams: readonly StreamFacts[]
  /** Where in the logs the records stand: the least and the greatest source and offset by generation and partition. */
  readonly positions: readonly PositionFacts[]
}

interface StreamFacts {
  readonly stream: string
  readonly records: number
  readonly firstSeq: number
  readonly lastSeq: number
  /** Of a group in a user's export: the seqs that he may read; null: to the end. */
  readonly intervals?: readonly { readonly from: number; readonly to: number | null }[]
}

interface PositionFacts {
  readonly generation: number
  readonly partition: number
  firstSource: number
  lastSource: number
  firstOffset: number
  lastOffset: number
}

const ALL_TIME = Number.MAX_SAFE_INTEGER
const STREAMS_AT_ONCE = 200

export async function exportOf(subject: Subject, options: ExportOptions): Promise<Manifest> {
  const { clickhouse } = options
  const streams = await streamsOf(subject, clickhouse)
  const records = await options.open('records.jsonl')
  const facts = new Map<string, { records: number; firstSeq: number; lastSeq: number; seen: number }>()
  const positions = new Map<string, PositionFacts>()
  const types: Record<string, number> = {}
  const times = { first: Number.POSITIVE_INFINITY, last: 0 }
  let count = 0
  const user = subject.kind === 'user' ? subject.id : null
  const intervals = user === null ? null : await intervalsOfUser(clickhouse, user)

  function note(recorded: Recorded): void {
    const { envelope, payload, partition, offset } = recorded
    const { stream, seq, generation, source, time } = envelope
    const of = facts.get(stream)
    if (of) {
      of.records += 1
      of.lastSeq = seq
    } else facts.set(stream, { records: 1, firstSeq: seq, lastSeq: seq, seen: seq })
    const key = `${generation}/${partition}`
    const at = positions.get(key)
    if (at) {
      at.firstSource = Math.min(at.firstSource, source)
      at.lastSource = Math.max(at.lastSource, source)
      at.firstOffset = Math.min(at.firstOffset, offset)
      at.lastOffset = Math.max(at.lastOffset, offset)
    } else
      positions.set(key, {
        ...{ generation, partition, firstSource: source, lastSource: source },
        ...{ firstOffset: offset, lastOffset: offset },
      })
    const type = payload?.type ?? 'unreadable'
    types[type] = (types[type] ?? 0) + 1
    times.first = Math.min(times.first, time)
    times.last = Math.max(times.last, time)
    count += 1
  }

  for (let at = 0; at < streams.length; at += STREAMS_AT_ONCE) {
    const changes = await lastChanges(clickhouse, streams.slice(at, at + STREAMS_AT_ONCE))
    let before: { readonly stream: string; readonly seq: number } = { stream: '', seq: 0 }
    await archivedEvents(clickhouse, streams.slice(at, at + STREAMS_AT_ONCE), ALL_TIME, async (portion) => {
      options.signal?.throwIfAborted()
      for (const recorded of await openRecords(options.opener)(portion)) {
        const { stream, seq } = recorded.envelope
        const expected = before.stream === stream ? before.seq + 1 : 1
        if (seq !== expected) throw new RangeError(lost(stream, expected, seq))
        before = { stream, seq }
        const isGroup = stream.startsWith('g:')
        if (intervals && isGroup && !mayRead(intervals.get(stream) ?? [], seq)) continue
        note(recorded)
        await records.line(lineOf(recorded, user, isSuperseded(recorded, changes)))
      }
      options.progress?.(count)
    })
  }
  if (count === 0) throw new RangeError(nothing(subject))
  const files = [await records.close()]
  let logins = 0
  if (user !== null) {
    const file = await options.open('logins.jsonl')
    logins = await exportLogins(options.shared, user, file)
    files.push(await file.close())
  }
  return {
    ...{ form: 1, subject, at: new Date(options.now).toISOString(), generation: options.generation },
    foldVersions: { snapshots: FOLD_VERSION, archive: migrations.at(-1)?.version ?? 0 },
    ...{ files, records: count, logins, types },
    times: { first: new Date(times.first).toISOString(), last: new Date(times.last).toISOString() },
    streams: [...facts].map(([stream, { records: n, firstSeq, lastSeq }]) => {
      const of = stream.startsWith('g:') ? intervals?.get(stream) : undefined
      const stays = of?.map(({ fromSeq, toSeq }) => ({ from: fromSeq, to: toSeq }))
      return { stream, records: n, firstSeq, lastSeq, ...(stays ? { intervals: stays } : {}) }
    }),
    positions: [...positions.values()],
  }
}

async function streamsOf({ kind, id }: Subject, clickhouse: Query): Promise<string[]> {
  if (kind === 'user') {
    if (!isId(id)) throw new RangeError(`'${id}' is no user id: letters, digits and _ . - , at most 64`)
    return [...(await archivedConversations(clickhouse, id)), userStream(id)]
  }
  if (parseStream(id) === null)
    throw new RangeError(
      `'${id}' is no conversation: p2p:<a>:<b> with the ids in their order, or g:<group id>`,
    )
  return [id]
}

/** Seq of the last edit or the recall, by conversation and message. */
async function lastChanges(
  clickhouse: Query,
  streams: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const rows = await clickhouse.query<{ conversation: string; target: string; last: string }>(
    `SELECT conversation, toString(target_seq) AS target, toString(max(changes.seq)) AS last FROM changes
     WHERE conversation IN {streams:Array(String)} GROUP BY conversation, target_seq`,
    { streams },
  )
  return new Map(rows.map(({ conversation, target, last }) => [`${conversation} ${target}`, Number(last)]))
}

/** What users no longer see is for auditors, each reading on the record. */
function isSuperseded(recorded: Recorded, changes: ReadonlyMap<string, number>): boolean {
  const { stream, seq } = recorded.envelope
  const saying = sayingIn(recorded)
  return saying !== null && (changes.get(`${stream} ${saying.of}`) ?? 0) > seq
}

/** By group. */
async function intervalsOfUser(clickhouse: Query, user: string) {
  const rows = await clickhouse.query<{ conversation: string; seq_: string; joined: boolean }>(
    `SELECT conversation, toString(seq) AS seq_, joined FROM membership WHERE user = {user:String}
     ORDER BY conversation, membership.seq LIMIT 1 BY conversation, membership.seq`,
    { user },
  )
  const facts = new Map<string, Fact[]>()
  for (const { conversation, seq_, joined } of rows) {
    const of = facts.get(conversation) ?? []
    facts.set(conversation, of)
    of.push({ joined, seq: Number(seq_), ordinal: 0 })
  }
  return new Map([...facts].map(([conversation, of]) => [conversation, intervalsOf(of)]))
}

/** Blocks, ended friendships and notes of others are not for this user: their place is there, what they say is not. */
const ofSenderOnly = new Set(['Blocked', 'FriendDeleted', 'JoinRequested'])

function lineOf(
  { partition, offset, envelope, payload }: Recorded,
  user: string | null,
  superseded: boolean,
): object {
  const { stream, seq, ordinal, time, kind, generation, epoch, source, schema } = envelope
  const origin = payload && payload.type !== 'Claim' ? payload : null
  const place = {
    ...{ stream, seq, ordinal, time: new Date(time).toISOString(), kind },
    ...{ generation, partition, offset, epoch, source },
  }
  const isOfSenderOnly = user !== null && payload && ofSenderOnly.has(payload.type) && origin?.sender !== user
  if (superseded || isOfSenderOnly) return { ...place, withheld: true }
  const { high, low } = recordHash(stream, seq, envelope.payload)
  return {
    ...place,
    type: payload?.type ?? null,
    data: payload && readable(payload),
    schema: schema.toString('hex'),
    payload: envelope.payload.toString('base64'),
    hash: text64(high, low),
  }
}

/** Bytes as text where they are some: contents are UTF-8, packIds are hexadecimal. */
function readable(value: unknown, name = ''): unknown {
  if (Buffer.isBuffer(value)) return name === 'content' ? value.toString('utf8') : value.toString('hex')
  if (Array.isArray(value)) return value.map((one) => readable(one))
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, of]) => (key === 'type' ? [] : [[key, readable(of, key)]])),
  )
}

const LOGINS_PER_PAGE = 5_000

async function exportLogins(shared: Query, user: string, file: LineFile): Promise<number> {
  let count = 0
  for (let after = { ms: '0', connection: '' }; ; ) {
    const rows = await shared.query<Record<string, string | number | null>>(
      `SELECT toString(toUnixTimestamp64Milli(login_at)) AS ms_, connection, device_id, device_type, gateway, boot, address, transport, ended,
         toString(toUnixTimestamp64Milli(ended_at)) AS ended_, toString(lived_ms) AS lived_
       FROM login_records WHERE user = {user:String}
         AND (toUnixTimestamp64Milli(login_at), connection) > ({ms:Int64}, {connection:String})
       ORDER BY login_at, connection LIMIT ${LOGINS_PER_PAGE}`,
      { user, ...after },
    )
    for (const { ms_, ended_, lived_, ...row } of rows) {
      const time = (ms: string | number | null | undefined) =>
        ms ? new Date(Number(ms)).toISOString() : null
      const lived = lived_ === null || lived_ === undefined ? null : Number(lived_)
      await file.line({ user, loginAt: time(ms_), ...row, endedAt: time(ended_), livedMs: lived })
    }
    count += rows.length
    const last = rows.at(-1)
    if (!last || rows.length < LOGINS_PER_PAGE) return count
    after = { ms: String(last.ms_), connection: String(last.connection) }
  }
}

const nothing = ({ kind, id }: Subject): string =>
  kind === 'user'
    ? `the archive holds nothing of a user '${id}': neither events of his own nor conversations`
    : `the archive holds no conversation '${id}'`

const lost = (stream: string, expected: number, seq: number): string =>
  `the archive lacks seq ${expected}${seq - 1 > expected ? ` to ${seq - 1}` : ''} of ${stream}: rows were lost, and half an export is none. Run npm run verify, and build the archive anew (npm run replay -- archive)`
