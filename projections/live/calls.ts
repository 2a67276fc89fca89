/** The Redis calls for a run of accepted records of one partition: as few as possible, grouped by key. Pure. */
import { limits } from '../../schemas/limits.ts'
import type { Fact } from '../directory/membership.ts'
import { type DirectoryWrite, directory, type LatestHash } from '../directory/project.ts'
import { addFact, moveMembers } from '../directory/scripts.ts'
import { addOwn } from '../inbox/own.ts'
import { type InboxWrite, inbox } from '../inbox/project.ts'
import { markRead, ordinalText, setMentions } from '../inbox/scripts.ts'
import { keys } from '../keys.ts'
import { latestText, setNewer } from '../latest.ts'
import type { RedisArg, RedisCall } from '../ports.ts'
import type { Accepted, Projection } from '../projection.ts'
import { horizonOf, type Policies, policyOf } from '../reads/policy.ts'
import { timeline } from '../timeline/project.ts'
import { appendItems, setReaction } from '../timeline/scripts.ts'

export interface LiveCalls {
  /**
   * Before the items: membership, so that nobody reads an item whose seq lies behind a removal that is not there yet.
   * Usually empty.
   */
  readonly first: readonly RedisCall[]
  /** Items last: a timeline that has come to an event then has everything that is counted up to it. */
  readonly then: readonly RedisCall[]
  /** The streams whose items the last calls of `then` append, in order: a reply of −1 means a gap. */
  readonly streams: readonly string[]
}

export interface CallsOptions {
  /** A hole is known to be in the log itself: go on behind it. */
  readonly force: boolean
  readonly policies: Policies
  readonly now: number
  /** Default: those of this release. */
  readonly projections?: LiveProjections
}

/** What says which writes follow from a record. */
export interface LiveProjections {
  readonly directory: Pick<Projection<DirectoryWrite>, 'project'>
  readonly timeline: Pick<typeof timeline, 'project'>
  readonly inbox: Pick<Projection<InboxWrite>, 'project'>
}

export const liveProjections: LiveProjections = { directory, timeline, inbox }

/** Where only the newest messages are kept, the timeline holds no more items than these. */
function itemsMaxOf(policies: Policies, stream: string): number {
  const policy = policyOf(policies, stream)
  const max = limits.timelineMessagesPerConversationMax
  return policy.keep === 'newest' ? Math.min(max, policy.messages) : max
}

export function callsFor(records: readonly Accepted[], options: CallsOptions): LiveCalls {
  const { directory, timeline, inbox } = options.projections ?? liveProjections
  const first: RedisCall[] = []
  const items = new Map<string, RedisArg[]>()
  const own = new Map<string, RedisArg[]>()
  const rest: RedisCall[] = []
  const reads = new Map<string, ReadWrite>()
  for (const record of records) {
    for (const write of directory.project(record)) directoryCalls(write, first)
    // By age alone: where a stream's messages end by their number is not known here, and is a matter of the timeline's length.
    const horizon = horizonOf(policyOf(options.policies, record.envelope.stream), 0, options.now)
    for (const write of timeline.project(record, horizon)) {
      let args = items.get(write.stream)
      if (args === undefined) {
        args = [
          itemsMaxOf(options.policies, write.stream),
          limits.changeIndexEntriesMax,
          options.force ? 1 : 0,
        ]
        items.set(write.stream, args)
      }
      const { seq, ordinal, time, message, element, change, reaction } = write
      if (change) args.push(seq, ordinal, time, 0, element, change.target, change.kind, change.tail)
      else args.push(seq, ordinal, time, message ? 1 : 0, element, 0, '', '')
      if (reaction)
        rest.push({
          script: setReaction,
          keys: [keys.reactions(write.stream), keys.reacted(write.stream)],
          args: [
            limits.reactionsPerConversationMax,
            reaction.target,
            reaction.member,
            seq,
            reaction.on ? 1 : 0,
          ],
        })
    }
    for (const write of inbox.project(record)) {
      if (write.kind === 'own') {
        const key = keys.own(write.user, write.conversationId)
        const args = own.get(key)
        if (args) args.push(write.ordinal)
        else own.set(key, [write.ordinal])
      } else if (write.kind === 'read') addRead(write, reads)
      else inboxCalls(write, rest)
    }
  }
  const streams = [...items.keys()]
  const then: RedisCall[] = [...own].map(([key, args]) => ({ script: addOwn, keys: [key], args }))
  then.push(...rest, ...readCalls([...reads.values()]))
  for (const stream of streams)
    then.push({
      script: appendItems,
      keys: [keys.head(stream), keys.timeline(stream), keys.changes(stream)],
      args: items.get(stream) ?? [],
    })
  return { first, then, streams }
}

