/**
 * What this gateway sees of the way of a message: when its sender's frame came and was answered, and for each connection that it was
 * pushed to, when that was and when the client said that it has it. A push becomes one row, once: at its ack, or when the connection is
 * gone. Everything is bounded, what is over is dropped and counted. The clock's times are passed in.
 */
import type { Item } from '../schemas/frames.ts'
import { isRoom } from '../schemas/ids.ts'
import { limits } from '../schemas/limits.ts'
import type { Activity, Answer } from '../schemas/records.ts'
import type { CommandDraft } from './command-of.ts'
import type { Connection } from './connections.ts'
import type { Counters } from './counters.ts'
import { acknowledge, type LedgerMessage, type PushedEvent, type PushState, type Unacked } from './push.ts'
import type { Sampling } from './sampling.ts'

/** What goes into one record of im.activity. */
export type LedgerPart = Pick<Activity, 'messages' | 'devices' | 'pushes' | 'sends'> & {
  /** Nothing waits behind it. */
  readonly isAll: boolean
}

export interface Ledger {
  /** At this time 0: nothing is written; N: of one message in N. */
  oneOf(now: number): number
  /** What is to be written of the pushes of this event, so many; null: nothing. */
  messageOf(item: Item, fannedAt: number, pushes: number, now: number): LedgerMessage | null
  /** The frame of a command has come. */
  sent(connection: Connection, draft: CommandDraft, now: number): void
  /** The log has it, or not. */
  appended(connection: Connection, packId: Buffer, isIn: boolean, now: number): void
  /** Committed, or rejected. */
  answered(stream: string, answer: Answer, now: number): void
  /** Cumulative acks let pushes go; answers how many. */
  acknowledge(connection: Connection, acks: readonly StreamSeq[], now: number): number
  /** It was to be pushed, and the connection is ended instead. */
  refused(connection: Connection, message: LedgerMessage, now: number): void
  /** The connection ends with these pushes unacknowledged. */
  left(connection: Connection, state: PushState<PushedEvent>, ended: string): void
  /** Rows that wait. */
  waiting(): number
  /** So far, for want of room. */
  dropped(): number
  /** The oldest that wait. They stay until `written`. */
  take(now: number): LedgerPart
  written(part: Pick<LedgerPart, 'pushes' | 'sends'>): void
}

interface StreamSeq {
  readonly conversationId: string
  readonly seq: number
}

interface PushRow {
  readonly message: LedgerMessage
  readonly user: string
  readonly entry: NonNullable<Connection['entry']>
  readonly transport: string
  readonly pushedAt: number
  /** Null: never. */
  readonly ackedAt: number | null
  readonly ended: string | null
  readonly resends: number
}

interface Sending {
  readonly user: string
  readonly entry: NonNullable<Connection['entry']>
  readonly transport: string
  readonly receivedAt: number
  readonly oneOf: number
  acceptedAt: number | null
}

interface SendRow extends Sending {
  readonly conversation: string
  readonly answer: Answer
  readonly committedAt: number
}

const keyOf = (packId: Buffer, connection: string): string => packId.toString('latin1') + connection
const NOTHING: LedgerPart = { messages: [], devices: [], pushes: [], sends: [], isAll: true }

