/** What the read models of a fake platform answer: all of it counted anew from the streams, up to any seq. */
import { deflateRawSync } from 'node:zlib'
import type { Range } from '../../client/ranges.ts'
import type { ConversationEntry, Item, RequestFrame, ServerFrame, ServerFrameOf } from '../../client/wire.ts'
import { parseStream } from '../../schemas/ids.ts'

export interface FakePlatform {
  readonly streams: ReadonlyMap<string, Item[]>
  readonly groups: ReadonlyMap<string, ReadonlyMap<string, number>>
  readonly committed: ReadonlyMap<string, Item>
  readonly random: () => number
  readonly devices: ReadonlyMap<string, readonly { deviceId: string; deviceType: string }[]>
  /** Changes that one answer of a sync looks through. */
  syncMax: number
  /** Changes up to here are not indexed any more, by stream. */
  readonly syncFloor: ReadonlyMap<string, number>
  /** What was said while somebody was out, by stream and user; the last one has no end while he is. */
  readonly away: ReadonlyMap<string, readonly Range[]>
}

type Request = Exclude<RequestFrame, { type: 'presence' | 'overview' }>

/** First seq that each reader may see, by user. */
export function readersOf(
  { groups }: Pick<FakePlatform, 'groups'>,
  stream: string,
): ReadonlyMap<string, number> {
  const ref = parseStream(stream)
  if (ref?.kind === 'p2p') return new Map(ref.users.map((user) => [user, 1]))
  if (ref?.kind === 'user') return new Map([[ref.userId, 1]])
  return groups.get(stream) ?? new Map()
}

export const awayKey = (stream: string, user: string): string => `${stream} ${user}`

/** Which seqs a user was out at, and the last one that he knows of. */
export function absence({ away }: Pick<FakePlatform, 'away'>, stream: string, user: string) {
  const ranges = away.get(awayKey(stream, user)) ?? []
  const last = ranges.at(-1)
  return {
    isOut: (seq: number): boolean => ranges.some(({ from, to }) => from <= seq && seq <= to),
    end: last?.to === Number.POSITIVE_INFINITY ? last.from - 1 : Number.POSITIVE_INFINITY,
  }
}

const hidden = ({ conversationId, seq }: Item): Item => ({
  ...{ conversationId, seq, ordinal: 0, kind: 'hidden', time: 0 },
  ...{ senderId: '', mentions: [], mentionAll: false, members: [] },
})

const ofSenderOnly: ReadonlySet<string> = new Set(['blocked', 'friendDeleted'])

/** The item as this reader may see it. */
export const visibleTo = (item: Item, user: string): Item =>
  ofSenderOnly.has(item.kind) && item.senderId !== user ? hidden(item) : item

/** Messages as they stand when the stream has come to `upTo`, without edits after `end`; other items as they are. */
export function current(items: readonly Item[], upTo: number, end = Number.POSITIVE_INFINITY): Item[] {
  const now = items.slice(0, upTo)
  for (const change of items.slice(0, upTo)) {
    if (change.kind !== 'edited' && change.kind !== 'recalled') continue
    if (change.kind === 'edited' && change.seq > end) continue
    const at = (change.targetSeq ?? 0) - 1
    const target = now[at]
    if (target?.kind !== 'message') continue
    const { seq: targetSeq, contentType, content, mentions, mentionAll } = change
    if (change.kind === 'edited')
      now[at] = { ...target, contentType, content, mentions, mentionAll, targetSeq }
    if (change.kind !== 'recalled') continue
    const nothing = { contentType: null, content: null, mentions: [], mentionAll: false, replyTo: null }
    now[at] = { ...target, ...nothing, targetSeq }
  }
  return now
}

type Reactions = ReadonlyMap<string, ReadonlySet<string>>

/** When the stream has come to `upTo`: seq of the message → emoji → users. */
export function reactionsIn(items: readonly Item[], upTo: number): ReadonlyMap<number, Reactions> {
  const all = new Map<number, Map<string, Set<string>>>()
  for (const { kind, targetSeq, value, on, senderId } of items.slice(0, upTo)) {
    const target = targetSeq ?? 0
    if (kind === 'recalled') all.delete(target)
    if (kind !== 'reacted') continue
    const emojis = all.get(target) ?? new Map<string, Set<string>>()
    all.set(target, emojis)
    const users = emojis.get(value ?? '') ?? new Set()
    if (on) users.add(senderId)
    else users.delete(senderId)
    if (users.size > 0) emojis.set(value ?? '', users)
    else emojis.delete(value ?? '')
  }
  return all
}

