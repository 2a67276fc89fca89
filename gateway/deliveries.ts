/** What fan-out tells this gateway: events to push, answers to senders, hints. Each record is decoded once. */
import type { ContentOpener } from '../projections/content-keys/follower.ts'
import { open } from '../schemas/avro.ts'
import { decodeEventPayload, history, openEnvelope } from '../schemas/codec.ts'
import { codes, isCode } from '../schemas/codes.ts'
import type { Item, ServerFrame } from '../schemas/frames.ts'
import { formatPackId, isRoom } from '../schemas/ids.ts'
import { isFor, itemOf } from '../schemas/item.ts'
import type { Clock, Logger } from '../schemas/ports.ts'
import {
  type Answer,
  type Delivery,
  type Envelope,
  type EventPayload,
  records,
  type Signal,
} from '../schemas/records.ts'
import type { ChannelEvent, Channels } from './channels.ts'
import { type Connection, type Connections, mayObserve } from './connections.ts'
import type { Counters } from './counters.ts'
import { createCrowding } from './crowding.ts'
import { createGaps } from './gaps.ts'
import { type Hub, pushLimits } from './hub.ts'
import type { Ledger } from './ledger.ts'
import type { Outbox } from './outbox.ts'
import { type OutgoingEvent, outgoingEvent, outgoingInstead } from './outgoing.ts'
import { isBehind, newPushState, noteKnown, type PushState, push, replaceChanged } from './push.ts'
import type { Rooms } from './rooms.ts'

export interface Deliveries {
  /**
   * Never throws: a delivery is a hint, and one that cannot be read is counted and dropped. A promise: it waits for the key of its
   * content, and no other may be handled before.
   */
  handle(value: Buffer, fannedAt: number): void | Promise<void>
  /** To all connections of a user but the one that sent it. */
  push(user: string, event: ChannelEvent): void
  /** Tells those of these users who hold less that the stream has come to `seq`. */
  hint(users: Iterable<string>, conversationId: string, seq: number): void
}

export interface DeliveriesOptions {
  readonly gatewayId: string
  readonly boot: string
  readonly connections: Connections
  readonly hub: Pick<Hub, 'send' | 'input' | 'resync'>
  readonly outbox: Pick<Outbox, 'replace' | 'write' | 'writeSoon'>
  readonly channels: Pick<Channels, 'deliver' | 'deliverUnread' | 'memberCount' | 'members'>
  readonly rooms: Pick<Rooms, 'deliver'>
  readonly ledger: Pick<Ledger, 'messageOf' | 'answered' | 'refused'>
  readonly opener: Pick<ContentOpener, 'opened' | 'untilRead'>
  readonly counters: Counters
  readonly clock: Clock
  readonly log: Logger
  /** Deliveries were lost: what let someone into a large group may be among them, or a block. */
  onGap(): void
  /** Whether they are friends, or who blocks whom, has changed for these users. */
  onRelation(users: readonly string[]): void
  observeDeliveryMs(ms: number): void
}

