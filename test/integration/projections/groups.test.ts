import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { limits } from '../../../schemas/limits.ts'
import { target } from '../../support/projections/accepted.ts'
import { startEngines } from '../../support/projections/engines.ts'
import { type LiveStore, liveStore } from '../../support/projections/live-store.ts'

const stream = 'g:1'
let engines: Awaited<ReturnType<typeof startEngines<false>>>
let store: LiveStore

beforeAll(async () => {
  engines = await startEngines({ clickhouse: false })
})
afterAll(() => engines?.stop())
beforeEach(async () => {
  store = await liveStore(engines.redis)
})

const named = (count: number, prefix = 'm'): string[] =>
  Array.from({ length: count }, (_, i) => `${prefix}${String(i).padStart(6, '0')}`)

/** A group that ann has founded, with more members added as imports are. */
async function groupOf(members: readonly string[], id = stream): Promise<void> {
  const records = [store.event(id, 'ann', 'GroupCreated', { members: ['ann'] })]
  for (let at = 0; at < members.length; at += limits.membersPerCommandMax)
    records.push(
      store.event(id, 'ann', 'MembersAdded', {
        members: members.slice(at, at + limits.membersPerCommandMax),
      }),
    )
  await store.put(...records)
}

async function commandsOf(work: () => Promise<void>): Promise<number> {
  const count = async () => {
    const [text] = await engines.redis.batch([['INFO', 'commandstats']])
    let total = 0
    for (const [, name, calls] of String(text).matchAll(/cmdstat_(\w+):calls=(\d+)/g))
      if (name !== 'info') total += Number(calls)
    return total
  }
  const before = await count()
  await work()
  return (await count()) - before
}

describe('what one event costs', () => {
  test('is the same in a group of 10 and in one of 10,000, in calls and in what Redis does for them', async () => {
    const costs = async (id: string, size: number) => {
      await groupOf(named(size - 1), id)
      const found: [calls: number, commands: number][] = []
      const message = store.event(id, 'ann', 'MessageSent', { mentions: ['m000001'], mentionAll: true })
      const { seq } = message.envelope
      const events = [
        () => message,
        () => store.event(id, 'm000001', 'Reacted', { target: target(seq) }),
        () => store.event(id, 'ann', 'MessageEdited', { target: target(seq), mentions: ['m000002'] }),
        () => store.event(id, 'ann', 'MessagePinned', { target: target(seq) }),
        () => store.event(id, 'ann', 'MessageRecalled', { target: target(seq) }),
        () => store.event('u:m000001', 'm000001', 'ReadMarked', { conversationId: id, seq, ordinal: 1 }),
        () => store.event(id, 'ann', 'MemberMuted', { user: 'm000001' }),
        () => store.event(id, 'ann', 'GroupDissolved'),
      ]
      for (const event of events) {
        const before = store.calls.length
        const commands = await commandsOf(() => store.put(event()))
        found.push([store.calls.length - before, commands])
      }
      return found
    }
    // Once before, so that every script is known to Redis.
    await costs('g:0', 10)
    const small = await costs('g:10', 10)
    store = await liveStore(engines.redis)
    await costs('g:0', 10)
    const large = await costs('g:10000', 10_000)
    expect(large).toEqual(small)
    expect(Math.max(...small.map(([calls]) => calls))).toBeLessThan(8)
  })
})