export function answerOf(of: FakePlatform, user: string, frame: Request, partial: boolean): ServerFrame {
  const { id } = frame
  const itemsOf = (stream: string): readonly Item[] => of.streams.get(stream) ?? []
  const own = itemsOf(`u:${user}`)
  const refuse = (code: string): ServerFrame => ({ type: 'error', id, code, message: code })
  switch (frame.type) {
    case 'heads': {
      const heads = [...of.streams]
        .filter(([stream]) => readersOf(of, stream).has(user))
        .filter(() => !partial || of.random() < 0.5)
        .map(([conversationId, items]) => ({
          conversationId,
          seq: Math.min(items.length, absence(of, conversationId, user).end),
          ordinal: items.at(-1)?.ordinal ?? 0,
          fromSeq: readersOf(of, conversationId).get(user) ?? 1,
        }))
      return { type: 'headsResult', id, partial, heads }
    }
    case 'conversations': {
      const { before } = frame
      const all = listOf(of, user)
      const from = before ? all.findIndex((entry) => entry.conversationId === before) + 1 : 0
      const conversations = all.slice(from, from + (frame.limit ?? 50))
      const last = conversations.at(-1)?.conversationId
      const next = from + conversations.length < all.length ? last : null
      return { type: 'conversationsResult', id, partial, conversations, next }
    }
    case 'history': {
      const { conversationId } = frame
      const items = itemsOf(conversationId)
      const fromSeq = readersOf(of, conversationId).get(user)
      if (fromSeq === undefined) return refuse('not_member')
      const { isOut, end } = absence(of, conversationId, user)
      const applied = partial ? Math.floor(of.random() * (items.length + 1)) : items.length
      const toSeq = Math.min(applied, end)
      const visible = current(items, applied, end)
        .filter((item) => item.seq >= fromSeq && item.seq <= toSeq)
        .map((item) => (isOut(item.seq) ? hidden(item) : visibleTo(item, user)))
      const limit = frame.limit ?? 30
      const { after, before } = frame
      const backwards = after === undefined || after === null
      const side = backwards
        ? visible.filter((item) => item.seq < (before ?? Number.POSITIVE_INFINITY))
        : visible.filter((item) => item.seq > after)
      const page = backwards ? side.slice(-limit) : side.slice(0, limit)
      const all = reactionsIn(items, toSeq)
      const reactions = page.flatMap(({ seq }) =>
        [...(all.get(seq) ?? [])].map(([emoji, users]) => ({
          ...{ seq, emoji, count: users.size, mine: users.has(user) },
        })),
      )
      const more = side.length > page.length
      return {
        ...{
          type: 'historyResult',
          id,
          conversationId,
          partial,
          fromSeq,
          toSeq,
          more,
          items: page,
          reactions,
        },
      }
    }
    case 'sync': {
      const { conversationId, changesUpTo, ranges } = frame
      const result = { type: 'syncResult' as const, id, conversationId }
      const items = itemsOf(conversationId)
      if (!readersOf(of, conversationId).has(user)) return refuse('not_member')
      if (changesUpTo < (of.syncFloor.get(conversationId) ?? 0))
        return { ...result, partial: false, reset: true, changesUpTo: items.length, changes: [] }
      const { isOut, end } = absence(of, conversationId, user)
      const changed = items.filter(
        ({ seq, kind, targetSeq }) =>
          seq > changesUpTo &&
          (kind === 'recalled' || (kind === 'edited' && seq <= end)) &&
          !isOut(targetSeq ?? 0),
      )
      const most = Number.isFinite(end) ? changed.length : of.syncMax
      const cut = partial ? Math.floor(of.random() * most) : most
      const looked = changed.slice(0, cut)
      const whole = looked.length === changed.length && !partial
      const upTo = Math.min(end, whole ? items.length : (looked.at(-1)?.seq ?? changesUpTo))
      const changes = looked.filter(({ targetSeq }) =>
        ranges.some(({ from, to }) => from <= (targetSeq ?? 0) && (targetSeq ?? 0) <= to),
      )
      return { ...result, partial: !whole, reset: false, changesUpTo: upTo, changes }
    }
    case 'lookup': {
      const item = of.committed.get(`${user}/${frame.packId}`)
      // A model that has it may say so even while it trails; "not there" it may only say when it does not.
      const found = item && (!partial || of.random() < 0.5) ? item : null
      const { seq, ordinal, time } = found ?? {}
      return { type: 'lookupResult', id, partial, seq, ordinal, time }
    }
    case 'joinRoom':
    case 'leaveRoom':
      return refuse('unsupported')
    case 'group':
      return groupOf(of, user, frame.conversationId, id, partial) ?? refuse('not_member')
    case 'members': {
      const all = [...readersOf(of, frame.conversationId)].sort(([, a], [, b]) => a - b)
      const from = Number(frame.after ?? 0)
      const to = from + (frame.limit ?? 100)
      const members = all.slice(from, to).map(([userId, joinedSeq]) => ({
        ...{ userId, role: 'member', joinedSeq, mutedUntil: 0 },
      }))
      const { conversationId } = frame
      const next = to < all.length ? String(to) : null
      return { type: 'membersResult', id, conversationId, partial, members, next }
    }
    case 'readers': {
      const { conversationId, seq } = frame
      const sender = itemsOf(conversationId)[seq - 1]?.senderId
      const readers = [...readersOf(of, conversationId).keys()]
        .filter((reader) => reader !== sender && readSeqOf(itemsOf(`u:${reader}`), conversationId) >= seq)
        .sort()
      const count = readers.length
      return { type: 'readersResult', id, conversationId, partial, count, readers, next: null }
    }
    case 'search': {
      const found = [...of.streams]
        .filter(([stream]) => readersOf(of, stream).has(user))
        .flatMap(([, items]) => current(items, items.length))
        .filter(({ kind, content }) => kind === 'message' && textOf(content).includes(frame.query))
        .sort((a, b) => b.time - a.time)
      const from = Number(frame.before ?? 0)
      const to = from + (frame.limit ?? 20)
      const next = to < found.length ? String(to) : null
      return { type: 'searchResult', id, partial, items: found.slice(from, to), next }
    }
    case 'relations':
      return { type: 'relationsResult', id, partial, relations: relationsOf(of, user) }
    case 'profiles': {
      const profiles = frame.userIds.map((userId) => {
        const changes = itemsOf(`u:${userId}`).filter(({ kind }) => kind === 'profile')
        const fields = { name: null, avatar: null, birthday: null, region: null, gender: null, custom: null }
        for (const { value } of changes) Object.assign(fields, JSON.parse(value ?? '{}'))
        return { userId, ...fields, version: changes.at(-1)?.seq ?? 0 }
      })
      return { type: 'profilesResult', id, partial, profiles }
    }
    case 'settings': {
      const settings = [...settingsOf(own)].map(([key, { value, seq }]) => ({ key, value, seq }))
      return { type: 'settingsResult', id, partial, settings }
    }
  }
}

