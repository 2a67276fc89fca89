/**
 * `items` and `messages` against the archived events, inside of ClickHouse: the events are proven against the log, so what fits them
 * fits it. In portions by conversation, so that no join outgrows the store.
 */
import type { ArchivePort } from '../ports.ts'
import type { Find } from './findings.ts'

type Query = Pick<ArchivePort, 'query'>

const ROWS_PER_PORTION = 500_000

/** Portions that all conversations are cut into. */
export async function portionsOf(clickhouse: Query): Promise<number> {
  const [row] = await clickhouse.query<{ n: string }>('SELECT toString(count()) AS n FROM items')
  return Math.max(1, Math.ceil(Number(row?.n ?? 0) / ROWS_PER_PORTION))
}

interface Wrong {
  readonly conversation: string
  readonly seq_: string
  readonly what: string
}

const IN_PORTION = (column: string) => `cityHash64(${column}) % {portions:UInt32} = {portion:UInt32}`
const FIRST = 20

/** Every event has its item, with the same sender, packId, time and ordinal, and no item is without its event. */
const ITEMS = `SELECT if(e.stream = '', i.conversation, e.stream) AS conversation, toString(greatest(e.seq, i.seq)) AS seq_,
    multiIf(i.conversation = '', 'no item of this event', e.stream = '', 'an item without its event', 'another sender, packId, time or ordinal than its event has') AS what
  FROM (
    SELECT stream, seq, any(sender) AS sender, any(pack_id) AS pack_id, any(ordinal) AS ordinal, any(toUnixTimestamp64Milli(time)) AS ms, any(type) AS type
    FROM events WHERE kind = 'event' AND ${IN_PORTION('stream')} GROUP BY stream, seq
  ) AS e FULL OUTER JOIN (
    SELECT conversation, seq, any(items.sender) AS sender, any(items.pack_id) AS pack_id, any(items.ordinal) AS ordinal, any(time_ms) AS ms
    FROM items WHERE ${IN_PORTION('conversation')} GROUP BY conversation, seq
  ) AS i ON e.stream = i.conversation AND e.seq = i.seq
  WHERE i.conversation = '' OR e.stream = ''
    OR (e.type != 'undecodable' AND (i.sender != e.sender OR i.pack_id != e.pack_id OR i.ordinal != e.ordinal OR i.ms != e.ms))
  ORDER BY conversation, greatest(e.seq, i.seq) LIMIT ${FIRST}`

/** Every message stands there in its newest version, recalled if it was, and says what that version said or nothing. */
const MESSAGES = `SELECT if(w.conversation = '', m.conversation, w.conversation) AS conversation, toString(greatest(w.seq, m.seq)) AS seq_,
    multiIf(m.conversation = '', 'no message', w.conversation = '', 'a message that nobody sent', m.version != w.version, 'not the newest version',
      m.recalled != w.recalled, 'recalled or not, it says otherwise', 'another content than its newest version') AS what
  FROM (
    SELECT conversation, at AS seq, max(of) AS version, max(gone) AS recalled, argMax(said, of) AS content FROM (
      SELECT conversation, seq AS of, if(kind = 'message', seq, assumeNotNull(target_seq)) AS at, kind = 'recalled' AS gone, if(kind = 'recalled', '', ifNull(content, '')) AS said
      FROM items WHERE kind IN ('message', 'edited', 'recalled') AND ${IN_PORTION('conversation')}
    ) GROUP BY conversation, at
  ) AS w FULL OUTER JOIN (
    SELECT conversation, seq, max(messages.version) AS version, argMax(messages.recalled, messages.version) AS recalled, argMax(ifNull(messages.content, ''), messages.version) AS content
    FROM messages WHERE ${IN_PORTION('conversation')} GROUP BY conversation, seq
  ) AS m ON w.conversation = m.conversation AND w.seq = m.seq
  WHERE m.conversation = '' OR w.conversation = '' OR m.version != w.version OR m.recalled != w.recalled
    OR (m.content != w.content AND m.content != '' AND w.content != '')
  ORDER BY conversation, greatest(w.seq, m.seq) LIMIT ${FIRST}`

/** Looks at one portion; what seems wrong is looked at again after `settle`, as rows of one block come table by table. */
export async function checkTables(
  clickhouse: Query,
  place: { readonly portion: number; readonly portions: number },
  settle: () => Promise<void>,
  find: Find,
): Promise<void> {
  for (const [table, sql] of [
    ['items', ITEMS],
    ['messages', MESSAGES],
  ] as const) {
    const params = { ...place }
    let wrong = await clickhouse.query<Wrong>(sql, params)
    for (let again = 0; wrong.length > 0 && again < 2; again++) {
      await settle()
      const still = new Set((await clickhouse.query<Wrong>(sql, params)).map(textOf))
      wrong = wrong.filter((one) => still.has(textOf(one)))
    }
    for (const one of wrong) find('archive-tables', `${table}: ${textOf(one)}`)
  }
}

const textOf = ({ conversation, seq_, what }: Wrong): string => `${conversation} seq ${seq_}: ${what}`
