/** Finding messages in the archive by what they say. Whatever a user types is a query parameter and nothing else. */
import { SEARCH_TEXT, WIDE_CHARACTERS } from '../archive/tables.ts'
import type { ArchivePort, QueryLimits } from '../ports.ts'
import { IN_KEYS, keyParams, type MessageKey, VERSION_COLUMNS, type VersionRow } from './archive.ts'

/** Of a message; greater is newer. */
export interface SearchPlace {
  readonly time: number
  readonly conversation: string
  readonly seq: number
}

export const placeOf = (conversation: string, seq: number): string => `${conversation} ${seq}`

export interface CandidatesAsk {
  readonly user: string
  readonly terms: readonly string[]
  /** Null: all conversations in which the user is or was. */
  readonly conversation: string | null
  /** False: of those that he merely observes, none. */
  readonly observing?: boolean
  /** Only places below this one. */
  readonly below: SearchPlace
  /** Only messages of this time (ms) and later. */
  readonly fromTime: number
  /** Only messages later than this, by kind of conversation. */
  readonly afterTime: { readonly p2p: number; readonly group: number }
  readonly max: number
}

/** A message in its newest version. */
export interface FoundVersion extends VersionRow {
  readonly conversation: string
  readonly ordinal_: string
  readonly ms_: string
  readonly sender: string
  readonly pack_id: string
  readonly matches: boolean
}

/**
 * Rows are counted by whole granules that the index cannot rule out, so a word in every hundredth message counts nearly all of them;
 * looking through a million takes some 0.2 s of a core.
 */
const QUERY_LIMITS: QueryLimits = { rowsMax: 3_000_000, timeMsMax: 1_000 }
const FOREVER_SEQ = 'toUInt64(9007199254740991)'

/** The same form as `search_text` has. */
const folded = (param: string) => `lowerUTF8(normalizeUTF8NFKC(toValidUTF8({${param}:String})))`
/** After folding, which makes a plain `%` of a wide one. */
const escaped = (text: string) => `replaceRegexpAll(${text}, '[%_\\\\\\\\]', '\\\\\\\\\\\\0')`

/** One character beyond ASCII, which pairs of characters do not find. */
const isWideCharacter = (term: string): boolean => {
  const characters = [...term.normalize('NFKC').toLowerCase()]
  return characters.length === 1 && (characters[0] ?? '') > '\x7f'
}

/** The condition that a text holds every term. */
const matching = (terms: readonly string[]): string =>
  terms
    .map((term, i) =>
      isWideCharacter(term)
        ? `hasAnyTokens(${WIDE_CHARACTERS}, [${folded(`term${i}`)}])`
        : `search_text LIKE concat('%', ${escaped(folded(`term${i}`))}, '%')`,
    )
    .join(' AND ')

const termParams = (terms: readonly string[]) =>
  Object.fromEntries(terms.map((term, i) => [`term${i}`, term]))

/** What they say now matters to nobody who left before; whether they said it to him is to be looked up. */
const CHANGED_SINCE = `version > transform(conversation, mine.1, mine.3, ${FOREVER_SEQ}) AND (conversation, seq) IN (
  SELECT conversation, target_seq FROM changes WHERE conversation IN mine.1
    AND changes.seq > transform(conversation, mine.1, mine.3, ${FOREVER_SEQ})
    AND target_seq <= transform(conversation, mine.1, mine.3, toUInt64(0)))`

const newestFirst = (a: SearchPlace, b: SearchPlace): number =>
  b.time - a.time || byText(b.conversation, a.conversation) || b.seq - a.seq
const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** Conversations in which a user is or was, with the bounds of what he may read; gaps between are for the caller. */
const mine = (observing: boolean): string => `
  SELECT conversation, min(from_seq) AS from_seq, max(to_seq) AS to_seq FROM (
    SELECT conversation, toUInt64(1) AS from_seq, ${FOREVER_SEQ} AS to_seq FROM single_chats WHERE user = {user:String}
    UNION ALL SELECT conversation, minIf(seq, joined), if(argMax(joined, seq), ${FOREVER_SEQ}, max(seq))
      FROM membership WHERE user = {user:String} GROUP BY conversation
    ${observing ? OBSERVED : ''}
  ) GROUP BY conversation`

const OBSERVED = `UNION ALL SELECT conversation, minIf(seq, is_on), if(argMax(is_on, seq), ${FOREVER_SEQ}, max(seq))
      FROM observing WHERE user = {user:String} GROUP BY conversation`

