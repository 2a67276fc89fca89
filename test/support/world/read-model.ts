/** A read model that folds the log itself: it trails on demand, says `partial` then, and never lies. */
import type { MemoryBroker } from '../../../infra/memory/broker.ts'
import type { MemoryOnlineMap } from '../../../infra/memory/online-map.ts'
import { emptyFold, foldRecord } from '../../../processors/fold.ts'
import type { PageRequest, ReadModels } from '../../../projections/reads.ts'
import type { Item } from '../../../schemas/frames.ts'
import { parseStream } from '../../../schemas/ids.ts'
import { itemOf } from '../../../schemas/item.ts'
import { limits } from '../../../schemas/limits.ts'
import { Fault } from '../../../schemas/ports.ts'
import { topics } from '../../../schemas/topics.ts'

export interface WorldReads extends ReadModels {
  /** Items of every stream, in seq order, as far as the model has come. */
  readonly streams: ReadonlyMap<string, readonly Item[]>
  /** First seq that a user may see; undefined: none. */
  fromSeq(user: string, stream: string): number | undefined
  /** Seq of the event that put the user out for good; undefined: he is in. */
  toSeq(user: string, stream: string): number | undefined
  /** Records by verdict. */
  readonly verdicts: ReadonlyMap<string, number>
  /** Comes to the end of the log. */
  catchUp(): void
}

