/**
 * Gateways and a log behind them in a few lines, with faults on demand: for tests of the client alone. It keeps the
 * promises that the platform makes (one packId is one message, heads and history tell the truth or say partial, a lost push is followed
 * by a resync) and breaks everything else.
 */

import { jsonCodec } from '../../client/codec-json.ts'
import type { Range } from '../../client/ranges.ts'
import type { OpenTransport, TransportHandlers } from '../../client/transport.ts'
import type {
  ClientFrame,
  CommandFrame,
  FrameCodec,
  Item,
  RequestFrame,
  ServerFrame,
} from '../../client/wire.ts'
import { groupStream, newGroupId, p2pId, parsePackId, parseStream } from '../../schemas/ids.ts'
import { defaultWindows } from '../../schemas/windows.ts'
import {
  absence,
  answerOf,
  awayKey,
  type FakePlatform,
  overviewOf,
  readersOf,
  settingsOf,
  visibleTo,
} from './fake-reads.ts'
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
  /** Whose presence it is told. */
  readonly watches: Set<string>
}

export interface FakeGateway {
  readonly open: OpenTransport
  readonly codec: FrameCodec
  faults: Faults
  readonly streams: Map<string, Item[]>
  /** Who may see what, from which seq on. */
  readonly away: Map<string, Range[]>
  readonly groups: Map<string, Map<string, number>>
  /** Frames received, by type. */
  readonly seen: ClientFrame[]
  /** A code for a command that is to be refused. */
  refuse: (userId: string, frame: CommandFrame) => string | null
  /** What this login is asked before it may go on, as JSON; null: nothing. */
  challenge: (login: Extract<ClientFrame, { type: 'login' }>) => string | null
  /** The code that every login is refused with; null: none is. */
  refuseLogin: () => string | null
  /** Changes that one answer of a sync looks through. */
  syncMax: number
  /** Changes up to here are not indexed any more, by stream. */
  readonly syncFloor: Map<string, number>
  /** Sets on which devices a user is online, and tells who watches. */
  setDevices(userId: string, devices: readonly { deviceId: string; deviceType: string }[]): void
  /** Puts an item into a stream as a sequencer would, and pushes it. */
  append(
    item: Omit<Item, 'seq' | 'ordinal' | 'time' | 'members' | 'mentions' | 'mentionAll'> & Partial<Item>,
  ): Item
  /** Ann takes this user out of a group, or back in. */
  remove(stream: string, user: string): void
  readmit(stream: string, user: string): void
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
  const devices = new Map<string, readonly { deviceId: string; deviceType: string }[]>()
  const syncFloor = new Map<string, number>()
  const away = new Map<string, Range[]>()
  const platform: FakePlatform = {
    ...{ streams, groups, committed: known, random, devices, syncFloor, away },
    get syncMax() {
      return self.syncMax
    },
  }
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
    const data = JSON.stringify(
      frame.type === 'packed' ? { ...frame, data: Buffer.from(frame.data).toString('base64') } : frame,
    )
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
  function append(item: Parameters<FakeGateway['append']>[0], sender: Link | null = null): Item {
    const items = itemsOf(item.conversationId)
    const ordinal = (items.at(-1)?.ordinal ?? 0) + (item.kind === 'message' ? 1 : 0)
    const defaults = { members: [], mentions: [], mentionAll: false }
    const whole: Item = { ...defaults, ...item, seq: items.length + 1, ordinal, time: time.now() }
    items.push(whole)
    for (const [user, fromSeq] of readersOf(platform, item.conversationId))
      for (const link of links)
        if (
          link.userId === user &&
          link !== sender &&
          whole.seq >= fromSeq &&
          !absence(platform, item.conversationId, user).isOut(whole.seq)
        )
          down(link, { type: 'event', item: visibleTo(whole, user) })
    return whole
  }

  const byAnn = (stream: string) => ({
    ...{ conversationId: stream, senderId: 'ann', packId: `ann ${itemsOf(stream).length}` },
  })

  const toUser = (userId: string, frame: ServerFrame): void => {
    for (const link of links) if (link.userId === userId) down(link, frame)
  }

