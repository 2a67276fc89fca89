/** What was said, as the archive's copy of the log has it: where it stands and which key sealed it. */
import { archivedWhere, type Recorded } from '../archived.ts'
import type { ArchivePort } from '../ports.ts'

type Query = Pick<ArchivePort, 'query'>

/** A message, or an edit of one. */
export interface Said {
  readonly conversation: string
  readonly seq: number
  readonly kind: 'message' | 'edited'
  readonly sender: string
  readonly packId: Buffer
  /** Null: it was logged in clear. */
  readonly keyId: string | null
}

const ROWS_PER_PAGE = 2_000
const SAYING = "kind = 'event' AND type IN ('MessageSent', 'MessageEdited')"

/** All that a user has said, in portions. */
export async function* saidBy(clickhouse: Query, user: string): AsyncGenerator<Said[]> {
  for (let after = { stream: '', seq: 0 }; ; ) {
    const records = await archivedWhere(
      clickhouse,
      `sender = {user:String} AND ${SAYING}
         AND (stream, seq) > ({stream:String}, {seq:UInt64})
       ORDER BY stream, seq, generation DESC LIMIT 1 BY stream, seq LIMIT ${ROWS_PER_PAGE}`,
      { user, ...after },
    )
    if (records.length > 0) yield records.flatMap(saidIn)
    const last = records.at(-1)
    if (!last || records.length < ROWS_PER_PAGE) return
    after = { stream: last.envelope.stream, seq: last.envelope.seq }
  }
}

/**
 * Contents that nobody has seen since `before` (broker time, ms): of messages that were recalled by then, and of what an edit had
 * replaced by then. Only such as still stand in the archive, so that each comes once; at most a portion, behind a place.
 */
export async function supersededBefore(
  clickhouse: Query,
  before: number,
  after: { readonly stream: string; readonly seq: number },
): Promise<Said[]> {
  const records = await archivedWhere(
    clickhouse,
    `${SAYING} AND (stream, seq) GLOBAL IN (
       SELECT conversation, at FROM (
         SELECT conversation, seq AS at, kind, if(kind = 'message', seq, assumeNotNull(target_seq)) AS of FROM items
         WHERE kind IN ('message', 'edited') AND content IS NOT NULL
           AND conversation GLOBAL IN (SELECT conversation FROM changes WHERE time <= fromUnixTimestamp64Milli({before:Int64}))
       ) AS i GLOBAL INNER JOIN (
         SELECT conversation, target_seq AS of, max(seq) AS by FROM changes
         WHERE time <= fromUnixTimestamp64Milli({before:Int64}) GROUP BY conversation, of
       ) AS c USING (conversation, of)
       WHERE at < by AND (conversation, at) > ({stream:String}, {seq:UInt64})
       ORDER BY conversation, at LIMIT ${ROWS_PER_PAGE}
     ) ORDER BY stream, seq, generation DESC LIMIT 1 BY stream, seq`,
    { before, ...after },
  )
  return records.flatMap(saidIn)
}

function saidIn({ envelope: { stream: conversation, seq }, payload }: Recorded): Said[] {
  if (!payload)
    throw new RangeError(`seq ${seq} of ${conversation} was written by a later release: run that one`)
  if (payload.type !== 'MessageSent' && payload.type !== 'MessageEdited') return []
  const { sender, packId, keyId } = payload
  const kind = payload.type === 'MessageSent' ? 'message' : 'edited'
  return [{ conversation, seq, kind, sender, packId, keyId }]
}
