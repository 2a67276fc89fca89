/**
 * What Redis serves against the fold. It is read first and the fold then taken to the end of the log, so that an answer is held
 * against the very moment that it is of, and nothing that is being written makes a false alarm.
 */

import { limits } from '../../schemas/limits.ts'
import type { RedisPort } from '../ports.ts'
import { entriesFor } from '../reads/lists.ts'
import { type LiveReads, liveReads } from '../reads/live.ts'
import { type Policies, policyOf } from '../reads/policy.ts'
import type { PlainStream } from './conversation.ts'
import { contentHash } from './fingerprints.ts'
import type { Sample } from './sample.ts'

export interface Pair {
  readonly user: string
  readonly conversation: string
}

interface Told extends Pair {
  readonly lastSeq: number
  readonly unread: number
  readonly mentions: number
  readonly mentionsAll: number
  readonly readSeq: number
  readonly readOrdinal: number
}

type TimelineRead = Awaited<ReturnType<LiveReads['elements']>> & { readonly stream: string }

/** Says what is wrong, or null. */
type Judged = { readonly what: string } | null

export interface Served {
  unread(pairs: readonly Pair[]): Promise<(Told | Pair)[]>
  timelines(streams: readonly string[]): Promise<TimelineRead[]>
}

export function servedBy(redis: RedisPort, options: { partitions: number; generation: number }): Served {
  const live = liveReads(redis, options)
  return {
    async unread(pairs) {
      const byUser = new Map<string, string[]>()
      for (const { user, conversation } of pairs) {
        const of = byUser.get(user)
        if (of) of.push(conversation)
        else byUser.set(user, [conversation])
      }
      const told: (Told | Pair)[] = []
      for (const [user, conversations] of byUser) {
        const entries = new Map(
          (await entriesFor({ live }, user, conversations)).map((entry) => [entry.conversationId, entry]),
        )
        for (const conversation of conversations)
          told.push({ user, conversation, ...entries.get(conversation) })
      }
      return told
    },
    timelines: (streams) =>
      Promise.all(
        streams.map(async (stream) => ({
          stream,
          ...(await live.elements(stream, 1, Number.MAX_SAFE_INTEGER)),
        })),
      ),
  }
}

/** `least`: seq of the stream and the user's mark as they were when the read models were known to have come that far. */
export function judgeUnread(
  told: Told | Pair,
  plain: PlainStream,
  sample: Sample,
  least: { readonly seq: number; readonly mark: number },
): Judged {
  const { user, conversation } = told
  const stay = plain.stays(user).at(-1)
  if (!stay || plain.stays(user).length > limits.membershipFactsMax / 2) return null
  if (!('lastSeq' in told)) {
    // A friend request alone makes no conversation.
    const isSilent = conversation.startsWith('p2p:') && plain.messages(least.seq) === 0
    return isSilent ? null : { what: 'is not in the list' }
  }
  const present = stay.to === Infinity
  const end = Math.min(least.seq, stay.to)
  if (told.lastSeq < end || told.lastSeq > Math.min(plain.seq(), stay.to))
    return { what: `last seq served ${told.lastSeq}, in the log ${end}` }
  const mark = sample.mark(user, conversation)
  if (told.readSeq < least.mark || told.readSeq > mark.seq)
    return { what: `read up to seq ${told.readSeq} as served, ${mark.seq} in the log` }
  if (told.readSeq === mark.seq && told.readOrdinal !== mark.ordinal)
    return { what: `read up to ordinal ${told.readOrdinal} as served, ${mark.ordinal} in the log` }
  const counted = plain.unread(user, present ? told.lastSeq : Number.MAX_SAFE_INTEGER, told.readOrdinal)
  if (told.unread !== counted.unread)
    return { what: `unread served ${told.unread}, counted ${counted.unread}` }
  // Of very many, only the newest are kept.
  if (plain.naming() > limits.namingMessagesMax || counted.mentions >= limits.mentionEntriesMax) return null
  for (const what of ['mentions', 'mentionsAll'] as const)
    if (told[what] !== counted[what])
      return { what: `${what} served ${told[what]}, counted ${counted[what]}` }
  return null
}

interface Element {
  readonly seq: number
  readonly ordinal: number
  readonly time: number
  readonly kind: string
  readonly senderId: string
  readonly packId: string | null
  readonly targetSeq: number | null
  readonly content: string | null
}

export function judgeTimeline(
  read: TimelineRead,
  plain: PlainStream,
  least: number,
  policies: Policies,
): Judged {
  const { stream, applied, elements } = read
  if (applied < least || applied > plain.seq())
    return { what: `has come to seq ${applied}, the log to ${least}` }
  const { keep } = policyOf(policies, stream)
  const wanted = Math.min(applied, limits.timelineMessagesPerConversationMax)
  if (elements.length !== wanted && keep !== 'newest')
    return { what: `holds ${elements.length} items, not the newest ${wanted}` }
  const from = applied - elements.length + 1
  const shown = new Map(plain.shown(from, applied).map((one) => [one.seq, one]))
  for (const [i, text] of elements.entries()) {
    const seq = from + i
    const want = shown.get(seq)
    if (!want) continue
    const item = JSON.parse(text) as Element
    if (item.seq !== seq) return { what: `seq ${item.seq} stands where seq ${seq} belongs` }
    const isSame =
      item.kind === want.kind &&
      item.ordinal === want.ordinal &&
      item.time === want.time &&
      item.senderId === want.sender &&
      (item.packId ?? '') === want.packId &&
      item.targetSeq === want.target
    if (!isSame) return { what: `seq ${seq} is another event than in the log` }
    const content = item.content === null ? null : contentHash(item.content)
    const isForgotten = content === null && keep !== 'forever'
    if (content !== want.content && !isForgotten)
      return { what: `seq ${seq} says something else than the log` }
  }
  return null
}