/** Fields of such a hash beyond which nothing is kept of what was taken away: far above what can stand in it. */
const FIELDS_MAX: Readonly<Record<LatestHash, number>> = {
  group: 100,
  roles: 10 * limits.groupAdminsMax,
  muted: limits.groupMembersMax,
  joins: 2 * limits.joinRequestsPerGroupMax,
  pinned: 10 * limits.pinnedPerConversationMax,
  settings: 2 * limits.settingsPerUserMax,
  listSettings: 2 * limits.settingsPerUserMax,
  profile: 100,
  relations: 2 * limits.relationsPerUserMax,
}

function directoryCalls(write: DirectoryWrite, into: RedisCall[]): void {
  switch (write.kind) {
    case 'latest':
      into.push({
        script: setNewer,
        keys: [keys[write.hash](write.id)],
        args: [
          FIELDS_MAX[write.hash],
          ...write.fields.flatMap(([field, value]) => [field, latestText(write.seq, value)]),
        ],
      })
      return
    case 'listed':
      for (const user of write.users) into.push(['SADD', keys.conversations(user), write.conversationId])
      return
    case 'observing':
      into.push({
        script: addFact,
        keys: [keys.observing(write.user)],
        args: [write.conversationId, ...factArgs(write.fact)],
      })
      return
    case 'membership':
      for (const user of write.users)
        into.push({
          script: addFact,
          keys: [keys.memberships(user), keys.conversations(user)],
          args: [write.conversationId, ...factArgs(write.fact)],
        })
      into.push({
        script: moveMembers,
        keys: [keys.members(write.conversationId), keys.group(write.conversationId)],
        args: [signOf(write.fact), write.fact.seq, limits.groupNamedMembersMax, ...write.users],
      })
  }
}

const signOf = ({ joined }: Fact): string => (joined ? '+' : '-')
const factArgs = (fact: Fact): RedisArg[] => [
  signOf(fact),
  fact.seq,
  fact.ordinal,
  fact.time ?? 0,
  limits.membershipFactsMax,
]

type ReadWrite = Extract<InboxWrite, { kind: 'read' }>

/** Of one user's marks in one conversation only the furthest counts. */
function addRead(write: ReadWrite, into: Map<string, ReadWrite>): void {
  const key = `${write.user} ${write.conversationId}`
  const was = into.get(key)
  if (was === undefined || was.seq < write.seq) into.set(key, write)
}

function readCalls(reads: readonly ReadWrite[]): RedisCall[] {
  const calls: RedisCall[] = []
  const readers = new Map<string, RedisArg[]>()
  for (const { user, conversationId, seq, ordinal } of reads) {
    calls.push({
      script: markRead,
      keys: [keys.reads(user), keys.own(user, conversationId)],
      args: [conversationId, seq, ordinal],
    })
    calls.push([
      'ZREMRANGEBYLEX',
      keys.mentions(conversationId),
      `[${user}:`,
      `[${user}:${ordinalText(ordinal)}`,
    ])
    const known = readers.get(conversationId)
    if (known) known.push(seq, user)
    else readers.set(conversationId, [seq, user])
  }
  for (const [conversationId, args] of readers)
    calls.push(['ZADD', keys.readers(conversationId), 'GT', ...args])
  return calls
}

function inboxCalls(write: Exclude<InboxWrite, { kind: 'own' | 'read' }>, into: RedisCall[]): void {
  switch (write.kind) {
    case 'recalled':
      into.push(['ZADD', keys.recalled(write.conversationId), write.ordinal, write.ordinal])
      into.push([
        'ZADD',
        keys.recalledBy(write.conversationId),
        0,
        `${write.author}:${ordinalText(write.ordinal)}`,
      ])
      return
    case 'mentioned':
      into.push({
        script: setMentions,
        keys: [
          keys.naming(write.conversationId),
          keys.named(write.conversationId),
          keys.mentions(write.conversationId),
          keys.mentionsAll(write.conversationId),
        ],
        args: [
          limits.namingMessagesMax,
          limits.mentionEntriesMax,
          limits.mentionEntriesMax,
          write.ordinal,
          write.seq,
          write.author,
          write.all ? 1 : 0,
          ...write.users,
        ],
      })
  }
}
