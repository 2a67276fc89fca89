/** Everything that was accepted, as rows. */
import type { Item } from '../../schemas/frames.ts'
import { formatPackId, parseStream } from '../../schemas/ids.ts'
import { hiddenItem, itemOf } from '../../schemas/item.ts'
import { directory } from '../directory/project.ts'
import type { Accepted, Projection } from '../projection.ts'
import type { eventColumns } from './tables.ts'

export interface EventRow extends Record<(typeof eventColumns)[number], string | number> {}

export interface ItemRow {
  readonly conversation: string
  readonly seq: number
  readonly ordinal: number
  readonly kind: Item['kind']
  readonly time_ms: number
  readonly sender: string
  readonly pack_id: string
  readonly content_type: string | null
  readonly content: string | null
  readonly mentions: readonly string[]
  readonly mention_all: boolean
  readonly reply_to: number | null
  readonly target_seq: number | null
  readonly members: readonly string[]
  readonly name: string | null
  readonly read_conversation: string | null
  readonly read_seq: number | null
  readonly read_ordinal: number | null
  readonly is_on: boolean | null
  readonly setting_key: string | null
  readonly value: string | null
  readonly until_ms: number | null
}

/**
 * In the order of insertion: rules of access before what they guard, a change before its entry in the index, and `events`, which is
 * the position, last.
 */
export const archiveTables = [
  'membership',
  'observing',
  'single_chats',
  'messages',
  'changes',
  'reactions',
  'items',
  'read_marks',
  'events',
] as const
export type ArchiveTable = (typeof archiveTables)[number]
export interface ArchiveWrite {
  readonly table: ArchiveTable
  readonly row: object
}

export const archive: Projection<ArchiveWrite> = {
  name: 'archive',
  project(record: Accepted) {
    const writes: ArchiveWrite[] = [{ table: 'events', row: eventRow(record) }]
    const { envelope, payload } = record
    if (envelope.kind !== 'event') return writes
    const { stream: conversation, seq, ordinal } = envelope
    const time = clickHouseTime(envelope.time)
    const item = (payload && itemOf(envelope, payload)) ?? hiddenItem(conversation, seq)
    const logged_at = clickHouseTime(record.loggedAt ?? envelope.time)
    writes.push({ table: 'items', row: { ...itemRow(item), logged_at } })
    for (const write of directory.project(record)) {
      if (write.kind === 'membership') {
        const { joined } = write.fact
        for (const user of write.users)
          writes.push({ table: 'membership', row: { user, conversation, seq, joined, ordinal, time } })
      } else if (write.kind === 'observing') {
        const row = { user: write.user, conversation, seq, is_on: write.fact.joined, ordinal, time }
        writes.push({ table: 'observing', row })
      }
    }
    const ref = seq === 1 ? parseStream(conversation) : null
    if (ref?.kind === 'p2p')
      for (const user of new Set(ref.users))
        writes.push({ table: 'single_chats', row: { user, conversation } })
    switch (payload?.type) {
      case 'MessageSent':
        writes.push({ table: 'messages', row: { ...messageRow(item, seq), recalled: false, time } })
        break
      case 'MessageEdited':
      case 'MessageRecalled': {
        const { target } = payload
        const recalled = payload.type === 'MessageRecalled'
        const changed = { ...messageRow(item, target.seq), version: seq, recalled }
        const facts = {
          ordinal: target.ordinal,
          sender: target.sender,
          pack_id: formatPackId(target.packId),
          time: clickHouseTime(target.time),
        }
        writes.push({ table: 'messages', row: { ...changed, ...facts } })
        const kind = recalled ? 'recalled' : 'edited'
        writes.push({ table: 'changes', row: { conversation, seq, target_seq: target.seq, kind, time } })
        break
      }
      case 'Reacted': {
        const { target, emoji, sender: user, on: is_on } = payload
        const row = { conversation, target_seq: target.seq, emoji, user, seq, is_on, time }
        writes.push({ table: 'reactions', row })
        break
      }
      case 'ReadMarked': {
        const { conversationId, seq: readSeq, ordinal: readOrdinal, sender: user } = payload
        // The greatest position counts, as in Redis, so the version is the position.
        const row = {
          user,
          conversation: conversationId,
          version: readSeq,
          seq: readSeq,
          ordinal: readOrdinal,
          time,
        }
        writes.push({ table: 'read_marks', row })
        break
      }
    }
    return writes
  },
}

function eventRow({ partition, offset, loggedAt, envelope, payload }: Accepted): EventRow {
  const origin = payload && payload.type !== 'Claim' ? payload : null
  return {
    generation: envelope.generation,
    partition,
    source: envelope.source,
    offset,
    epoch: envelope.epoch,
    kind: envelope.kind,
    type: payload?.type ?? 'undecodable',
    stream: envelope.stream,
    seq: envelope.seq,
    ordinal: envelope.ordinal,
    time: clickHouseTime(envelope.time),
    logged_at: clickHouseTime(loggedAt ?? envelope.time),
    sender: origin?.sender ?? '',
    device: origin?.device ?? '',
    pack_id: origin ? formatPackId(origin.packId) : '',
    code:
      payload?.type === 'Rejection' ? payload.code : payload?.type === 'Repeat' ? (payload.code ?? '') : '',
    trace: envelope.trace?.toString('hex') ?? '',
    schema: envelope.schema.toString('hex'),
    payload_base64: envelope.payload.toString('base64'),
  }
}

const messageRow = (item: Item, seq: number) => ({
  conversation: item.conversationId,
  seq,
  version: item.seq,
  ordinal: item.ordinal,
  sender: item.senderId,
  pack_id: item.packId ?? '',
  content_type: item.contentType,
  content: item.content,
  mentions: item.mentions,
  mention_all: item.mentionAll,
})

const itemRow = (item: Item): ItemRow => ({
  conversation: item.conversationId,
  seq: item.seq,
  ordinal: item.ordinal,
  kind: item.kind,
  time_ms: item.time,
  sender: item.senderId,
  pack_id: item.packId ?? '',
  content_type: item.contentType,
  content: item.content,
  mentions: item.mentions,
  mention_all: item.mentionAll,
  reply_to: item.replyTo,
  target_seq: item.targetSeq,
  members: item.members,
  name: item.name,
  read_conversation: item.readConversationId,
  read_seq: item.readSeq,
  read_ordinal: item.readOrdinal,
  is_on: item.on,
  setting_key: item.key,
  value: item.value,
  until_ms: item.until,
})

/** DateTime64(3) from milliseconds, as a decimal number of seconds: unambiguous in any time zone. */
function clickHouseTime(ms: number): string {
  const rest = ms % 1_000
  return rest < 0 ? (ms / 1_000).toFixed(3) : `${(ms - rest) / 1_000}.${String(rest).padStart(3, '0')}`
}
