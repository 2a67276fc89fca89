/**
 * Gateways and a log behind them in a few lines, with faults on demand: for tests of the client alone. It keeps the
 * promises that the platform makes (one packId is one message, heads and history tell the truth or say partial, a lost push is followed
 * by a resync) and breaks everything else.
 */

import type { OpenTransport, TransportHandlers } from '../../client/transport.ts'
import type { ClientFrame, FrameCodec, Item, ServerFrame } from '../../client/wire.ts'
import { p2pId, parseStream } from '../../schemas/ids.ts'
import type { VirtualTime } from './virtual-time.ts'

/** Chances from 0 to 1. */
export interface Faults {
  /** A frame to a client is lost, and its connection lives on. */
  readonly lose: number
  readonly double: number
  /** The connection breaks at a frame, in either direction. */
  readonly kill: number
  /** The connection goes silent without closing. */
  readonly silence: number
  /** A command is answered unavailable: half of these were appended all the same. */
  readonly unavailable: number
  readonly expired: number
  readonly partial: number
  readonly refuseConnect: number
}
export const noFaults: Faults = {
  lose: 0,
  double: 0,
  kill: 0,
  silence: 0,
  unavailable: 0,
  expired: 0,
  partial: 0,
  refuseConnect: 0,
}

interface Link {
  readonly handlers: TransportHandlers
  userId: string | null
  live: boolean
  silent: boolean
  /** Frames arrive in the order in which they were sent. */
  upAtMs: number
  downAtMs: number
}

export interface FakeGateway {
  readonly open: OpenTransport
  readonly codec: FrameCodec
  faults: Faults
  readonly streams: Map<string, Item[]>
  /** Who may see what, from which seq on. */
  readonly groups: Map<string, Map<string, number>>
  /** Frames received, by type. */
  readonly seen: ClientFrame[]
  /** Puts an item into a stream as a sequencer would, and pushes it. */
  append(
    item: Omit<Item, 'seq' | 'ordinal' | 'time' | 'members' | 'mentions' | 'mentionAll'> & Partial<Item>,
  ): Item
  /** Breaks every connection. */
  killAll(): void
  links(): number
  /** Sends a frame to all connections of a user. */
  tell(userId: string, frame: ServerFrame): void
}

