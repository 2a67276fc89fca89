/** The Redis calls for a run of accepted records of one partition: as few as possible, grouped by key. Pure. */
import { limits } from '../../schemas/limits.ts'
import { type DirectoryWrite, directory } from '../directory/project.ts'
import { addFact, moveMembers } from '../directory/scripts.ts'
import { type InboxWrite, inbox } from '../inbox/project.ts'
import { markRead } from '../inbox/scripts.ts'
import { keys } from '../keys.ts'
import type { RedisArg, RedisCall } from '../ports.ts'
import type { Accepted } from '../projection.ts'
import { timeline } from '../timeline/project.ts'
import { appendItems } from '../timeline/scripts.ts'

export interface LiveCalls {
  /**
   * Before the items: membership, so that nobody reads an item whose seq lies behind a removal that is not there yet.
   * Usually empty.
   */
  readonly first: readonly RedisCall[]
  readonly then: readonly RedisCall[]
  /** The streams whose items are appended by the first calls of `then`, in order: a reply of −1 means a gap. */
  readonly streams: readonly string[]
}

export function callsFor(records: readonly Accepted[], options: { readonly force: boolean }): LiveCalls {
  const first: RedisCall[] = []
  const items = new Map<string, RedisArg[]>()
  const own = new Map<string, RedisArg[]>()
  const rest: RedisCall[] = []
  for (const record of records) {
    for (const write of directory.project(record)) directoryCalls(write, first)
    for (const write of timeline.project(record)) {
      let args = items.get(write.stream)
      if (args === undefined) {
        args = [
          limits.timelineMessagesPerConversationMax,
          limits.changeIndexEntriesMax,
          options.force ? 1 : 0,
        ]
        items.set(write.stream, args)
      }
      const { seq, ordinal, time, message, element, change } = write
      if (change) args.push(seq, ordinal, time, 0, element, change.target, change.kind, change.tail)
      else args.push(seq, ordinal, time, message ? 1 : 0, element, 0, '', '')
    }
    for (const write of inbox.project(record)) {
      if (write.kind === 'own') {
        const key = keys.own(write.user, write.conversationId)
        const args = own.get(key)
        if (args) args.push(write.ordinal, write.ordinal)
        else own.set(key, [write.ordinal, write.ordinal])
      } else inboxCalls(write, rest)
    }
  }
  const streams = [...items.keys()]
  const then: RedisCall[] = streams.map((stream) => ({
    script: appendItems,
    keys: [keys.head(stream), keys.timeline(stream), keys.changes(stream)],
    args: items.get(stream) ?? [],
  }))
  for (const [key, args] of own) then.push(['ZADD', key, ...args])
  then.push(...rest)
  return { first, then, streams }
}

function directoryCalls(write: DirectoryWrite, into: RedisCall[]): void {
  switch (write.kind) {
    case 'group':
      into.push(['HSET', keys.group(write.conversationId), 'name', write.name])
      return
    case 'listed':
      for (const user of write.users) into.push(['SADD', keys.conversations(user), write.conversationId])
      return
    case 'membership': {
      const { joined, seq, ordinal } = write.fact
      const sign = joined ? '+' : '-'
      for (const user of write.users)
        into.push({
          script: addFact,
          keys: [keys.memberships(user), keys.conversations(user)],
          args: [write.conversationId, sign, seq, ordinal, limits.membershipFactsMax],
        })
      into.push({
        script: moveMembers,
        keys: [keys.members(write.conversationId)],
        args: [sign, seq, ...write.users],
      })
    }
  }
}

function inboxCalls(write: Exclude<InboxWrite, { kind: 'own' }>, into: RedisCall[]): void {
  switch (write.kind) {
    case 'read':
      into.push({
        script: markRead,
        keys: [keys.reads(write.user), keys.own(write.user, write.conversationId)],
        args: [write.conversationId, write.seq, write.ordinal],
      })
      return
    case 'recalled':
      into.push(['ZADD', keys.recalled(write.conversationId), write.ordinal, write.ordinal])
      return
    case 'mentioned': {
      const key = keys.mentions(write.conversationId)
      into.push(['ZADD', key, ...write.users.flatMap((user) => [write.ordinal, `${write.ordinal}:${user}`])])
      into.push(['ZREMRANGEBYRANK', key, 0, -limits.mentionEntriesMax - 1])
    }
  }
}