describe('a group', () => {
  test('is seen whole by its members, by name and rules of joining by everyone else, and not at all where there is none', async () => {
    await groupOf(['bob', 'cid'])
    await store.put(
      store.event(stream, 'ann', 'GroupSet', { custom: '{}', announcement: 'news', joinPolicy: 'approval' }),
      store.event(stream, 'ann', 'RoleSet', { user: 'bob', role: 'admin' }),
      store.event(stream, 'dee', 'JoinRequested', { note: 'it is: dee' }),
    )
    const seen = async (user: string) => {
      const answer = await store.reads.group(user, stream)
      return answer.code === null ? answer.group : answer.code
    }
    const requests = [{ userId: 'dee', note: 'it is: dee', time: expect.any(Number) }]
    expect(await seen('bob')).toMatchObject({ role: 'admin', custom: '{}', requests, memberCount: 3 })
    expect(await seen('cid')).toMatchObject({ role: 'member', custom: '{}', requests: [] })
    expect(await seen('dee')).toMatchObject({
      role: null,
      asked: true,
      custom: null,
      announcement: 'news',
      requests: [],
    })
    expect(await store.reads.group('ann', 'g:none')).toEqual({ code: 'not_member' })
    expect(await store.reads.group('ann', 'u:ann')).toEqual({ code: 'not_member' })
    expect(await store.reads.group('ann', 'p2p:bob:cid')).toEqual({ code: 'not_member' })
  })

  test('gives nobody a role from before he left and came back', async () => {
    await groupOf(['bob'])
    await store.put(
      store.event(stream, 'ann', 'RoleSet', { user: 'bob', role: 'admin' }),
      store.event(stream, 'bob', 'MembersRemoved', { members: ['bob'] }),
      store.event(stream, 'ann', 'MembersAdded', { members: ['bob'] }),
    )
    expect(await store.reads.group('bob', stream)).toMatchObject({ group: { role: 'member' } })
    expect(await store.reads.members('bob', stream, {})).toMatchObject({
      members: [
        { userId: 'ann', role: 'owner' },
        { userId: 'bob', role: 'member', joinedSeq: 5 },
      ],
    })
  })

  test('says partial while the directory trails behind what had been told, and refuses nobody then', async () => {
    await groupOf(['bob'])
    await store.raise(stream, 9)
    expect(await store.reads.group('ann', stream)).toMatchObject({ code: null, partial: true })
    await expect(store.reads.members('cid', stream, {})).rejects.toMatchObject({ code: 'unavailable' })
    await expect(store.reads.membersAmong(stream, ['ann'], 9)).rejects.toMatchObject({ code: 'unavailable' })
    expect(await store.reads.membersAmong(stream, ['ann', 'bob', 'cid'], 2)).toEqual(
      new Map([
        ['ann', 1],
        ['bob', 2],
      ]),
    )
  })

  test('of which the directory comes to what had been told within a moment is answered whole', async () => {
    await groupOf(['bob'])
    const added = store.event(stream, 'ann', 'MembersAdded', { members: ['cid'] })
    await store.raise(stream, 3)
    const answer = store.reads.group('cid', stream)
    await store.put(added)
    expect(await answer).toMatchObject({ code: null, partial: false, group: { role: 'member' } })
  })

  test('pages its members in the order of joining, none twice, none left out, though some joined by one event', async () => {
    const members = named(1_200)
    await groupOf(members)
    await store.put(store.event(stream, 'ann', 'MembersRemoved', { members: ['m000003', 'm000700'] }))
    await store.put(store.event(stream, 'ann', 'MembersAdded', { members: ['m000003'] }))
    const found: string[] = []
    for (let after: string | null = null; ; ) {
      const page = await store.reads.members('ann', stream, { limit: 100, after })
      if (page.code !== null) throw new Error(page.code)
      found.push(...page.members.map(({ userId }) => userId))
      after = page.next
      if (after === null) break
      expect(page.members).toHaveLength(100)
    }
    const stayed = members.filter((user) => user !== 'm000003' && user !== 'm000700')
    expect(found).toEqual(['ann', ...stayed, 'm000003'])
    expect(await store.reads.members('m000700', stream, {})).toEqual({ code: 'not_member' })
  })
})

describe('a large group', () => {
  const members = named(limits.groupNamedMembersMax)

  test('is large for ever, and a channel of those who are in it now', async () => {
    await groupOf(['bob'], 'g:small')
    await groupOf(members)
    expect(await store.reads.channelsOf('bob')).toEqual({ partial: false, channels: [] })
    expect(await store.reads.channelsOf('m000001')).toEqual({ partial: false, channels: [stream] })
    await store.put(store.event(stream, 'ann', 'MembersRemoved', { members: members.slice(0, 200) }))
    expect(await store.reads.channelsOf('m000001')).toEqual({ partial: false, channels: [] })
    expect(await store.reads.channelsOf('ann')).toEqual({ partial: false, channels: [stream] })
    expect(await store.reads.group('ann', stream)).toMatchObject({ group: { large: true, memberCount: 51 } })
    expect(await store.reads.group('bob', 'g:small')).toMatchObject({ group: { large: false } })
  })

  test('that a small one may have become, while the directory trails, is not ruled out', async () => {
    await groupOf(['bob'])
    expect(await store.reads.channelsOf('ann')).toEqual({ partial: false, channels: [] })
    await store.raise(stream, 9)
    expect(await store.reads.channelsOf('ann')).toEqual({ partial: true, channels: [] })
  })

  test('is no certain channel while the directory trails', async () => {
    await groupOf(members)
    await store.raise(stream, 5)
    expect(await store.reads.channelsOf('m000001')).toMatchObject({ partial: true })
  })
})

