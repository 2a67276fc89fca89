/** Reads of the archive. Duplicate rows and older versions may still stand side by side: `LIMIT 1 BY` picks, FINAL is too slow. */
import type { Item } from '../../schemas/frames.ts'
import { parsePackId } from '../../schemas/ids.ts'
import { editedMessage, recalledMessage } from '../../schemas/item.ts'
import type { Clock } from '../../schemas/ports.ts'
import type { Target } from '../../schemas/records.ts'
import type { ItemRow } from '../archive/project.ts'
import type { Fact } from '../directory/membership.ts'
import type { ArchivePort } from '../ports.ts'
import type { Change } from './knowledge.ts'
import { type ArchivePage, type CurrentItems, heldPages, type Version } from './pages.ts'

export interface VersionRow {
  readonly seq_: string
  readonly version_: string
  readonly recalled: boolean
  readonly content_type: string | null
  readonly content: string | null
  readonly mentions: string[]
  readonly mention_all: boolean
}

/** A message by its place. */
export type MessageKey = readonly [conversation: string, seq: number]

/** The condition that a row is one of `keyParams`. */
export const IN_KEYS = '(conversation, seq) IN arrayZip({conversations:Array(String)}, {seqs:Array(UInt64)})'
export const keyParams = (keys: readonly MessageKey[]) => ({
  conversations: keys.map(([conversation]) => conversation),
  seqs: keys.map(([, seq]) => seq),
})

/** Of a user in a conversation. */
export interface ArchivedFacts {
  readonly memberships: readonly Fact[]
  readonly observing: readonly Fact[]
}

const ITEM_COLUMNS =
  'conversation, toString(seq) AS seq_, toString(ordinal) AS ordinal_, kind, toString(time_ms) AS time_ms_, sender, pack_id, content_type, content, mentions, mention_all, toString(reply_to) AS reply_to_, toString(target_seq) AS target_seq_, members, name, read_conversation, toString(read_seq) AS read_seq_, toString(read_ordinal) AS read_ordinal_, is_on, setting_key, value, toString(until_ms) AS until_ms_'
export const VERSION_COLUMNS =
  'toString(seq) AS seq_, toString(version) AS version_, recalled, content_type, content, mentions, mention_all'

/** For reads of a few rows: starting threads takes longer than the work. */
const ONE_THREAD = 'SETTINGS max_threads = 1'

