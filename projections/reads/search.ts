/**
 * Search in what a user may read: every word of the query must occur somewhere in the message as it stands now, whatever its capitals
 * and widths. Newest first. What the archive does not know yet, Redis tells: a recalled message is never found.
 */
import type { Item } from '../../schemas/frames.ts'
import { hiddenItem } from '../../schemas/item.ts'
import { limits } from '../../schemas/limits.ts'
import { Fault } from '../../schemas/ports.ts'
import { ALWAYS, mayRead, readableOf } from '../directory/membership.ts'
import type { Refused, SearchAnswer, SearchRequest } from '../reads.ts'
import type { MessageKey } from './archive.ts'
import { type ArchiveSearch, type FoundVersion, placeOf, type SearchPlace } from './archive-search.ts'
import type { Guard } from './guard.ts'
import { knownUpTo } from './knowledge.ts'
import { heads } from './lists.ts'
import { bytesOf } from './page.ts'
import { horizonOf, isBeyond, policyOf } from './policy.ts'
import {
  archiveAccess,
  couldRead,
  isFixedReader,
  liveAccess,
  orDown,
  readLive,
  type Sources,
  unavailable,
} from './sources.ts'

export interface SearchSources extends Sources {
  readonly search: ArchiveSearch
  readonly searchGuard: Guard
}

const DAY_MS = 86_400_000
const WHOLE = [Number.POSITIVE_INFINITY]
/** Where that is too much at once: the newest first, and the rest only where a page is not full of them. */
const STEPWISE = [DAY_MS, 30 * DAY_MS, 365 * DAY_MS, Number.POSITIVE_INFINITY]
/** With what is filtered out of each, and the steps. */
const ROUNDS_MAX = 10
/** Conversations whose newest event must be in the archive for an answer to be called whole. */
const HEADS_CHECKED_MAX = 100
/** Candidates beyond a page, for those that turn out not to match any more or to lie between memberships. */
const MORE = 5
const TOP: SearchPlace = { time: 9_000_000_000_000, conversation: '', seq: 0 }

export async function search(
  sources: SearchSources,
  user: string,
  ask: SearchRequest,
): Promise<Refused | SearchAnswer> {
  const conversation = ask.conversationId ?? null
  const terms = termsOf(ask.query)
  const newest =
    conversation === null ? await newestOf(sources, user) : await headOf(sources, user, conversation)
  if (newest === 'not_member') return { code: newest }
  if (terms.length === 0) return { code: null, partial: false, items: [], next: null }
  const limit = Math.max(1, Math.min(ask.limit ?? limits.searchPageDefault, limits.searchPageMax))
  return sources.searchGuard(async () => {
    // Before the search: what the archive holds now, it has searched.
    const trails = newest === null || (await sources.search.holds(newest)) < newest.length
    const found = await collect(sources, user, {
      terms,
      conversation,
      limit,
      from: placeIn(ask.before) ?? TOP,
    })
    return { code: null, ...found, partial: trails || found.partial }
  })
}

/** Words that must all occur. One that is part of another says nothing more; a query over its limit says nothing at all. */
export function termsOf(query: string): string[] {
  if (Buffer.byteLength(query) > limits.searchQueryBytesMax) return []
  const words = [...new Set(query.split(/\s+/u))].filter((word) => word !== '')
  return words.filter((word) => !words.some((other) => other !== word && other.includes(word)))
}

/** Newest events of the user's conversations as far as Redis knows them; null: it does not, or not for sure. */
async function newestOf(sources: Sources, user: string): Promise<MessageKey[] | null> {
  const all = await orDown(heads(sources, user))
  if (!all || all.partial) return null
  const conversations = all.heads.filter(({ conversationId }) => !conversationId.startsWith('u:'))
  return conversations
    .slice(0, HEADS_CHECKED_MAX)
    .map(({ conversationId, seq }): MessageKey => [conversationId, seq])
}

/** The same of one conversation. */
async function headOf(
  sources: Sources,
  user: string,
  conversation: string,
): Promise<MessageKey[] | 'not_member' | null> {
  if (!couldRead(user, conversation)) return 'not_member'
  const read = await orDown(readLive(sources, () => liveAccess(sources, user, conversation)))
  if (read?.complete && !read.value.unsure) {
    const { head, intervals } = read.value
    const last = intervals.at(-1)
    if (!last) return 'not_member'
    return head ? [[conversation, Math.min(head.seq, last.toSeq ?? head.seq)]] : []
  }
  if (await archiveAccess(sources, user, conversation)) return null
  throw unavailable()
}

