/** Records as the archive holds them, in the form in which they stood in the log. */
import { decodeEventPayload } from '../schemas/codec.ts'
import type { Envelope, EventPayload, PayloadOf } from '../schemas/records.ts'
import type { ArchivePort } from './ports.ts'

/** An accepted record with its place, wherever it was read. */
export interface Recorded {
  readonly partition: number
  readonly offset: number
  readonly envelope: Pick<
    Envelope,
    'kind' | 'generation' | 'epoch' | 'source' | 'stream' | 'seq' | 'ordinal' | 'time' | 'schema' | 'payload'
  >
  /** Null where this release cannot read it. */
  readonly payload: EventPayload | null
}

const COLUMNS = `generation, partition, toString(source) AS source_, toString(offset) AS offset_, toString(epoch) AS epoch_, kind, stream,
  toString(seq) AS seq_, toString(ordinal) AS ordinal_, toString(toUnixTimestamp64Milli(time)) AS ms_, schema, base64Encode(payload) AS bytes`

/** An archive that an earlier release kept may not have it. */
export async function hasTable(clickhouse: Pick<ArchivePort, 'query'>, table: string): Promise<boolean> {
  const [row] = await clickhouse.query<{ result: number }>(`EXISTS TABLE ${table}`)
  return Number(row?.result) === 1
}

interface Row {
  readonly generation: number
  readonly partition: number
  readonly source_: string
  readonly offset_: string
  readonly epoch_: string
  readonly kind: Envelope['kind']
  readonly stream: string
  readonly seq_: string
  readonly ordinal_: string
  readonly ms_: string
  readonly schema: string
  readonly bytes: string
}

function recordedIn(row: Row): Recorded {
  const envelope = {
    kind: row.kind,
    generation: Number(row.generation),
    epoch: Number(row.epoch_),
    source: Number(row.source_),
    stream: row.stream,
    seq: Number(row.seq_),
    ordinal: Number(row.ordinal_),
    time: Number(row.ms_),
    schema: Buffer.from(row.schema, 'hex'),
    payload: Buffer.from(row.bytes, 'base64'),
  }
  return {
    ...{ partition: Number(row.partition), offset: Number(row.offset_), envelope },
    payload: payloadIn(envelope),
  }
}

export type Saying = PayloadOf<'MessageSent'> | PayloadOf<'MessageEdited'>

/** Where the record says a message or edits one: what it says, and the seq of that message. */
export function sayingIn({
  envelope,
  payload,
}: Recorded): { readonly payload: Saying; readonly of: number } | null {
  if (payload?.type === 'MessageSent') return { payload, of: envelope.seq }
  return payload?.type === 'MessageEdited' ? { payload, of: payload.target.seq } : null
}

function payloadIn(envelope: Recorded['envelope']): EventPayload | null {
  try {
    return decodeEventPayload(envelope as Envelope)
  } catch {
    return null
  }
}

/** `condition`: what follows WHERE, in a query on `events`. */
export async function archivedWhere(
  clickhouse: Pick<ArchivePort, 'query'>,
  condition: string,
  params: Readonly<Record<string, unknown>>,
): Promise<Recorded[]> {
  const rows = await clickhouse.query<Row>(`SELECT ${COLUMNS} FROM events WHERE ${condition}`, params)
  return rows.map(recordedIn)
}

const STREAMS_PER_QUERY = 200
const ROWS_PER_PAGE = 5_000

/**
 * Events of these streams up to a broker time (ms), stream by stream and in the order of seqs, in portions. An event that stands there
 * in several generations, as after a restore, comes once, as the last of them has it.
 */
export async function archivedEvents(
  clickhouse: Pick<ArchivePort, 'query'>,
  streams: readonly string[],
  until: number,
  take: (records: readonly Recorded[]) => void | Promise<void>,
): Promise<void> {
  for (let at = 0; at < streams.length; at += STREAMS_PER_QUERY) {
    const some = streams.slice(at, at + STREAMS_PER_QUERY)
    for (let after: readonly [string, number] = ['', 0]; ; ) {
      const records = await archivedWhere(
        clickhouse,
        `stream IN {streams:Array(String)} AND kind = 'event' AND time <= fromUnixTimestamp64Milli({until:Int64})
           AND (stream, seq) > ({stream:String}, {seq:UInt64})
         ORDER BY stream, seq, generation DESC LIMIT 1 BY stream, seq LIMIT ${ROWS_PER_PAGE}`,
        { streams: some, until: Math.min(until, LATEST_MS), stream: after[0], seq: after[1] },
      )
      if (records.length > 0) await take(records)
      const last = records.at(-1)
      if (!last || records.length < ROWS_PER_PAGE) break
      after = [last.envelope.stream, last.envelope.seq]
    }
  }
}

/** The last time that the archive can hold. */
const LATEST_MS = 9_999_999_999_999

/** Records of whatever kind with this packId, the oldest first. */
export const archivedByPackId = (
  clickhouse: Pick<ArchivePort, 'query'>,
  packId: string,
): Promise<Recorded[]> =>
  archivedWhere(
    clickhouse,
    `pack_id = {packId:String}
     ORDER BY events.time, generation, partition, source LIMIT 1 BY generation, partition, source LIMIT 100`,
    { packId },
  )

/** Conversations in which the user is or was: groups as a member, single chats by their id. */
export async function archivedConversations(
  clickhouse: Pick<ArchivePort, 'query'>,
  user: string,
): Promise<string[]> {
  const rows = await clickhouse.query<{ conversation: string }>(
    `SELECT DISTINCT conversation FROM (
       SELECT conversation FROM membership WHERE user = {user:String}
       UNION ALL SELECT conversation FROM single_chats WHERE user = {user:String}
     ) ORDER BY conversation`,
    { user },
  )
  return rows.map(({ conversation }) => conversation)
}

/** Broker times (ms) of the first and the last record that the archive holds; null while it is empty. */
export async function archivedTimes(
  clickhouse: Pick<ArchivePort, 'query'>,
): Promise<{ readonly first: number; readonly last: number } | null> {
  const [row] = await clickhouse.query<{ first: string; last: string; n: string }>(
    `SELECT toString(toUnixTimestamp64Milli(min(time))) AS first, toString(toUnixTimestamp64Milli(max(time))) AS last, toString(count()) AS n FROM events`,
  )
  return row && row.n !== '0' ? { first: Number(row.first), last: Number(row.last) } : null
}