export function archiveReads(clickhouse: Pick<ArchivePort, 'query'>, clock: Pick<Clock, 'now'>) {
  async function rows(where: string, params: Readonly<Record<string, unknown>>): Promise<Item[]> {
    const found = await clickhouse.query<Row>(
      `SELECT ${ITEM_COLUMNS} FROM items WHERE conversation = {conversation:String} AND ${where} ORDER BY seq LIMIT 1 BY seq ${ONE_THREAD}`,
      params,
    )
    return found.map(itemIn)
  }

  /** Newest versions of those messages that were changed. */
  async function versions(
    conversation: string,
    from: number,
    to: number,
    targets: readonly number[],
  ): Promise<Map<number, VersionRow>> {
    const found = await clickhouse.query<VersionRow>(
      `SELECT ${VERSION_COLUMNS} FROM messages WHERE conversation = {conversation:String} AND version > seq
       AND (seq BETWEEN {from:UInt64} AND {to:UInt64} OR seq IN {targets:Array(UInt64)})
       ORDER BY seq, version DESC LIMIT 1 BY seq ${ONE_THREAD}`,
      { conversation, from, to, targets: [...targets] },
    )
    return new Map(found.map((row) => [Number(row.seq_), row]))
  }

  /** Current forms of items: messages as last edited or recalled, edits of a recalled message without what they said. */
  async function current(
    conversation: string,
    items: readonly Item[],
    from: number,
    to: number,
  ): Promise<CurrentItems> {
    const targets = items.flatMap(({ kind, targetSeq }) =>
      kind === 'edited' && targetSeq ? [targetSeq] : [],
    )
    const changed = await versions(conversation, from, to, targets)
    const known = new Map<number, Version>()
    for (const item of items) {
      const row = changed.get(messageOf(item) ?? 0)
      if (row) known.set(item.seq, { version: Number(row.version_), recalled: row.recalled })
    }
    return { items: items.map((item) => applied(item, changed)), versions: known }
  }

  async function page(conversation: string, from: number, to: number): Promise<ArchivePage> {
    // Both before the versions: those then have every change up to `changesUpTo`.
    const [items, changes] = await Promise.all([
      rows('seq BETWEEN {from:UInt64} AND {to:UInt64}', { conversation, from, to }),
      changesUpTo([conversation]),
    ])
    const page = await current(conversation, items, from, to)
    return { ...page, changesUpTo: changes.get(conversation) ?? 0 }
  }

  /** Newest item the archive holds, or null. */
  async function head(conversation: string) {
    const [row] = await clickhouse.query<{ seq_: string; ordinal_: string; time_ms_: string }>(
      `SELECT toString(seq) AS seq_, toString(ordinal) AS ordinal_, toString(time_ms) AS time_ms_ FROM items
       WHERE conversation = {conversation:String} ORDER BY conversation DESC, items.seq DESC LIMIT 1 ${ONE_THREAD}`,
      { conversation },
    )
    return row ? { seq: Number(row.seq_), ordinal: Number(row.ordinal_), time: Number(row.time_ms_) } : null
  }

  /** Seq of the newest change that the archive has applied, by conversation. */
  async function changesUpTo(conversations: readonly string[]): Promise<Map<string, number>> {
    const found = await clickhouse.query<{ conversation: string; newest: string }>(
      `SELECT conversation, toString(max(seq)) AS newest FROM changes
       WHERE conversation IN {conversations:Array(String)} GROUP BY conversation`,
      { conversations: [...conversations] },
    )
    return new Map(found.map(({ conversation, newest }) => [conversation, Number(newest)]))
  }

  /** By conversation; one in which the user never was is not there. */
  async function factsOf(
    user: string,
    conversations: readonly string[],
  ): Promise<Map<string, ArchivedFacts>> {
    const columns = 'conversation, seq, toString(ordinal) AS ordinal_, toUnixTimestamp64Milli(time) AS ms'
    const mine = 'user = {user:String} AND conversation IN {conversations:Array(String)}'
    const found = await clickhouse.query<FactRow>(
      `SELECT conversation, toString(seq) AS seq_, ordinal_, toString(ms) AS ms_, joined, observes FROM (
         SELECT ${columns}, joined, false AS observes FROM membership WHERE ${mine}
         UNION ALL SELECT ${columns}, is_on, true FROM observing WHERE ${mine}
       ) ORDER BY conversation, seq LIMIT 1 BY conversation, seq ${ONE_THREAD}`,
      { user, conversations: [...conversations] },
    )
    const byConversation = new Map<string, { memberships: Fact[]; observing: Fact[] }>()
    for (const { conversation, seq_, ordinal_, ms_, joined, observes } of found) {
      const facts = byConversation.get(conversation) ?? { memberships: [], observing: [] }
      byConversation.set(conversation, facts)
      const fact = { joined, seq: Number(seq_), ordinal: Number(ordinal_), time: Number(ms_) }
      facts[observes ? 'observing' : 'memberships'].push(fact)
    }
    return byConversation
  }

  return {
    /** Current items of the range, as far as the archive has come; or as it was some seconds ago, unless asked `anew`. */
    page: heldPages(page, clock),

    async itemsAt(conversation: string, seqs: readonly number[]): Promise<Item[]> {
      if (seqs.length === 0) return []
      const items = await rows('seq IN {seqs:Array(UInt64)}', { conversation, seqs: [...seqs] })
      return [...(await current(conversation, items, 1, 0)).items]
    },

    head,
    changesUpTo,

    /** Messages that were not recalled, as they stood when the stream had come to `upTo`; empty where the archive has not come that far. */
    async versionsUpTo(
      conversation: string,
      seqs: readonly number[],
      upTo: number,
    ): Promise<Map<number, Item>> {
      if (((await head(conversation))?.seq ?? 0) < upTo) return new Map()
      const found = await rows(
        `(seq IN {seqs:Array(UInt64)} OR seq IN (
           SELECT max(changes.seq) FROM changes WHERE conversation = {conversation:String}
           AND target_seq IN {seqs:Array(UInt64)} AND kind = 'edited' AND changes.seq <= {upTo:UInt64} GROUP BY target_seq))`,
        { conversation, seqs: [...seqs], upTo },
      )
      const messages = new Map(found.filter(({ kind }) => kind === 'message').map((item) => [item.seq, item]))
      for (const edit of found) {
        const message = edit.kind === 'edited' ? messages.get(edit.targetSeq ?? 0) : undefined
        if (message) messages.set(message.seq, editedMessage(message, edit))
      }
      return messages
    },

    async facts(user: string, conversation: string): Promise<ArchivedFacts> {
      return (await factsOf(user, [conversation])).get(conversation) ?? { memberships: [], observing: [] }
    },
    factsOf,

    /** Of a message; null where the archive holds none at that seq. */
    async target(conversation: string, seq: number): Promise<Target | null> {
      const [item] = await rows("seq = {seq:UInt64} AND kind = 'message'", { conversation, seq })
      const packId = parsePackId(item?.packId)
      return item && packId
        ? { seq, ordinal: item.ordinal, sender: item.senderId, time: item.time, packId }
        : null
    },

    /** Changes after `after`: all recalls, and edits up to `editsUpTo`. */
    async changes(conversation: string, after: number, editsUpTo: number, max: number): Promise<Change[]> {
      const found = await clickhouse.query<{ seq_: string; target_: string; recalls: boolean }>(
        `SELECT toString(seq) AS seq_, toString(target_seq) AS target_, kind = 'recalled' AS recalls FROM changes
         WHERE conversation = {conversation:String} AND changes.seq > {after:UInt64}
           AND (changes.seq <= {editsUpTo:UInt64} OR kind = 'recalled')
         ORDER BY changes.seq LIMIT 1 BY changes.seq LIMIT {max:UInt32} ${ONE_THREAD}`,
        { conversation, after, editsUpTo: Math.min(editsUpTo, Number.MAX_SAFE_INTEGER), max },
      )
      return found.map(({ seq_, target_, recalls }) => ({
        seq: Number(seq_),
        target: Number(target_),
        kind: recalls ? 'r' : 'e',
      }))
    },

    async byPackId(user: string, conversation: string, packId: string): Promise<Item | null> {
      const params = { user, conversation, packId }
      const [item] = await rows('pack_id = {packId:String} AND sender = {user:String}', params)
      return item ?? null
    },
  }
}