export function archiveSearch(clickhouse: Pick<ArchivePort, 'query'>) {
  async function places(
    ask: CandidatesAsk,
    condition: string,
    params: Record<string, unknown>,
  ): Promise<SearchPlace[]> {
    const { user, conversation, below, fromTime, afterTime, max } = ask
    const readable = mine(ask.observing ?? true)
    const found = await clickhouse.query<{ conversation: string; seq_: string; ms: string }>(
      // Bounds as constants, not by a join: that would read all columns of all that match, not of the newest alone.
      `WITH (SELECT (groupArray(conversation), groupArray(from_seq), groupArray(to_seq)) FROM (${readable})) AS mine
       SELECT conversation, toString(seq) AS seq_, toString(toUnixTimestamp64Milli(time)) AS ms FROM messages
       WHERE conversation IN (SELECT conversation FROM (${readable}))
         ${conversation === null ? '' : 'AND conversation = {conversation:String}'}
         AND seq >= transform(conversation, mine.1, mine.2, ${FOREVER_SEQ}) AND seq <= transform(conversation, mine.1, mine.3, toUInt64(0))
         AND NOT recalled
         AND time >= fromUnixTimestamp64Milli({fromTime:Int64}, 'UTC') AND time <= fromUnixTimestamp64Milli({time:Int64}, 'UTC')
         AND (time, conversation, seq) < (fromUnixTimestamp64Milli({time:Int64}, 'UTC'), {below:String}, {seq:UInt64})
         AND time > fromUnixTimestamp64Milli(if(startsWith(conversation, 'p2p:'), {afterP2p:Int64}, {afterGroup:Int64}), 'UTC')
         AND ${condition}
       ORDER BY time DESC, conversation DESC, seq DESC LIMIT {max:UInt32}`,
      {
        ...params,
        user,
        ...(conversation === null ? {} : { conversation }),
        fromTime,
        time: below.time,
        below: below.conversation,
        seq: below.seq,
        afterP2p: afterTime.p2p,
        afterGroup: afterTime.group,
        max,
      },
      QUERY_LIMITS,
    )
    return found.map(({ conversation: of, seq_, ms }) => ({
      conversation: of,
      seq: Number(seq_),
      time: Number(ms),
    }))
  }

  return {
    /**
     * Places of messages of which some version matches or that were changed after this user was last in, newest first; one may come
     * several times. Rejects with Fault `query_limit` where there is too much to look through.
     */
    async candidates(ask: CandidatesAsk): Promise<SearchPlace[]> {
      const [matches, changed] = await Promise.all([
        places(ask, matching(ask.terms), termParams(ask.terms)),
        places(ask, CHANGED_SINCE, {}),
      ])
      const all = changed.length === 0 ? matches : [...matches, ...changed].sort(newestFirst)
      return all.slice(0, ask.max)
    },

    /** Whether events say all these words, by `placeOf` their own place; those that the archive does not hold are left out. */
    async saying(keys: readonly MessageKey[], terms: readonly string[]): Promise<Map<string, boolean>> {
      if (keys.length === 0) return new Map()
      const found = await clickhouse.query<{ conversation: string; seq_: string; matches: boolean }>(
        `SELECT conversation, toString(seq) AS seq_, ${matching(terms)} AS matches
         FROM (SELECT conversation, seq, ${SEARCH_TEXT} AS search_text FROM items WHERE ${IN_KEYS})`,
        { ...termParams(terms), ...keyParams(keys) },
      )
      return new Map(found.map((row) => [placeOf(row.conversation, Number(row.seq_)), row.matches]))
    },

    /** Newest versions of messages, and whether these match. */
    async newest(keys: readonly MessageKey[], terms: readonly string[]): Promise<FoundVersion[]> {
      if (keys.length === 0) return []
      return clickhouse.query<FoundVersion>(
        `SELECT conversation, ${VERSION_COLUMNS}, toString(ordinal) AS ordinal_, toString(toUnixTimestamp64Milli(time)) AS ms_,
           sender, pack_id, ${matching(terms)} AS matches FROM messages
         WHERE ${IN_KEYS} ORDER BY conversation, messages.seq, version DESC LIMIT 1 BY conversation, messages.seq`,
        { ...termParams(terms), ...keyParams(keys) },
      )
    },

    /** What messages reply to, by `placeOf`; null: to nothing. Those that the archive does not hold are left out. */
    async repliesOf(keys: readonly MessageKey[]): Promise<Map<string, number | null>> {
      if (keys.length === 0) return new Map()
      const found = await clickhouse.query<{ conversation: string; seq_: string; reply: string | null }>(
        `SELECT conversation, toString(seq) AS seq_, toString(reply_to) AS reply FROM items WHERE ${IN_KEYS}`,
        keyParams(keys),
      )
      return new Map(
        found.map(({ conversation, seq_, reply }) => [
          placeOf(conversation, Number(seq_)),
          reply === null ? null : Number(reply),
        ]),
      )
    },

    /** How many of these items the archive holds. */
    async holds(keys: readonly MessageKey[]): Promise<number> {
      if (keys.length === 0) return 0
      const [row] = await clickhouse.query<{ n: string }>(
        `SELECT toString(uniqExact(conversation, seq)) AS n FROM items WHERE ${IN_KEYS}`,
        keyParams(keys),
      )
      return Number(row?.n ?? 0)
    },
  }
}

export type ArchiveSearch = ReturnType<typeof archiveSearch>