/** The batches of an overview, as they go over the wire. */
export function overviewOf(
  of: FakePlatform,
  user: string,
  frame: { id: number; limit?: number | null; pages?: number | null },
  partial: () => boolean,
): ServerFrame[] {
  const { id, limit } = frame
  const list = answerOf(of, user, { type: 'conversations', id, limit }, partial())
  const { conversations } = list as ServerFrameOf<'conversationsResult'>
  const pages = conversations
    .slice(0, frame.pages ?? 20)
    .map(({ conversationId }) => answerOf(of, user, { type: 'history', id, conversationId }, partial()))
  const batches = [[list], ...pages.map((page) => [page])]
  return batches.map((batch, i) => {
    const data = deflateRawSync(JSON.stringify(batch))
    return { type: 'packed', id, last: i === batches.length - 1, data }
  })
}

function listOf(of: FakePlatform, user: string): ConversationEntry[] {
  const own = of.streams.get(`u:${user}`) ?? []
  const settings = settingsOf(own)
  const on = (key: string): boolean => settings.get(key)?.value === '1'
  return [...of.streams]
    .filter(([stream]) => !stream.startsWith('u:') && readersOf(of, stream).has(user))
    .map(([conversationId, items]): ConversationEntry => {
      const messages = current(items, items.length).filter(({ kind }) => kind === 'message')
      const last = messages.at(-1)
      const readSeq = readSeqOf(own, conversationId)
      const unread = messages.filter(
        ({ seq, senderId, content }) =>
          seq > Math.max(readSeq, (readersOf(of, conversationId).get(user) ?? 1) - 1) &&
          senderId !== user &&
          content !== null,
      )
      const ref = parseStream(conversationId)
      const peer = ref?.kind === 'p2p' ? ref.users.find((one) => one !== user) : undefined
      return {
        ...{ conversationId, kind: peer === undefined ? 'group' : 'single', lastSeq: items.length },
        ...{ lastTime: last?.time ?? 0, unread: unread.length, readSeq, readOrdinal: readSeq },
        mentions: unread.filter(({ mentions }) => mentions.includes(user)).length,
        mentionsAll: unread.filter(({ mentionAll }) => mentionAll).length,
        peerReadSeq: peer === undefined ? 0 : readSeqOf(of.streams.get(`u:${peer}`) ?? [], conversationId),
        ...{ pinned: on(`pin:${conversationId}`), muted: on(`mute:${conversationId}`) },
        draft: settings.get(`draft:${conversationId}`)?.value,
        ...{ dissolved: false, preview: last, memberCount: readersOf(of, conversationId).size },
      }
    })
    .filter(
      ({ conversationId, preview }) =>
        (preview?.seq ?? 0) > Number(settings.get(`deleted:${conversationId}`)?.value ?? 0),
    )
    .sort((a, b) => Number(b.pinned) - Number(a.pinned) || b.lastTime - a.lastTime)
}