/** `trails` is asked before every answer. */
export function createWorldReads(
  broker: MemoryBroker,
  partitions: number,
  map: MemoryOnlineMap,
  trails: () => boolean,
): WorldReads {
  const folds = Array.from({ length: partitions }, () => emptyFold())
  const streams = new Map<string, Item[]>()
  const verdicts = new Map<string, number>()
  const joined = new Map<string, Map<string, number>>()
  const left = new Map<string, Map<string, number>>()

  const catchUp = () => {
    for (const [partition, fold] of folds.entries())
      for (const record of broker.read(topics.events, partition, fold.position.offset, 1e6)) {
        const { verdict, envelope, payload } = foldRecord(fold, record)
        verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1)
        const item = verdict === 'accept' && envelope && payload ? itemOf(envelope, payload) : null
        if (!item) continue
        const items = streams.get(item.conversationId) ?? []
        streams.set(item.conversationId, [...items, item])
        if (item.kind === 'removed') {
          const gone = left.get(item.conversationId) ?? new Map<string, number>()
          for (const user of item.members) gone.set(user, item.seq)
          left.set(item.conversationId, gone)
        }
        if (item.kind !== 'created' && item.kind !== 'added') continue
        const members = joined.get(item.conversationId) ?? new Map<string, number>()
        for (const user of item.members) if (!members.has(user)) members.set(user, item.seq)
        joined.set(item.conversationId, members)
      }
  }
  const behind = () =>
    folds.some((fold, partition) => fold.position.offset < broker.range(topics.events, partition).end)
  const isLarge = (group: string): boolean =>
    folds.some(({ streams }) => {
      const body = streams.get(group)?.body
      return body?.kind === 'group' && body.large
    })
  /** True: this answer is of an older state of the log. */
  const answering = (): boolean => {
    if (!trails()) catchUp()
    return behind()
  }
  const fromSeq = (user: string, stream: string): number | undefined => {
    const ref = parseStream(stream)
    if (ref?.kind === 'p2p') return ref.users.includes(user) ? 1 : undefined
    if (ref?.kind === 'user') return ref.userId === user ? 1 : undefined
    return joined.get(stream)?.get(user)
  }
  // Nobody comes back in this world.
  const toSeq = (user: string, stream: string) => left.get(stream)?.get(user)
  const lastOf = (stream: string, user: string | null = null): Item | null => {
    const to = user === null ? undefined : toSeq(user, stream)
    return streams.get(stream)?.at(to === undefined ? -1 : to - 1) ?? null
  }
  const isMember = (user: string, group: string) =>
    joined.get(group)?.has(user) === true && toSeq(user, group) === undefined
  const up = () => {
    if (map.down) throw new Fault('unavailable', 'down', { retriable: true })
  }

  // Nobody observes in this world.
  const reads: Omit<WorldReads, 'observing'> = {
    streams,
    verdicts,
    fromSeq,
    toSeq,
    catchUp,
    async heads(user) {
      const partial = answering()
      const heads = [...streams.keys()].flatMap((conversationId) => {
        const from = fromSeq(user, conversationId)
        const last = lastOf(conversationId, user)
        if (from === undefined || !last) return []
        const { seq, ordinal } = last
        return [{ conversationId, seq, ordinal, fromSeq: from, toSeq: toSeq(user, conversationId) ?? null }]
      })
      return { partial, heads }
    },
    async history(user, conversationId, page) {
      const partial = answering()
      const from = fromSeq(user, conversationId)
      if (from === undefined && !partial && parseStream(conversationId)?.kind === 'group')
        return { code: 'not_member' }
      const to = toSeq(user, conversationId) ?? Number.POSITIVE_INFINITY
      const items = (streams.get(conversationId) ?? []).filter(({ seq }) => seq >= (from ?? 1) && seq <= to)
      const cut = pageOf(items, page)
      const more =
        page.after == null
          ? (cut[0]?.seq ?? 0) > (from ?? 1)
          : (cut.at(-1)?.seq ?? 0) < (items.at(-1)?.seq ?? 0)
      return {
        code: null,
        partial,
        fromSeq: from ?? 1,
        toSeq: lastOf(conversationId, user)?.seq ?? 0,
        more,
        items: cut,
        reactions: [],
      }
    },
    async sync(_user, conversationId, { changesUpTo }) {
      const partial = answering()
      const upTo = lastOf(conversationId)?.seq ?? 0
      // Nobody recalls or edits in this world.
      return { code: null, partial, reset: false, changesUpTo: Math.max(changesUpTo, upTo), changes: [] }
    },
    async channelsOf(user) {
      up()
      const partial = answering()
      const channels = [...joined.keys()].filter((group) => isLarge(group) && isMember(user, group))
      return { partial, channels }
    },
    async membersAmong(conversationId, users, atLeast = 0) {
      up()
      answering()
      if ((lastOf(conversationId)?.seq ?? 0) < atLeast)
        throw new Fault('unavailable', 'the directory trails', { retriable: true })
      const since = (user: string) => joined.get(conversationId)?.get(user) ?? 0
      return new Map(
        users.filter((user) => isMember(user, conversationId)).map((user) => [user, since(user)]),
      )
    },
    conversations: async () => ({ partial: false, conversations: [], next: null }),
    group: async () => ({ code: 'not_member' }),
    members: async () => ({ code: 'not_member' }),
    readers: async () => ({ code: 'not_member' }),
    relations: async () => ({ partial: false, relations: [] }),
    openFriends: async () => [],
    profiles: async () => ({ partial: false, profiles: [] }),
    settings: async () => ({ partial: false, settings: [] }),
    search: async () => ({ code: null, partial: false, items: [], next: null }),
    target: async () => ({ partial: false, target: null }),
    overview: async () => ({ conversations: { partial: false, conversations: [], next: null }, pages: [] }),
    typingAudience: async () => null,
    roomPage: async () => ({ partial: false, headSeq: 0, items: [] }),
    async lookup(user, conversationId, packId) {
      const partial = answering()
      const item = streams.get(conversationId)?.find((one) => one.packId === packId && one.senderId === user)
      return { partial, found: item ? { seq: item.seq, ordinal: item.ordinal, time: item.time } : null }
    },
    async headOf(conversationId) {
      const partial = answering()
      const last = lastOf(conversationId)
      // Fan-out raises heads before the models have come so far.
      const raised = map.heads.get(conversationId)
      const head = raised && raised.seq > (last?.seq ?? 0) ? raised : last
      return { partial, head: head && { seq: head.seq, ordinal: head.ordinal, time: head.time } }
    },
    async endFor(user, conversationId) {
      const { partial } = await reads.headOf(conversationId)
      if (fromSeq(user, conversationId) === undefined) return { partial, end: null }
      const { seq, ordinal } = lastOf(conversationId, user) ?? { seq: 0, ordinal: 0 }
      return { partial, end: { seq, ordinal } }
    },
  }
  return { ...reads, observing: reads }
}

function pageOf(items: readonly Item[], { before, after, limit }: PageRequest): Item[] {
  const count = limit ?? limits.pageMessagesDefault
  if (after != null) return items.filter((item) => item.seq > after).slice(0, count)
  return items.filter((item) => item.seq < (before ?? Number.POSITIVE_INFINITY)).slice(-count)
}