describe('how far one has something to read', () => {
  const endOf = async (user: string) => (await store.reads.endFor(user, stream)).end

  test('is the head, or for one who left his leaving; for all others nothing', async () => {
    await groupOf(['bob', 'cid'])
    await store.put(store.event(stream, 'ann', 'MessageSent'))
    await store.put(store.event(stream, 'ann', 'MembersRemoved', { members: ['bob'] }))
    await store.put(store.event(stream, 'ann', 'MessageSent'))
    expect(await endOf('ann')).toEqual(await endOf('cid'))
    const [head, left] = [await endOf('ann'), await endOf('bob')]
    expect(left).toEqual({ seq: (head?.seq ?? 0) - 1, ordinal: 1 })
    expect(head).toMatchObject({ ordinal: 2 })
    expect(await endOf('zoe')).toBeNull()
    expect(await store.reads.endFor('zoe', 'g:unknown')).toEqual({ partial: false, end: null })
    expect(await store.reads.endFor('ann', 'p2p:ann:new')).toEqual({
      partial: false,
      end: { seq: 0, ordinal: 0 },
    })
  })

  test('is not certain for one who may have come in since', async () => {
    await groupOf(['bob'])
    await store.raise(stream, 9)
    expect(await store.reads.endFor('zoe', stream)).toEqual({ partial: true, end: null })
    expect(await store.reads.endFor('bob', stream)).toMatchObject({ partial: false, end: { seq: 9 } })
  })
})

describe('those who have read a message', () => {
  const read = (user: string, seq: number) =>
    store.event(`u:${user}`, user, 'ReadMarked', { conversationId: stream, seq, ordinal: 1 })

  test('are members who were there when it came, without its sender and those who have left', async () => {
    await groupOf(['bob', 'cid', 'dee', 'eve'])
    await store.put(store.event(stream, 'ann', 'MessageSent'))
    await store.put(
      store.event(stream, 'ann', 'MembersAdded', { members: ['fay'] }),
      store.event(stream, 'ann', 'MembersRemoved', { members: ['eve'] }),
    )
    const marks = [
      read('ann', 3),
      read('bob', 3),
      read('cid', 2),
      read('dee', 4),
      read('eve', 4),
      read('fay', 5),
    ]
    await store.put(...marks)
    const who = (user: string, seq: number) => store.reads.readers(user, stream, { seq })
    expect(await who('bob', 3)).toMatchObject({ count: 2, readers: ['bob', 'dee'], next: null })
    // What is no message has no readers; what one may not see says nothing either.
    expect(await who('bob', 2)).toMatchObject({ count: 0, readers: [] })
    expect(await who('fay', 3)).toMatchObject({ count: 0, readers: [] })
    expect(await who('zoe', 3)).toEqual({ code: 'not_member' })
    // Who is in the group now is nothing to one who left.
    expect(await who('eve', 3)).toEqual({ code: 'not_member' })
  })

  test('of a group of ten thousand are counted and paged by id', async () => {
    const members = named(9_999)
    await groupOf(members)
    const message = store.event(stream, 'ann', 'MessageSent')
    const { seq } = message.envelope
    await store.put(message)
    const reading = members.filter((_, i) => i % 2 === 0)
    await store.put(...reading.map((user) => read(user, seq)))
    const began = performance.now()
    const first = await store.reads.readers('ann', stream, { seq, limit: 3 })
    const took = performance.now() - began
    expect(first).toMatchObject({ partial: false, count: 5_000, readers: reading.slice(0, 3) })
    const next = first.code === null ? first.next : null
    expect(await store.reads.readers('ann', stream, { seq, limit: 2, after: next })).toMatchObject({
      readers: reading.slice(3, 5),
    })
    expect(took).toBeLessThan(2_000)
  })

  test('of a single chat are the other side, and its list tells how far', async () => {
    const p2p = 'p2p:ann:bob'
    await store.put(store.event(p2p, 'ann', 'MessageSent'), store.event(p2p, 'ann', 'MessageSent'))
    await store.put(store.event('u:bob', 'bob', 'ReadMarked', { conversationId: p2p, seq: 1, ordinal: 1 }))
    expect(await store.reads.readers('ann', p2p, { seq: 1 })).toMatchObject({ count: 1, readers: ['bob'] })
    expect(await store.reads.readers('ann', p2p, { seq: 2 })).toMatchObject({ count: 0 })
    const list = await store.reads.conversations('ann', {})
    expect(list.conversations).toMatchObject([{ conversationId: p2p, peerReadSeq: 1 }])
  })
})

