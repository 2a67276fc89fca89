/** Reads of the archive. Duplicate rows and older versions may still stand side by side: `LIMIT 1 BY` picks, FINAL is too slow. */
import type { Item } from '../../schemas/frames.ts'
import { editedMessage, recalledMessage } from '../../schemas/item.ts'
import type { ItemRow } from '../archive/project.ts'
import type { Fact } from '../directory/membership.ts'
import type { ArchivePort } from '../ports.ts'

type Wide<T> = {
  [K in keyof T]: T[K] extends number ? string : T[K] extends number | null ? string | null : T[K]
}

interface VersionRow {
  readonly seq_: string
  readonly version_: string
  readonly recalled: boolean
  readonly content_type: string | null
  readonly content: string | null
  readonly mentions: string[]
  readonly mention_all: boolean
}

/** What the newest version of a message in the archive is. */
export interface Version {
  readonly version: number
  readonly recalled: boolean
}

const ITEM_COLUMNS =
  'conversation, toString(seq) AS seq_, toString(ordinal) AS ordinal_, kind, toString(time_ms) AS time_ms_, sender, pack_id, content_type, content, mentions, mention_all, toString(reply_to) AS reply_to_, toString(target_seq) AS target_seq_, members, name, read_conversation, toString(read_seq) AS read_seq_, toString(read_ordinal) AS read_ordinal_'

export function archiveReads(clickhouse: Pick<ArchivePort, 'query'>) {
  async function rows(where: string, params: Readonly<Record<string, unknown>>): Promise<Item[]> {
    const found = await clickhouse.query<Row>(
      `SELECT ${ITEM_COLUMNS} FROM items WHERE conversation = {conversation:String} AND ${where} ORDER BY seq LIMIT 1 BY seq`,
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
      `SELECT toString(seq) AS seq_, toString(version) AS version_, recalled, content_type, content, mentions, mention_all
       FROM messages WHERE conversation = {conversation:String} AND version > seq
       AND (seq BETWEEN {from:UInt64} AND {to:UInt64} OR seq IN {targets:Array(UInt64)})
       ORDER BY seq, version DESC LIMIT 1 BY seq`,
      { conversation, from, to, targets: [...targets] },
    )
    return new Map(found.map((row) => [Number(row.seq_), row]))
  }

  /** Current forms of items: messages as last edited or recalled, edits of a recalled message without what they said. */
  async function current(conversation: string, items: readonly Item[], from: number, to: number) {
    const targets = items.flatMap(({ kind, targetSeq }) =>
      kind === 'edited' && targetSeq ? [targetSeq] : [],
    )
    const changed = await versions(conversation, from, to, targets)
    const known = new Map<number, Version>()
    for (const [seq, row] of changed)
      known.set(seq, { version: Number(row.version_), recalled: row.recalled })
    return { items: items.map((item) => applied(item, changed)), versions: known }
  }

  return {
    /** Current items of the range, as far as the archive has come. */
    async page(conversation: string, from: number, to: number) {
      const items = await rows('seq BETWEEN {from:UInt64} AND {to:UInt64}', { conversation, from, to })
      return current(conversation, items, from, to)
    },

    async itemsAt(conversation: string, seqs: readonly number[]): Promise<Item[]> {
      if (seqs.length === 0) return []
      const items = await rows('seq IN {seqs:Array(UInt64)}', { conversation, seqs: [...seqs] })
      return (await current(conversation, items, 1, 0)).items
    },

    /** Newest item the archive holds, or null. */
    async head(conversation: string) {
      const [row] = await clickhouse.query<{ seq_: string; ordinal_: string; time_ms_: string }>(
        `SELECT toString(seq) AS seq_, toString(ordinal) AS ordinal_, toString(time_ms) AS time_ms_ FROM items
         WHERE conversation = {conversation:String} ORDER BY conversation DESC, items.seq DESC LIMIT 1`,
        { conversation },
      )
      return row ? { seq: Number(row.seq_), ordinal: Number(row.ordinal_), time: Number(row.time_ms_) } : null
    },

    async facts(user: string, conversation: string): Promise<Fact[]> {
      const found = await clickhouse.query<{ seq_: string; joined: boolean; ordinal_: string }>(
        `SELECT toString(seq) AS seq_, joined, toString(ordinal) AS ordinal_ FROM membership
         WHERE user = {user:String} AND conversation = {conversation:String} ORDER BY membership.seq LIMIT 1 BY membership.seq`,
        { user, conversation },
      )
      return found.map(({ seq_, joined, ordinal_ }) => ({
        joined,
        seq: Number(seq_),
        ordinal: Number(ordinal_),
      }))
    },

    /** Seqs of changes after `after`, with their targets. */
    async changes(conversation: string, after: number, max: number) {
      const found = await clickhouse.query<{ seq_: string; target_: string }>(
        `SELECT toString(seq) AS seq_, toString(target_seq) AS target_ FROM changes
         WHERE conversation = {conversation:String} AND changes.seq > {after:UInt64}
         ORDER BY changes.seq LIMIT 1 BY changes.seq LIMIT {max:UInt32}`,
        { conversation, after, max },
      )
      return found.map(({ seq_, target_ }) => ({ seq: Number(seq_), target: Number(target_) }))
    },

    async byPackId(user: string, conversation: string, packId: string): Promise<Item | null> {
      const params = { user, conversation, packId }
      const [item] = await rows('pack_id = {packId:String} AND sender = {user:String}', params)
      return item ?? null
    },
  }
}

export type ArchiveReads = ReturnType<typeof archiveReads>

type Row = Pick<
  Wide<ItemRow>,
  'conversation' | 'kind' | 'sender' | 'pack_id' | 'content_type' | 'content' | 'mention_all' | 'name'
> & {
  readonly mentions: string[]
  readonly members: string[]
  readonly read_conversation: string | null
} & Record<'seq_' | 'ordinal_' | 'time_ms_', string> &
  Record<'reply_to_' | 'target_seq_' | 'read_seq_' | 'read_ordinal_', string | null>

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
})

function applied(item: Item, changed: ReadonlyMap<number, VersionRow>): Item {
  if (item.kind === 'edited' && item.targetSeq !== null)
    return changed.get(item.targetSeq)?.recalled ? blankEdit(item) : item
  const row = item.kind === 'message' ? changed.get(item.seq) : undefined
  if (!row) return item
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