interface Collecting {
  readonly terms: readonly string[]
  readonly conversation: string | null
  readonly limit: number
  readonly from: SearchPlace
}

async function collect(sources: SearchSources, user: string, ask: Collecting) {
  const { terms, conversation, limit, from } = ask
  const { policies, clock } = sources
  const now = clock.now()
  const afterTime = {
    p2p: horizonOf(policies.p2p, 0, now).time,
    group: horizonOf(policies.group, 0, now).time,
  }
  const max = limit + MORE
  const start = Math.min(from.time, now)
  const items: Item[] = []
  let [windows, window] = [WHOLE, 0]
  let [partial, bytes, below] = [false, 0, from]
  const answer = (next: SearchPlace | null) => ({ partial, items, next: next && placeText(next) })

  for (let round = 0; round < ROUNDS_MAX; round++) {
    const fromTime = Math.max(0, start - (windows[window] ?? 0))
    const places = await orTooMuch(
      sources.search.candidates({ user, terms, conversation, below, fromTime, afterTime, max }),
    )
    if (places === null && windows === WHOLE) {
      windows = STEPWISE
      continue
    }
    if (places === null) {
      partial = true
      return answer(items.length > 0 ? below : null)
    }
    const checked = await check(sources, user, places, terms)
    partial ||= checked.partial
    for (const place of places) {
      // Another version of the same message.
      if (place.conversation === below.conversation && place.seq === below.seq) continue
      const item = checked.items.get(placeOf(place.conversation, place.seq))
      if (item) {
        bytes += bytesOf(item)
        if (items.length === limit || (bytes > limits.pageBytesMax && items.length > 0)) return answer(below)
        items.push(item)
      }
      below = place
    }
    if (places.length < max && fromTime === 0) return answer(null)
    if (items.length === limit) return answer(below)
    if (places.length === max) continue
    // Nothing is left of this window: go on right below it.
    below = { time: fromTime, conversation: '', seq: 0 }
    window++
  }
  return answer(below)
}

/** Null: there is more to look through than one search may. */
async function orTooMuch<T>(work: Promise<T>): Promise<T | null> {
  try {
    return await work
  } catch (err) {
    if (err instanceof Fault && err.code === 'query_limit') return null
    throw err
  }
}

/** Those of the candidates that this user may read and that match as they stand now, by place. `partial`: of some it is not certain. */
async function check(
  sources: SearchSources,
  user: string,
  places: readonly SearchPlace[],
  terms: readonly string[],
): Promise<{ readonly partial: boolean; readonly items: ReadonlyMap<string, Item> }> {
  const { archive, search: find } = sources
  if (places.length === 0) return { partial: false, items: new Map() }
  // After the candidates: the facts cover whatever lies up to them. Before the versions: those have every change up to `changed`.
  const conversations = [...new Set(places.map(({ conversation }) => conversation))]
  const facts = await archive.factsOf(user, conversations)
  const changed = await archive.changesUpTo(conversations)
  const once = new Map(places.map((place) => [placeOf(place.conversation, place.seq), place]))
  const stays = new Map(
    conversations.map((conversation) => {
      const of = facts.get(conversation)
      const fixed = isFixedReader(conversation, user)
      return [conversation, fixed ? ALWAYS : readableOf(of?.memberships ?? [], of?.observing ?? [])]
    }),
  )
  const upTo = (conversation: string): number => knownUpTo(stays.get(conversation) ?? [])
  const readable = [...once.values()].filter(({ conversation, seq }) =>
    mayRead(stays.get(conversation) ?? [], seq),
  )
  const versions = await find.newest(
    readable.map(({ conversation, seq }) => [conversation, seq]),
    terms,
  )
  const living = versions.filter(({ recalled }) => !recalled)
  const isLater = (version: FoundVersion) => Number(version.version_) > upTo(version.conversation)
  const earlier = await earlierMatches(sources, living.filter(isLater), upTo, terms)
  const matching = living.filter((version) => version.matches && !isLater(version))
  const replies = await find.repliesOf(matching.map(({ conversation, seq_ }) => [conversation, Number(seq_)]))
  const latest = await newerChanges(
    sources,
    [...new Set([...matching, ...earlier.items].map(conversationOf))],
    changed,
  )
  let partial = latest.partial || !earlier.whole
  const items = new Map<string, Item>()
  for (const version of matching) {
    const place = placeOf(version.conversation, Number(version.seq_))
    const replyTo = replies.get(place)
    const of = latest.of(version.conversation)
    const change = of.changes.get(Number(version.seq_))
    const item = itemOf(version, replyTo ?? null)
    if (replyTo === undefined || change === 'e' || of.unsure) partial = true
    else if (change !== 'r' && !of.hides(item)) items.set(place, item)
  }
  for (const item of earlier.items) {
    const of = latest.of(item.conversationId)
    if (of.unsure) partial = true
    else if (of.changes.get(item.seq) !== 'r' && !of.hides(item))
      items.set(placeOf(item.conversationId, item.seq), item)
  }
  return { partial, items }
}