describe('an observer', () => {
  test('reads from when he began to when he ended, and stands in no roster, count or list', async () => {
    await groupOf(['bob'])
    await store.put(
      store.event(stream, 'ann', 'MessageSent'),
      store.event(stream, 'eve', 'Observing'),
      store.event(stream, 'bob', 'MessageSent'),
      store.event(stream, 'eve', 'Observing', { on: false }),
      store.event(stream, 'bob', 'MessageSent'),
    )
    const { observing } = store.reads
    const page = await observing.history('eve', stream, {})
    expect(page).toMatchObject({ code: null, partial: false, fromSeq: 4, toSeq: 6, more: false })
    expect(page.code === null && page.items.map(({ kind }) => kind)).toEqual([
      'observing',
      'message',
      'observing',
    ])
    expect(await store.reads.group('ann', stream)).toMatchObject({ group: { memberCount: 2 } })
    expect((await store.reads.conversations('eve', {})).conversations).toEqual([])
    expect((await observing.heads('eve')).heads).toMatchObject([{ conversationId: stream, toSeq: 6 }])
    expect(await observing.members('eve', stream, {})).toEqual({ code: 'not_member' })
  })

  test('reads nothing without the right, and changes nothing with it', async () => {
    await groupOf(['bob'])
    await store.put(store.event(stream, 'eve', 'Observing'), store.event(stream, 'bob', 'MessageSent'))
    const { observing, ...reads } = store.reads
    const none = { code: 'not_member' }
    const held = { ranges: [{ from: 1, to: 9 }], changesUpTo: 0 }
    expect(await observing.members('eve', stream, {})).toMatchObject({ code: null })
    expect(await observing.sync('eve', stream, held)).toMatchObject({ code: null })
    expect(await reads.members('eve', stream, {})).toEqual(none)
    expect(await reads.sync('eve', stream, held)).toEqual(none)
    expect(await reads.history('eve', stream, {})).toEqual(none)
    expect(await reads.readers('eve', stream, { seq: 4 })).toEqual(none)
    expect(await reads.heads('eve')).toEqual({ partial: false, heads: [] })
    expect(await reads.target('eve', stream, 4)).toEqual({ partial: false, target: null })
    expect(await observing.target('eve', stream, 4)).toMatchObject({ target: { sender: 'bob' } })
    expect(await reads.endFor('eve', stream)).toEqual({ partial: false, end: null })
    expect(await reads.target('bob', stream, 4)).toMatchObject({ target: { sender: 'bob' } })
  })

  test('of a single chat reads it as long as he observes; nobody else does', async () => {
    const p2p = 'p2p:ann:bob'
    await store.put(
      store.event(p2p, 'ann', 'MessageSent'),
      store.event(p2p, 'eve', 'Observing'),
      store.event(p2p, 'bob', 'MessageSent'),
    )
    const { observing } = store.reads
    expect(await observing.history('eve', p2p, {})).toMatchObject({ fromSeq: 2, toSeq: 3 })
    expect(await observing.history('zoe', p2p, {})).toEqual({ code: 'not_member' })
    expect(await observing.history('eve', 'u:ann', {})).toEqual({ code: 'not_member' })
    expect(await store.reads.history('eve', p2p, {})).toEqual({ code: 'not_member' })
  })

  test('who becomes a member and leaves reads nothing of what comes after', async () => {
    await groupOf(['bob'])
    await store.put(
      store.event(stream, 'eve', 'Observing'),
      store.event(stream, 'ann', 'MembersAdded', { members: ['eve'] }),
      store.event(stream, 'eve', 'MembersRemoved', { members: ['eve'] }),
      store.event(stream, 'ann', 'MessageSent'),
    )
    expect(await store.reads.observing.history('eve', stream, {})).toMatchObject({ fromSeq: 3, toSeq: 5 })
    expect(await store.reads.history('eve', stream, {})).toMatchObject({ fromSeq: 4, toSeq: 5 })
  })
})