export function createDeliveries(options: DeliveriesOptions): Deliveries {
  const { channels, connections, counters, hub, outbox } = options
  const gaps = createGaps()
  const crowding = createCrowding()

  function deliver(delivery: Delivery, read: ReadEvent | null, fannedAt: number): void {
    if (gaps.note(delivery.partition, delivery.instance, delivery.counter)) {
      counters.deliveryGaps += 1
      hub.resync(connections.all())
      options.onGap()
    }
    // The answer first: the sender's own copy must not wait behind a large roster.
    if (delivery.answer) answer(delivery.stream, delivery.answer)
    const { headSeq, observing, recipients, signal, stream } = delivery
    if (read) event(delivery, read, fannedAt)
    else if (headSeq > 0) {
      hint(recipients, stream, headSeq, observing)
      if (delivery.channel) hint(channels.members(stream), stream, headSeq)
    }
    if (signal) tell(recipients, signal)
    if (delivery.related) options.onRelation(recipients)
  }

  function answer(stream: string, given: Answer): void {
    if (given.boot !== options.boot) return
    const connection = connections.byId(given.connection)
    if (connection?.session.phase !== 'open') return
    const packId = formatPackId(given.packId)
    options.ledger.answered(stream, given, options.clock.now())
    if (given.code === null) {
      counters.committed += 1
      const { seq, ordinal, time, repeat, conflict } = given
      const conversationId = stream
      hub.send(connection, {
        type: 'committed',
        packId,
        conversationId,
        seq,
        ordinal,
        time,
        repeat,
        conflict,
      })
      // A repeat may name a seq far above what this connection was pushed; only a fresh one stands for the event.
      if (!repeat && !isRoom(stream)) noteKnown(pushStateOf(connection), stream, seq, pushLimits)
      return
    }
    counters.rejected += 1
    const code = isCode(given.code) ? given.code : 'internal'
    const frame: ServerFrame = {
      type: 'rejected',
      packId,
      code,
      message: codes[code].text,
      retryAfterMs: null,
    }
    hub.send(connection, frame)
  }

  function event(delivery: Delivery, { envelope, item }: ReadEvent, fannedAt: number): void {
    const { stream, seq } = envelope
    if (isRoom(stream)) {
      if (item) room(envelope, item)
      return
    }
    const { channel, observing, recipients } = delivery
    const many = channel ? channels.memberCount(stream) : recipients.length
    const now = options.clock.now()
    const outgoing = item && outgoingEvent(item, options.ledger.messageOf(item, fannedAt, many, now))
    // Of a schema that this build does not know yet: the reads answer it.
    if (!outgoing) {
      hint(recipients, stream, seq, observing)
      if (!channel) return
      hint(channels.members(stream), stream, seq)
      channels.deliverUnread(stream, seq)
      return
    }
    options.observeDeliveryMs(now - envelope.time)
    const soon = many > FEW && outgoing.item.targetSeq === null && crowding.note(many, now)
    const sent = { outgoing, sender: senderConnection(envelope), soon }
    for (const user of recipients) pushToUser(user, sent, observing)
    if (channel) {
      counters.channelDeliveries += 1
      channels.deliver(sent, recipients)
    }
    if (!observing && ofFriends.has(outgoing.item.kind)) options.onRelation(recipients)
  }

  /** To everyone in it, its author too. What cannot be decoded is skipped, and the next frame says so. */
  function room(envelope: Envelope, item: Item): void {
    options.observeDeliveryMs(options.clock.now() - envelope.time)
    options.rooms.deliver(item)
  }

  /** The sending connection shows its own copy at `committed`. */
  function senderConnection({ reply }: Envelope): string | null {
    return reply && reply.gateway === options.gatewayId && reply.boot === options.boot
      ? reply.connection
      : null
  }

  function pushToUser(user: string, { outgoing, sender, soon }: ChannelEvent, observing = false): void {
    const of = connections.byUser(user)
    if (!of || !isFor(outgoing.item, user)) return
    const now = options.clock.now()
    for (const connection of of)
      if (connection.id !== sender && (!observing || mayObserve(connection)))
        pushTo(connection, outgoing, now, soon)
  }

  function pushTo(connection: Connection, outgoing: OutgoingEvent, now: number, soon: boolean): void {
    // Before its welcome a client reads nothing; its heads will tell.
    if (connection.session.phase !== 'open') return
    const state = pushStateOf(connection)
    const { encoding } = connection.codec
    if (outgoing.item.targetSeq !== null)
      replaceChanged(state, outgoing.item, outgoingInstead, (before, after) =>
        outbox.replace(connection, before.bytesIn(encoding), after.bytesIn(encoding)),
      )
    const verdict = push(state, outgoing, now, pushLimits)
    if (verdict === 'send') {
      counters.pushed += 1
      const bytes = outgoing.bytesIn(encoding)
      if (soon) outbox.writeSoon(connection, bytes)
      else outbox.write(connection, bytes)
    } else if (verdict === 'drop') counters.pushesDropped += 1
    else {
      if (outgoing.ledger) options.ledger.refused(connection, outgoing.ledger, now)
      hub.input(connection, { kind: 'slow' })
    }
  }

  function hint(users: Iterable<string>, conversationId: string, seq: number, observing = false): void {
    for (const user of users)
      for (const connection of connections.byUser(user) ?? []) {
        if (connection.session.phase !== 'open' || (observing && !mayObserve(connection))) continue
        if (connection.push && !isBehind(connection.push, conversationId, seq)) continue
        counters.headHints += 1
        hub.send(connection, { type: 'head', conversationId, seq })
      }
  }

  function tell(recipients: readonly string[], signal: Signal): void {
    const { kind, user: userId, conversationId, seq } = signal
    const frame: ServerFrame =
      kind === 'receipt'
        ? { type: 'receipt', conversationId, userId, seq }
        : { type: 'profileChanged', userId }
    for (const user of recipients)
      for (const connection of connections.byUser(user) ?? []) {
        if (connection.session.phase !== 'open') continue
        counters.signals += 1
        hub.send(connection, frame)
      }
  }

  function unreadable(error: unknown): void {
    counters.deliveriesUnreadable += 1
    if (counters.deliveriesUnreadable % 1_000 === 1)
      options.log.warn(
        { err: error, unreadable: counters.deliveriesUnreadable },
        'a delivery could not be read',
      )
  }

  /** With its content in clear, as far as its key is known. */
  function readEvent(bytes: Buffer): ReadEvent & { readonly waits: boolean } {
    const envelope = openEnvelope(bytes)
    const payload = decodePayload(envelope)
    const opened = payload && options.opener.opened(payload)
    return { envelope, item: opened && itemOf(envelope, opened), waits: payload !== null && opened === null }
  }

  /** The key was in the log before the message: it is on its way. What cannot be opened in the end is left to the reads. */
  async function handleLater(delivery: Delivery, bytes: Buffer, fannedAt: number): Promise<void> {
    counters.deliveriesWaitedForKey += 1
    try {
      await options.opener.untilRead()
    } catch (error) {
      unreadable(error)
    }
    try {
      deliver(delivery, readEvent(bytes), fannedAt)
    } catch (error) {
      unreadable(error)
    }
  }

  return {
    handle(value, fannedAt) {
      counters.deliveries += 1
      try {
        const delivery = open(records.Delivery, value, history)
        const read = delivery.event && readEvent(delivery.event)
        if (delivery.event && read?.waits) return handleLater(delivery, delivery.event, fannedAt)
        deliver(delivery, read, fannedAt)
      } catch (error) {
        unreadable(error)
      }
    },
    push: (user, sent) => pushToUser(user, sent),
    hint: (users, conversationId, seq) => hint(users, conversationId, seq),
  }
}

/** Recipients of an event up to whom each push leaves at once, however much is being pushed to others. */
const FEW = 20
const ofFriends: ReadonlySet<Item['kind']> = new Set(['friendAnswered', 'friendDeleted', 'blocked'])

function pushStateOf(connection: Connection): PushState<OutgoingEvent> {
  connection.push ??= newPushState()
  return connection.push
}

interface ReadEvent {
  readonly envelope: Envelope
  /** Null where the payload is of an unknown schema, or no event. */
  readonly item: Item | null
}

function decodePayload(envelope: Envelope): EventPayload | null {
  try {
    return decodeEventPayload(envelope)
  } catch {
    return null
  }
}