export function createLedger(sampling: Sampling, counters: Counters): Ledger {
  let pushes: PushRow[] = []
  let sends: SendRow[] = []
  /** Commands that are on their way, the oldest first, by packId and connection: nobody's packId is his alone. */
  const sending = new Map<string, Sending>()
  let dropped = 0

  /** By the last 32 bits of the packId, which are random: gateways agree on it. */
  const isIn = (tail: number, oneOf: number): boolean => tail % oneOf === 0

  function hasRoom(): boolean {
    if (pushes.length + sends.length < limits.ledgerRowsMax) return true
    drop()
    return false
  }

  function drop(): void {
    dropped += 1
    counters.ledgerDropped += 1
  }

  function keep(
    { user, entry, origin: { transport } }: Connection,
    how: Pick<PushRow, 'message' | 'pushedAt' | 'ackedAt' | 'ended' | 'resends'>,
  ): void {
    if (entry && user !== null && hasRoom()) pushes.push({ user, entry, transport, ...how })
  }

  function forgetUnanswered(now: number): void {
    for (const [id, { receivedAt }] of sending) {
      if (now - receivedAt < limits.ledgerSendMsMax) return
      sending.delete(id)
    }
  }

  return {
    oneOf: (now) => sampling(0, now),
    messageOf(item, fannedAt, pushes, now) {
      if (item.kind !== 'message' || item.packId === null) return null
      const oneOf = sampling(pushes, now)
      if (oneOf === 0 || !isIn(Number.parseInt(item.packId.slice(-8), 16), oneOf)) return null
      return { conversation: item.conversationId, seq: item.seq, time: item.time, fannedAt, oneOf }
    },
    sent({ id, user, entry, origin: { transport } }, { packId, payload, stream }, receivedAt) {
      if (!entry || user === null || isRoom(stream) || payload.type !== 'SendMessage') return
      const oneOf = sampling(1, receivedAt)
      if (oneOf === 0 || !isIn(packId.readUInt32BE(12), oneOf)) return
      const key = keyOf(packId, id)
      // Sent again: its way began with the first frame.
      if (sending.has(key)) return
      if (sending.size >= limits.ledgerSendsMax) forgetUnanswered(receivedAt)
      if (sending.size >= limits.ledgerSendsMax) drop()
      else sending.set(key, { user, entry, transport, receivedAt, oneOf, acceptedAt: null })
    },
    appended({ id }, packId, isDone, now) {
      if (sending.size === 0) return
      const key = keyOf(packId, id)
      const found = sending.get(key)
      if (!found) return
      if (isDone) found.acceptedAt ??= now
      else sending.delete(key)
    },
    answered(conversation, answer, committedAt) {
      if (sending.size === 0) return
      const key = keyOf(answer.packId, answer.connection)
      const found = sending.get(key)
      if (!found) return
      sending.delete(key)
      // A repeat tells of a message whose way was another.
      if (answer.code === null && !answer.repeat && hasRoom())
        sends.push({ ...found, conversation, answer, committedAt })
    },
    acknowledge(connection, acks, ackedAt) {
      const { push } = connection
      if (!push) return 0
      const note = ({ event: { ledger: message }, firstAt: pushedAt, resends }: Unacked): void => {
        if (message) keep(connection, { message, pushedAt, ackedAt, ended: null, resends })
      }
      let count = 0
      for (const { conversationId, seq } of acks) count += acknowledge(push, conversationId, seq, note)
      return count
    },
    refused(connection, message, pushedAt) {
      keep(connection, { message, pushedAt, ackedAt: null, ended: 'slow_consumer', resends: 0 })
    },
    left(connection, { streams }, ended) {
      for (const { unacked } of streams.values())
        for (const { event, firstAt: pushedAt, resends } of unacked)
          if (event.ledger)
            keep(connection, { message: event.ledger, pushedAt, ackedAt: null, ended, resends })
    },
    waiting: () => pushes.length + sends.length,
    dropped: () => dropped,
    take(now) {
      forgetUnanswered(now)
      if (pushes.length + sends.length === 0) return NOTHING
      const some = pushes.slice(0, limits.ledgerPerRecordMax)
      return partOf(
        some,
        sends.slice(0, limits.ledgerPerRecordMax - some.length),
        (count) => count === pushes.length + sends.length,
      )
    },
    written(part) {
      counters.ledgerWritten += part.pushes.length + part.sends.length
      if (part.pushes.length > 0) pushes = pushes.slice(part.pushes.length)
      if (part.sends.length > 0) sends = sends.slice(part.sends.length)
    },
  }
}

/** What many rows have in common stands once; times are told as what passed since the message's. */
function partOf(
  pushes: readonly PushRow[],
  sends: readonly SendRow[],
  isAll: (count: number) => boolean,
): LedgerPart {
  const messages: LedgerMessage[] = []
  const messageAt = new Map<LedgerMessage, number>()
  const devices: LedgerPart['devices'] = []
  const deviceAt = new Map<string, number>()
  const placeOf = ({ user, entry, transport }: PushRow | SendRow): number => {
    const known = deviceAt.get(entry.connection)
    if (known !== undefined) return known
    const { deviceId, deviceType, connection } = entry
    deviceAt.set(connection, devices.length)
    return devices.push({ user, deviceId, deviceType, transport, connection }) - 1
  }
  const messagePlaceOf = (message: LedgerMessage): number => {
    const known = messageAt.get(message)
    if (known !== undefined) return known
    messageAt.set(message, messages.length)
    return messages.push(message) - 1
  }
  return {
    messages,
    devices,
    pushes: pushes.map((row) => ({
      message: messagePlaceOf(row.message),
      device: placeOf(row),
      pushedMs: row.pushedAt - row.message.time,
      ackedMs: row.ackedAt === null ? null : row.ackedAt - row.message.time,
      ended: row.ended,
      resends: row.resends,
    })),
    sends: sends.map((row) => ({
      conversation: row.conversation,
      seq: row.answer.seq,
      packId: row.answer.packId,
      device: placeOf(row),
      time: row.answer.time,
      receivedMs: row.receivedAt - row.answer.time,
      // Its answer came first: it was in the log by then.
      acceptedMs: (row.acceptedAt ?? row.committedAt) - row.answer.time,
      committedMs: row.committedAt - row.answer.time,
      oneOf: row.oneOf,
    })),
    isAll: isAll(pushes.length + sends.length),
  }
}