  function command(link: Link, userId: string, frame: CommandFrame): void {
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
      const code = first ? null : (self.refuse(userId, frame) ?? noChange(userId, frame))
      if (code) {
        reject(code)
        return
      }
      const item = first ?? append(itemOf(userId, frame), link.live ? link : null)
      known.set(key, item)
      if (!first) signal(userId, frame)
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

  function noChange(userId: string, frame: CommandFrame): string | null {
    if (frame.type === 'addMembers') {
      const roster = groups.get(frame.conversationId)
      return frame.members.every((member) => roster?.has(member)) ? 'no_change' : null
    }
    if (frame.type !== 'setSetting' || typeof frame.value === 'string') return null
    return settingsOf(itemsOf(`u:${userId}`)).has(frame.key) ? null : 'no_change'
  }

  /** Hints beside the streams. */
  function signal(userId: string, frame: CommandFrame): void {
    if (frame.type === 'markRead') {
      const ref = parseStream(frame.conversationId)
      const { conversationId, seq } = frame
      for (const peer of ref?.kind === 'p2p' ? ref.users : [])
        if (peer !== userId) toUser(peer, { type: 'receipt', conversationId, userId, seq })
    } else if (frame.type === 'setProfile')
      for (const { userId: other } of links)
        if (other && other !== userId) toUser(other, { type: 'profileChanged', userId })
  }

  function itemOf(userId: string, frame: CommandFrame): Parameters<typeof append>[0] {
    const by = { senderId: userId, packId: frame.packId }
    const own = { ...by, conversationId: `u:${userId}` }
    const withUser = (other: string) => ({ ...by, conversationId: p2pId(userId, other) })
    switch (frame.type) {
      case 'send': {
        const conversationId = frame.to ? p2pId(userId, frame.to) : (frame.conversationId ?? '')
        const { contentType, content, mentions, mentionAll, replyTo } = frame
        return { ...by, conversationId, kind: 'message', contentType, content, mentions, mentionAll, replyTo }
      }
      case 'createGroup': {
        const conversationId = groupStream(newGroupId(userId, parsePackId(frame.packId) ?? Buffer.alloc(16)))
        const members = [...new Set([userId, ...frame.members])]
        groups.set(conversationId, new Map(members.map((member) => [member, 1])))
        return { ...by, conversationId, kind: 'created', name: frame.name, members }
      }
      case 'addMembers': {
        const { conversationId } = frame
        const next = itemsOf(conversationId).length + 1
        const roster = groups.get(conversationId)
        const members = frame.members.filter((member) => !roster?.has(member))
        for (const member of members) roster?.set(member, next)
        return { ...by, conversationId, kind: 'added', members }
      }
      case 'edit': {
        const { contentType, content, mentions, mentionAll, seq, conversationId } = frame
        const target = { targetSeq: seq, conversationId }
        return { ...by, ...target, kind: 'edited', contentType, content, mentions, mentionAll }
      }
      case 'markRead': {
        const { conversationId: readConversationId, seq: readSeq, ordinal: readOrdinal } = frame
        return { ...own, kind: 'read', readConversationId, readSeq, readOrdinal }
      }
      case 'setSetting':
        return { ...own, kind: 'setting', key: frame.key, value: frame.value }
      case 'setProfile': {
        const { packId: _id, type: _type, ...fields } = frame
        return { ...own, kind: 'profile', name: frame.name, value: JSON.stringify(fields) }
      }
      case 'requestFriend':
        return { ...withUser(frame.userId), kind: 'friendRequested', value: frame.note }
      case 'answerFriend':
        return { ...withUser(frame.userId), kind: 'friendAnswered', on: frame.accept }
      case 'deleteFriend':
        return { ...withUser(frame.userId), kind: 'friendDeleted' }
      case 'block':
        return { ...withUser(frame.userId), kind: 'blocked', on: frame.on }
      default:
        return { ...by, conversationId: frame.conversationId, ...groupItem(frame) }
    }
  }

  function groupItem(
    frame: Extract<CommandFrame, { conversationId: string }>,
  ): Pick<Item, 'kind'> & Partial<Item> {
    switch (frame.type) {
      case 'recall':
        return { kind: 'recalled', targetSeq: frame.seq }
      case 'react':
        return { kind: 'reacted', targetSeq: frame.seq, value: frame.emoji, on: frame.on }
      case 'pin':
        return { kind: 'pinned', targetSeq: frame.seq, on: frame.on }
      case 'removeMembers': {
        const { members, conversationId } = frame
        // The removed are still told of it.
        time.after(0, () => {
          for (const member of members) groups.get(conversationId)?.delete(member)
        })
        return { kind: 'removed', members }
      }
      case 'dissolveGroup':
        return { kind: 'dissolved' }
      case 'requestJoin':
        return { kind: 'joinRequested' }
      case 'answerJoin':
        return { kind: 'joinAnswered', members: [frame.userId], on: frame.accept }
      case 'setRole':
        return { kind: 'roleSet', members: [frame.userId], value: frame.role }
      case 'mute':
        return { kind: 'muted', members: [frame.userId], until: frame.forMs && time.now() + frame.forMs }
      case 'muteAll':
        return { kind: 'allMuted', on: frame.on }
      case 'setGroup': {
        const { packId: _id, type: _type, conversationId: _of, ...fields } = frame
        return { kind: 'groupSet', name: frame.name, value: JSON.stringify(fields) }
      }
      case 'observe':
        return { kind: 'observing', on: frame.on }
      default:
        throw new Error(`not in the fake: ${frame.type}`)
    }
  }

  function request(link: Link, userId: string, frame: RequestFrame): ServerFrame[] {
    const partial = (): boolean => chance(self.faults.partial)
    if (frame.type === 'overview') return overviewOf(platform, userId, frame, partial)
    if (frame.type !== 'presence') return [answerOf(platform, userId, frame, partial())]
    for (const user of frame.subscribe) link.watches.add(user)
    for (const user of frame.unsubscribe) link.watches.delete(user)
    const states = frame.subscribe.map((user) => ({ userId: user, devices: [...(devices.get(user) ?? [])] }))
    return [{ type: 'presenceResult', id: frame.id, states }]
  }

  function received(link: Link, frame: ClientFrame): void {
    self.seen.push(frame)
    if (frame.type === 'login') {
      const challenge = self.challenge(frame)
      if (challenge !== null) {
        const code = 'proof_required'
        down(link, { type: 'bye', code, message: 'Prove it.', reconnectAfterMs: null, challenge })
        return
      }
      const refused = self.refuseLogin()
      if (refused !== null) {
        down(link, { type: 'bye', code: refused, message: refused, reconnectAfterMs: null })
        return
      }
      link.userId = frame.token
      down(link, {
        type: 'welcome',
        userId: frame.token,
        connectionId: 'c',
        gatewayId: 'gw',
        serverTime: time.now(),
        heartbeatMs: 30_000,
        recallWindowMs: defaultWindows.recallMs,
        editWindowMs: defaultWindows.editMs,
      })
    } else if (link.userId === null) return
    else if (frame.type === 'logout') {
      link.live = false
      links.delete(link)
    } else if (frame.type === 'ping') down(link, { type: 'pong', id: frame.id, serverTime: time.now() })
    else if ('id' in frame) for (const answer of request(link, link.userId, frame)) down(link, answer)
    else if ('packId' in frame) command(link, link.userId, frame)
    else if (frame.type === 'typing') {
      const { conversationId } = frame
      for (const [user] of readersOf(platform, conversationId))
        if (user !== link.userId) toUser(user, { type: 'userTyping', conversationId, userId: link.userId })
    }
  }

  const self: FakeGateway = {
    faults: noFaults,
    streams,
    groups,
    seen: [],
    refuse: () => null,
    challenge: () => null,
    refuseLogin: () => null,
    syncMax: 500,
    syncFloor,
    away,
    setDevices(userId, now) {
      devices.set(userId, now)
      const changes = [{ userId, devices: [...now] }]
      for (const link of links) if (link.watches.has(userId)) down(link, { type: 'presenceChanges', changes })
    },
    append,
    remove(stream, user) {
      const { seq } = append({ ...byAnn(stream), kind: 'removed', members: [user] })
      const key = awayKey(stream, user)
      away.set(key, [...(away.get(key) ?? []), { from: seq + 1, to: Number.POSITIVE_INFINITY }])
    },
    readmit(stream, user) {
      const open = away.get(awayKey(stream, user))?.pop()
      if (open) away.get(awayKey(stream, user))?.push({ ...open, to: itemsOf(stream).length })
      append({ ...byAnn(stream), kind: 'added', members: [user] })
    },
    killAll() {
      for (const link of [...links]) sever(link)
    },
    links: () => links.size,
    tell: toUser,
    codec: jsonCodec,
    open(_address, _subprotocol, handlers) {
      const state = { userId: null, live: true, silent: false, upAtMs: 0, downAtMs: 0 }
      const link: Link = { ...state, handlers, watches: new Set() }
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