const readSeqOf = (own: readonly Item[], conversationId: string): number =>
  own.reduce(
    (most, item) => (item.readConversationId === conversationId ? Math.max(most, item.readSeq ?? 0) : most),
    0,
  )

export function settingsOf(own: readonly Item[]): Map<string, { value: string; seq: number }> {
  const settings = new Map<string, { value: string; seq: number }>()
  for (const { kind, key, value, seq } of own) {
    if (kind !== 'setting') continue
    if (value === null || value === undefined) settings.delete(key ?? '')
    else settings.set(key ?? '', { value, seq })
  }
  return settings
}

function groupOf(
  of: FakePlatform,
  user: string,
  conversationId: string,
  id: number,
  partial: boolean,
): ServerFrameOf<'groupResult'> | null {
  const roster = of.groups.get(conversationId)
  const items = of.streams.get(conversationId) ?? []
  if (!roster) return null
  const pinned = new Set<number>()
  const fields: Record<string, string> = { name: '', joinPolicy: 'approval', addPolicy: 'members' }
  for (const { kind, targetSeq, on, name, value } of items) {
    if (kind === 'pinned' && on) pinned.add(targetSeq ?? 0)
    else if (kind === 'pinned' || kind === 'recalled') pinned.delete(targetSeq ?? 0)
    else if (kind === 'created') fields.name = name ?? ''
    else if (kind === 'groupSet') Object.assign(fields, JSON.parse(value ?? '{}'))
  }
  const { name = '', joinPolicy = '', addPolicy = '', ...others } = fields
  return {
    ...{ type: 'groupResult', id, conversationId, partial, name, joinPolicy, addPolicy, ...others },
    ...{ memberCount: roster.size, large: false, dissolved: false, allMuted: false, mutedUntil: 0 },
    ...{ role: roster.has(user) ? 'member' : null, pinned: [...pinned], asked: false, requests: [] },
  }
}

function relationsOf(of: FakePlatform, user: string) {
  const settings = settingsOf(of.streams.get(`u:${user}`) ?? [])
  return [...of.streams].flatMap(([stream, items]) => {
    const ref = parseStream(stream)
    const other =
      ref?.kind === 'p2p' && ref.users.includes(user) ? ref.users.find((one) => one !== user) : null
    if (!other) return []
    let state: 'none' | 'asked' | 'asking' | 'friend' = 'none'
    let [blocked, note, last]: [boolean, string | null, number] = [false, null, 0]
    for (const item of items.filter((one) => visibleTo(one, user) === one)) {
      const mine = item.senderId === user
      if (item.kind === 'friendRequested') [state, note] = [mine ? 'asked' : 'asking', item.value ?? null]
      else if (item.kind === 'friendAnswered') [state, note] = [item.on ? 'friend' : 'none', null]
      else if (item.kind === 'friendDeleted') state = 'none'
      else if (item.kind === 'blocked') blocked = item.on ?? false
      else continue
      last = item.seq
    }
    const remark = settings.get(`remark:${other}`)?.value ?? null
    return last === 0 ? [] : [{ userId: other, state, blocked, note, remark, seq: last }]
  })
}

const textOf = (content: unknown): string => (content as { text?: string } | null | undefined)?.text ?? ''