export type ArchiveReads = ReturnType<typeof archiveReads>

interface FactRow {
  readonly conversation: string
  readonly seq_: string
  readonly ordinal_: string
  readonly ms_: string
  readonly joined: boolean
  readonly observes: boolean
}

type AsText =
  | 'seq'
  | 'ordinal'
  | 'time_ms'
  | 'reply_to'
  | 'target_seq'
  | 'read_seq'
  | 'read_ordinal'
  | 'until_ms'
/** 64-bit integers stand as text under a name with a dash behind: ORDER BY would take an alias of a column's own name. */
type Row = Omit<ItemRow, AsText | 'mentions' | 'members'> & {
  readonly [K in AsText as `${K}_`]: null extends ItemRow[K] ? string | null : string
} & { readonly mentions: string[]; readonly members: string[] }

const numberOrNull = (text: string | null): number | null => (text === null ? null : Number(text))

const itemIn = (row: Row): Item => ({
  conversationId: row.conversation,
  seq: Number(row.seq_),
  ordinal: Number(row.ordinal_),
  kind: row.kind,
  time: Number(row.time_ms_),
  senderId: row.sender,
  packId: row.pack_id === '' ? null : row.pack_id,
  contentType: row.content_type,
  content: row.content,
  mentions: row.mentions,
  mentionAll: row.mention_all,
  replyTo: numberOrNull(row.reply_to_),
  targetSeq: numberOrNull(row.target_seq_),
  members: row.members,
  name: row.name,
  readConversationId: row.read_conversation,
  readSeq: numberOrNull(row.read_seq_),
  readOrdinal: numberOrNull(row.read_ordinal_),
  on: row.is_on,
  key: row.setting_key,
  value: row.value,
  until: numberOrNull(row.until_ms_),
})

/** Seq of the message that an item is or is an edit of. */
export const messageOf = ({ kind, seq, targetSeq }: Item): number | null =>
  kind === 'edited' ? targetSeq : kind === 'message' ? seq : null

function applied(item: Item, changed: ReadonlyMap<number, VersionRow>): Item {
  if (item.kind === 'edited' && item.targetSeq !== null)
    return changed.get(item.targetSeq)?.recalled ? blankEdit(item) : item
  const row = item.kind === 'message' ? changed.get(item.seq) : undefined
  return row ? inVersion(item, row) : item
}

function inVersion(item: Item, row: VersionRow): Item {
  const change = {
    ...item,
    seq: Number(row.version_),
    contentType: row.content_type,
    content: row.content,
    mentions: row.mentions,
    mentionAll: row.mention_all,
  }
  return row.recalled ? recalledMessage(item, change) : editedMessage(item, change)
}

/** An edit whose message was recalled later: what it said is not readable either. */
export const blankEdit = (item: Item): Item => ({
  ...item,
  contentType: null,
  content: null,
  mentions: [],
  mentionAll: false,
})