const conversationOf = (of: Item | FoundVersion): string =>
  'conversationId' in of ? of.conversationId : of.conversation

/** Of messages that were changed after this user was last in, those that matched then, as they were then. */
async function earlierMatches(
  { archive, search: find }: SearchSources,
  later: readonly FoundVersion[],
  upTo: (conversation: string) => number,
  terms: readonly string[],
): Promise<{ readonly items: readonly Item[]; readonly whole: boolean }> {
  const found: Item[] = []
  for (const conversation of new Set(later.map((version) => version.conversation))) {
    const seqs = later
      .filter((version) => version.conversation === conversation)
      .map(({ seq_ }) => Number(seq_))
    found.push(...(await archive.versionsUpTo(conversation, seqs, upTo(conversation))).values())
  }
  const sourceOf = ({ conversationId, seq, targetSeq }: Item): MessageKey => [
    conversationId,
    targetSeq ?? seq,
  ]
  const saying = await find.saying(found.map(sourceOf), terms)
  const items = found.filter((item) => saying.get(placeOf(...sourceOf(item))))
  return { items, whole: found.length === later.length }
}

function itemOf(version: FoundVersion, replyTo: number | null): Item {
  const [seq, changed] = [Number(version.seq_), Number(version.version_)]
  return {
    ...hiddenItem(version.conversation, seq),
    kind: 'message',
    ordinal: Number(version.ordinal_),
    time: Number(version.ms_),
    senderId: version.sender,
    packId: version.pack_id,
    contentType: version.content_type,
    content: version.content,
    mentions: version.mentions,
    mentionAll: version.mention_all,
    replyTo,
    targetSeq: changed === seq ? null : changed,
  }
}

interface Latest {
  /** What the newest change that the archive does not have did, by message. */
  readonly changes: ReadonlyMap<number, 'e' | 'r'>
  /** Changes may be missing, or where the policy ends is not known. */
  readonly unsure: boolean
  hides(item: Item): boolean
}

/** What Redis knows of these conversations beyond what the archive does. */
async function newerChanges(
  sources: Sources,
  conversations: readonly string[],
  archived: ReadonlyMap<string, number>,
): Promise<{ readonly partial: boolean; of(conversation: string): Latest }> {
  const { live, policies, clock } = sources
  const read = await orDown(
    readLive(sources, async () => {
      const indexes = await Promise.all(
        conversations.map((conversation) =>
          live.changes(conversation, archived.get(conversation) ?? 0, limits.changeIndexEntriesMax),
        ),
      )
      return { indexes, heads: await live.heads(conversations) }
    }),
  )
  const now = clock.now()
  const known = new Map<string, Latest>()
  for (const [i, conversation] of conversations.entries()) {
    const index = read?.value.indexes[i]
    const head = read?.value.heads.get(conversation)
    const policy = policyOf(policies, conversation)
    const horizon = horizonOf(policy, head?.ordinal ?? 0, now)
    known.set(conversation, {
      changes: new Map(index?.changes.map(({ target, kind }) => [target, kind])),
      unsure:
        (index !== undefined && index.floor > (archived.get(conversation) ?? 0)) ||
        (policy.keep === 'newest' && head === undefined),
      hides: (item) => isBeyond(horizon, item),
    })
  }
  const trails = conversations.some((conversation, i) => {
    const head = read?.value.heads.get(conversation)
    return head !== undefined && (read?.value.indexes[i]?.applied ?? 0) < head.seq
  })
  return {
    partial: conversations.length > 0 && (!read?.complete || trails),
    of: (conversation) => known.get(conversation) as Latest,
  }
}

export const placeText = ({ time, seq, conversation }: SearchPlace): string =>
  `${time}.${seq}.${conversation}`

const PLACE = /^(\d{1,13})\.(\d{1,15})\.([A-Za-z0-9_.:-]*)$/

/** Null for what is no cursor: the search then begins with the newest. */
export function placeIn(text: string | null | undefined): SearchPlace | null {
  const found = text && text.length <= limits.cursorCharsMax ? PLACE.exec(text) : null
  return found && { time: Number(found[1]), seq: Number(found[2]), conversation: found[3] as string }
}