/** The token is the user id. Frames pass as objects through JSON, as on the wire. */
export function fakeGateway(time: VirtualTime, random: () => number): FakeGateway {
  const links = new Set<Link>()
  const streams = new Map<string, Item[]>()
  const groups = new Map<string, Map<string, number>>()
  const known = new Map<string, Item>()
  const asked = new Set<string>()
  let decidedAtMs = 0
  const lateness = (): number => 1 + Math.floor(random() * 8)
  const chance = (of: number): boolean => of > 0 && random() < of

  function sever(link: Link): void {
    if (!link.live) return
    link.live = false
    links.delete(link)
    time.after(1, () => link.handlers.closed('killed'))
  }

  function down(link: Link, frame: ServerFrame): void {
    link.downAtMs = Math.max(link.downAtMs, time.now() + lateness())
    const data = JSON.stringify(frame)
    time.after(link.downAtMs - time.now(), () => {
      if (!link.live || link.silent) return
      if (chance(self.faults.silence)) link.silent = true
      const isLoginAnswer = frame.type === 'welcome' || frame.type === 'bye'
      if (chance(self.faults.kill)) sever(link)
      else if (!isLoginAnswer && chance(self.faults.lose)) lost(link)
      else {
        link.handlers.data(data)
        if (chance(self.faults.double)) link.handlers.data(data)
      }
    })
  }

  function lost(link: Link): void {
    time.after(200 + random() * 1_800, () => {
      if (link.live) down(link, { type: 'resync', reason: 'lost' })
    })
  }

  const itemsOf = (stream: string): Item[] => streams.get(stream) ?? streams.set(stream, []).get(stream) ?? []
  const readersOf = (stream: string): Map<string, number> => {
    const ref = parseStream(stream)
    if (ref?.kind === 'p2p') return new Map(ref.users.map((user) => [user, 1]))
    if (ref?.kind === 'user') return new Map([[ref.userId, 1]])
    return groups.get(stream) ?? new Map()
  }

  function append(item: Parameters<FakeGateway['append']>[0], sender: Link | null = null): Item {
    const items = itemsOf(item.conversationId)
    const ordinal = (items.at(-1)?.ordinal ?? 0) + (item.kind === 'message' ? 1 : 0)
    const defaults = { members: [], mentions: [], mentionAll: false }
    const whole: Item = { ...defaults, ...item, seq: items.length + 1, ordinal, time: time.now() }
    items.push(whole)
    for (const [user, fromSeq] of readersOf(item.conversationId))
      for (const link of links)
        if (link.userId === user && link !== sender && whole.seq >= fromSeq)
          down(link, { type: 'event', item: whole })
    return whole
  }

  function command(link: Link, userId: string, frame: Extract<ClientFrame, { packId: string }>): void {
    const { packId } = frame
    const key = `${userId}/${packId}`
    const refused = chance(self.faults.unavailable)
    const reject = (code: string): void =>
      down(link, { type: 'rejected', packId, code, message: code, retryAfterMs: 50 })
    if (refused && random() < 0.5) {
      reject('unavailable')
      return
    }
    if (!refused) down(link, { type: 'accepted', packId })
    // The log decides in the order of appends.
    const old =
      asked.has(key) || time.now() - Number.parseInt(packId.replace('-', '').slice(0, 12), 16) > 5_000
    asked.add(key)
    decidedAtMs = Math.max(decidedAtMs, time.now() + lateness())
    time.after(decidedAtMs - time.now(), () => {
      const first = known.get(key)
      if (old && chance(self.faults.expired)) {
        reject('pack_id_expired')
        return
      }
      const item = first ?? append(itemOf(userId, frame), link.live ? link : null)
      known.set(key, item)
      if (refused) {
        reject('unavailable')
        return
      }
      const { conversationId, seq, ordinal, time: at } = item
      down(link, {
        type: 'committed',
        packId,
        conversationId,
        seq,
        ordinal,
        time: at,
        repeat: first !== undefined,
        conflict: false,
      })
    })
  }

  function itemOf(
    userId: string,
    frame: Extract<ClientFrame, { packId: string }>,
  ): Parameters<typeof append>[0] {
    const by = { senderId: userId, packId: frame.packId }
    switch (frame.type) {
      case 'send': {
        const conversationId = frame.to ? p2pId(userId, frame.to) : (frame.conversationId ?? '')
        const { contentType, content, mentions, mentionAll, replyTo } = frame
        return { ...by, conversationId, kind: 'message', contentType, content, mentions, mentionAll, replyTo }
      }
      case 'createGroup': {
        const conversationId = `g:${frame.packId.replaceAll('-', '')}`
        const members = [...new Set([userId, ...frame.members])]
        groups.set(conversationId, new Map(members.map((member) => [member, 1])))
        return { ...by, conversationId, kind: 'created', name: frame.name, members }
      }
      case 'addMembers': {
        const { conversationId, members } = frame
        const next = itemsOf(conversationId).length + 1
        const roster = groups.get(conversationId)
        for (const member of members) if (!roster?.has(member)) roster?.set(member, next)
        return { ...by, conversationId, kind: 'added', members }
      }
      case 'recall':
        return { ...by, conversationId: frame.conversationId, kind: 'recalled', targetSeq: frame.seq }
      case 'edit': {
        const { contentType, content, seq, conversationId } = frame
        return { ...by, conversationId, kind: 'edited', targetSeq: seq, contentType, content }
      }
      case 'markRead': {
        const { conversationId: readConversationId, seq: readSeq, ordinal: readOrdinal } = frame
        return {
          ...by,
          conversationId: `u:${userId}`,
          kind: 'read',
          readConversationId,
          readSeq,
          readOrdinal,
        }
      }
      default:
        throw new Error(`not in the fake: ${frame.type}`)
    }
  }

  function request(userId: string, frame: Extract<ClientFrame, { id: number }>): ServerFrame {
    const { id } = frame
    const partial = chance(self.faults.partial)
    switch (frame.type) {
      case 'ping':
        return { type: 'pong', id, serverTime: time.now() }
      case 'heads': {
        const heads = [...streams]
          .filter(([stream]) => readersOf(stream).has(userId))
          .filter(() => !partial || random() < 0.5)
          .map(([conversationId, items]) => ({
            conversationId,
            seq: items.length,
            ordinal: items.at(-1)?.ordinal ?? 0,
            fromSeq: readersOf(conversationId).get(userId) ?? 1,
          }))
        return { type: 'headsResult', id, partial, heads }
      }
      case 'history': {
        const { conversationId } = frame
        const items = itemsOf(conversationId)
        const fromSeq = readersOf(conversationId).get(userId)
        if (fromSeq === undefined) return { type: 'error', id, code: 'not_member', message: 'not_member' }
        const toSeq = partial ? Math.floor(random() * (items.length + 1)) : items.length
        const visible = items.filter((item) => item.seq >= fromSeq && item.seq <= toSeq)
        const limit = frame.limit ?? 30
        const after = frame.after
        const page =
          after === undefined || after === null
            ? visible.filter((item) => item.seq < (frame.before ?? Number.POSITIVE_INFINITY)).slice(-limit)
            : visible.filter((item) => item.seq > after).slice(0, limit)
        return {
          type: 'historyResult',
          id,
          conversationId,
          partial,
          fromSeq,
          toSeq,
          more: false,
          items: page,
        }
      }
      case 'sync': {
        const { conversationId, changesUpTo, ranges } = frame
        const items = itemsOf(conversationId)
        const changes = items.filter(
          (item) =>
            item.seq > changesUpTo &&
            (item.kind === 'recalled' || item.kind === 'edited') &&
            ranges.some((range) => range.from <= (item.targetSeq ?? 0) && (item.targetSeq ?? 0) <= range.to),
        )
        return {
          type: 'syncResult',
          id,
          conversationId,
          partial,
          reset: false,
          changesUpTo: items.length,
          changes: partial ? [] : changes,
        }
      }
      case 'lookup': {
        const item = known.get(`${userId}/${frame.packId}`)
        // A model that has it may say so even while it trails; "not there" it may only say when it does not.
        const found = item && (!partial || random() < 0.5) ? item : null
        return {
          type: 'lookupResult',
          id,
          partial,
          seq: found?.seq,
          ordinal: found?.ordinal,
          time: found?.time,
        }
      }
      default:
        throw new Error(`not in the fake: ${frame.type}`)
    }
  }

  function received(link: Link, frame: ClientFrame): void {
    self.seen.push(frame)
    if (frame.type === 'login') {
      link.userId = frame.token
      down(link, {
        type: 'welcome',
        userId: frame.token,
        connectionId: 'c',
        gatewayId: 'gw',
        serverTime: time.now(),
        heartbeatMs: 30_000,
      })
    } else if (link.userId === null) return
    else if (frame.type === 'logout') {
      link.live = false
      links.delete(link)
    } else if ('packId' in frame && !('id' in frame)) command(link, link.userId, frame)
    else if ('id' in frame) down(link, request(link.userId, frame))
  }

  const self: FakeGateway = {
    faults: noFaults,
    streams,
    groups,
    seen: [],
    append,
    killAll() {
      for (const link of [...links]) sever(link)
    },
    links: () => links.size,
    tell(userId, frame) {
      for (const link of links) if (link.userId === userId) down(link, frame)
    },
    codec: {
      subprotocol: 'fake',
      encode: (frame) => JSON.stringify(frame),
      decode: (data) => JSON.parse(String(data)) as ServerFrame,
    },
    open(_address, _subprotocol, handlers) {
      const link: Link = { handlers, userId: null, live: true, silent: false, upAtMs: 0, downAtMs: 0 }
      links.add(link)
      if (chance(self.faults.refuseConnect)) sever(link)
      else time.after(lateness(), () => link.live && handlers.open())
      return {
        send(data) {
          if (!link.live) return false
          link.upAtMs = Math.max(link.upAtMs, time.now() + lateness())
          time.after(link.upAtMs - time.now(), () => {
            if (!link.live || link.silent) return
            if (chance(self.faults.kill)) sever(link)
            else received(link, JSON.parse(String(data)) as ClientFrame)
          })
          return true
        },
        close() {
          // What is on its way still arrives, then the server sees the end.
          time.after(20, () => {
            link.live = false
            links.delete(link)
          })
          link.handlers.data = () => {}
          link.handlers.closed = () => {}
        },
      }
    },
  }
  return self
}
