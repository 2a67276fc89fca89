import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createRedisOnlineMap } from '../../../infra/redis/online-map.ts'
import { keys } from '../../../projections/keys.ts'
import { limits } from '../../../schemas/limits.ts'
import { target } from '../../support/projections/accepted.ts'
import { startEngines } from '../../support/projections/engines.ts'
import { type LiveStore, liveStore } from '../../support/projections/live-store.ts'

const p2p = 'p2p:ann:bob'
let engines: Awaited<ReturnType<typeof startEngines<false>>>
let store: LiveStore

beforeAll(async () => {
  engines = await startEngines({ clickhouse: false })
})
afterAll(() => engines?.stop())
beforeEach(async () => {
  store = await liveStore(engines.redis)
})

const set = (user: string, key: string, value: string | null) =>
  store.event(`u:${user}`, user, 'SettingSet', { key, value })

describe('what two people are to each other', () => {
  const between = async (user: string) => (await store.reads.relations(user)).relations

  test('is told to each from his own side, and a block to whoever blocks alone', async () => {
    await store.put(store.event(p2p, 'ann', 'FriendRequested', { note: 'we met: at noon' }))
    expect(await between('ann')).toMatchObject([{ userId: 'bob', state: 'asked', note: 'we met: at noon' }])
    expect(await between('bob')).toMatchObject([{ userId: 'ann', state: 'asking', note: 'we met: at noon' }])
    await store.put(store.event(p2p, 'bob', 'FriendAnswered'), store.event(p2p, 'bob', 'Blocked'))
    await store.put(set('ann', 'remark:bob', 'my bob'))
    expect(await between('ann')).toEqual([
      { userId: 'bob', state: 'friend', blocked: false, note: null, remark: 'my bob', seq: 2 },
    ])
    expect(await between('bob')).toMatchObject([{ state: 'friend', blocked: true, seq: 3 }])
    await store.put(store.event(p2p, 'ann', 'FriendDeleted'), set('ann', 'remark:bob', null))
    expect(await between('ann')).toEqual([])
    expect(await between('bob')).toMatchObject([{ state: 'none', blocked: true }])
  })

  test('is open to each other for friends of whom neither blocks the other, and certain', async () => {
    const open = async () => [
      await store.reads.openFriends('ann', ['cid', 'bob', 'zoe']),
      await store.reads.openFriends('bob', ['ann']),
    ]
    await store.put(store.event(p2p, 'ann', 'FriendRequested'))
    expect(await open()).toEqual([[], []])
    await store.put(store.event(p2p, 'bob', 'FriendAnswered'))
    expect(await open()).toEqual([['bob'], ['ann']])
    await store.put(store.event(p2p, 'bob', 'Blocked'))
    expect(await open()).toEqual([[], []])
    const map = createRedisOnlineMap(engines.redis)
    const told = async () => [...(await map.friends(['ann', 'bob'], 9)).values()]
    expect(await told()).toEqual([[], []])
    await store.put(store.event(p2p, 'bob', 'Blocked', { on: false }))
    expect(await open()).toEqual([['bob'], ['ann']])
    expect(await told()).toEqual([['bob'], ['ann']])
    await store.raise(p2p, 9)
    await expect(open()).rejects.toMatchObject({ code: 'unavailable' })
  })

  test('a block and the end of a friendship are hidden from the other side in every read', async () => {
    await store.put(
      store.event(p2p, 'ann', 'MessageSent'),
      store.event(p2p, 'ann', 'Blocked'),
      store.event(p2p, 'ann', 'FriendDeleted'),
    )
    const kinds = async (user: string) => {
      const page = await store.reads.history(user, p2p, {})
      return page.code === null ? page.items.map(({ kind, senderId, on }) => [kind, senderId, on]) : page.code
    }
    expect(await kinds('ann')).toEqual([
      ['message', 'ann', null],
      ['blocked', 'ann', true],
      ['friendDeleted', 'ann', null],
    ])
    expect(await kinds('bob')).toEqual([
      ['message', 'ann', null],
      ['hidden', '', null],
      ['hidden', '', null],
    ])
  })

  test('a block as the first event puts nothing into the list of the one who is blocked', async () => {
    await store.put(store.event(p2p, 'ann', 'Blocked'))
    expect((await store.reads.heads('bob')).heads).toEqual([])
    expect((await store.reads.heads('ann')).heads).toHaveLength(1)
    expect((await store.reads.conversations('ann', {})).conversations).toEqual([])
  })

  test('friends are told before requests, however many strangers ask', async () => {
    await store.put(store.event(p2p, 'bob', 'FriendRequested'), store.event(p2p, 'ann', 'FriendAnswered'))
    const strangers = Array.from({ length: limits.relationsPerUserMax }, (_, i) => `s${i}`)
    await store.put(
      ...strangers.map((one) => store.event(`p2p:ann:${one}`, one, 'FriendRequested', { note: '' })),
    )
    const all = await between('ann')
    expect(all).toHaveLength(limits.relationsPerUserMax)
    expect(all).toContainEqual(expect.objectContaining({ userId: 'bob', state: 'friend' }))
  })
})

describe('typing', () => {
  test('is shown to the other side, unless one of the two blocks the other', async () => {
    await store.put(store.event(p2p, 'ann', 'MessageSent'))
    expect(await store.reads.typingAudience('ann', p2p)).toEqual(['bob'])
    expect(await store.reads.typingAudience('eve', p2p)).toBeNull()
    await store.put(store.event(p2p, 'bob', 'Blocked'))
    expect(await store.reads.typingAudience('ann', p2p)).toBeNull()
    expect(await store.reads.typingAudience('bob', p2p)).toBeNull()
    await store.put(store.event(p2p, 'bob', 'Blocked', { on: false }))
    expect(await store.reads.typingAudience('bob', p2p)).toEqual(['ann'])
  })

  test('is shown to the members of a group that is not too large and lives', async () => {
    const members = (count: number) => ['ann', ...Array.from({ length: count - 1 }, (_, i) => `m${i}`)]
    await store.put(
      store.event('g:1', 'ann', 'GroupCreated', { members: members(limits.typingMembersMax) }),
      store.event('g:2', 'ann', 'GroupCreated', { members: members(limits.typingMembersMax + 1) }),
      store.event('g:3', 'ann', 'GroupCreated', { members: members(3) }),
      store.event('g:3', 'ann', 'GroupDissolved'),
    )
    expect(await store.reads.typingAudience('ann', 'g:1')).toHaveLength(limits.typingMembersMax - 1)
    expect(await store.reads.typingAudience('ann', 'g:2')).toBeNull()
    expect(await store.reads.typingAudience('ann', 'g:3')).toBeNull()
    expect(await store.reads.typingAudience('eve', 'g:1')).toBeNull()
    expect(await store.reads.typingAudience('ann', 'u:ann')).toBeNull()
  })
})

describe('settings', () => {
  test('are what was set last; what was taken away is gone, also when its value comes once more', async () => {
    const first = set('ann', 'theme', 'dark;1')
    await store.put(first, set('ann', 'sound', ''), set('ann', 'sound', null), set('ann', 'theme', 'light'))
    await store.put(first)
    expect(await store.reads.settings('ann')).toEqual({
      partial: false,
      settings: [{ key: 'theme', value: 'light', seq: 4 }],
    })
  })

  test('leave nothing behind for ever, however many keys come and go', async () => {
    const rounds = Array.from({ length: limits.settingsPerUserMax }, (_, i) => `key${i}`)
    for (let round = 0; round < 3; round++)
      for (const value of ['x', null])
        await store.put(...rounds.map((key) => set('ann', `${key}.${round}`, value)))
    const [fields] = await engines.redis.batch([['HLEN', keys.settings('ann')]])
    expect(Number(fields)).toBeLessThanOrEqual(2 * limits.settingsPerUserMax + 1)
    expect((await store.reads.settings('ann')).settings).toEqual([])
  })
})

describe('the list of conversations', () => {
  const ids = async (user = 'ann') =>
    (await store.reads.conversations(user, {})).conversations.map(({ conversationId }) => conversationId)

  test('leaves out what was deleted until a new message comes', async () => {
    await store.put(store.event(p2p, 'bob', 'MessageSent'), store.event(p2p, 'bob', 'MessageSent'))
    await store.put(set('ann', `deleted:${p2p}`, '2'))
    expect(await ids()).toEqual([])
    expect(await ids('bob')).toEqual([p2p])
    // A reaction is no message.
    await store.put(store.event(p2p, 'bob', 'Reacted'))
    expect(await ids()).toEqual([])
    await store.raise(p2p, 4)
    expect(await store.reads.conversations('ann', {})).toMatchObject({ partial: true })
    await store.put(store.event(p2p, 'bob', 'MessageSent'))
    expect(await ids()).toEqual([p2p])
  })

  test('shows an entry as of one moment, and says where more is known to have come', async () => {
    const entry = async () => (await store.reads.conversations('bob', {})).conversations[0]
    await store.put(store.event(p2p, 'ann', 'MessageSent'))
    // His own message, of which fan-out has told but nothing counts yet.
    await store.raise(p2p, 2)
    expect(await store.reads.conversations('bob', {})).toMatchObject({ partial: true })
    expect(await entry()).toMatchObject({ lastSeq: 1, unread: 1 })
    await store.put(store.event(p2p, 'bob', 'MessageSent'))
    expect(await entry()).toMatchObject({ lastSeq: 2, unread: 1 })
    expect(await store.reads.conversations('bob', {})).toMatchObject({ partial: false })
  })

  test('shows the newest message as it stands now, however much else came after it', async () => {
    const preview = async () => (await store.reads.conversations('ann', {})).conversations[0]?.preview
    const others = () => Array.from({ length: 150 }, () => store.event(p2p, 'bob', 'Reacted'))
    const text = (words: string) => ({ content: Buffer.from(JSON.stringify({ text: words })) })
    await store.put(store.event(p2p, 'bob', 'MessageSent', text('first')), ...others(), ...others())
    expect(await preview()).toMatchObject({ seq: 1, content: '{"text":"first"}' })
    await store.put(store.event(p2p, 'bob', 'MessageEdited', { target: target(1), ...text('edited') }))
    expect(await preview()).toMatchObject({ seq: 1, content: '{"text":"edited"}' })
    await store.put(...others(), store.event(p2p, 'bob', 'MessageRecalled', { target: target(1) }))
    expect(await preview()).toMatchObject({ seq: 1, content: null })
    await store.put(store.event(p2p, 'bob', 'MessageSent', text('second')), ...others())
    expect(await preview()).toMatchObject({ content: '{"text":"second"}' })
  })

  test('shows a group that was left as it was then, and does not move it by what comes after', async () => {
    await store.put(
      store.event('g:1', 'ann', 'GroupCreated', { members: ['ann', 'bob'] }),
      store.event('g:1', 'bob', 'MembersRemoved', { members: ['bob'] }),
      store.event(p2p, 'ann', 'MessageSent'),
      store.event(p2p, 'ann', 'MessageSent'),
      store.event(p2p, 'ann', 'MessageSent'),
      store.event('g:1', 'ann', 'MessageSent'),
      store.event('g:1', 'ann', 'MessageSent'),
    )
    expect(await ids('bob')).toEqual([p2p, 'g:1'])
    expect(await ids('ann')).toEqual(['g:1', p2p])
  })

  test('of ten thousand conversations is sorted once, and read page by page holds each once', async () => {
    const others = Array.from({ length: 10_000 }, (_, i) => `u${String(i).padStart(5, '0')}`)
    const messages = others.map((one) => store.event(`p2p:ann:${one}`, one, 'MessageSent'))
    await store.put(...messages, set('ann', `pin:p2p:ann:${others[17]}`, '1'))
    const limit = limits.conversationsPageMax
    const found: string[] = []
    for (let before: string | null = null, calls = 0; ; calls = store.asked.length) {
      const page = await store.reads.conversations('ann', { limit, before })
      expect(page.partial).toBe(false)
      // A head for each, and what the page shows; below the first page only the latter.
      expect(store.asked.length - calls).toBeLessThan((before === null ? 10_000 : limit) + 2 * limit + 50)
      found.push(...page.conversations.map(({ conversationId }) => conversationId))
      before = page.next
      if (before === null) break
      // What comes meanwhile goes to the top and moves nobody from one page to the next.
      await store.put(store.event(`p2p:ann:${others[9_000]}`, 'ann', 'MessageSent'))
    }
    expect(found[0]).toBe(`p2p:ann:${others[17]}`)
    expect(found).toHaveLength(10_000)
    expect(new Set(found).size).toBe(10_000)
  })
})

describe('reactions', () => {
  test('are those of now, those of a recalled message are gone, and of too many the oldest go first', async () => {
    const many = limits.reactionsPerConversationMax
    await store.put(
      store.event(p2p, 'ann', 'MessageSent'),
      store.event(p2p, 'ann', 'MessageSent'),
      store.event(p2p, 'ann', 'MessageSent'),
    )
    const of = (seq: number, emoji: string, on = true, user = 'bob') =>
      store.event(p2p, user, 'Reacted', { target: target(seq), emoji, on })
    const late = of(2, '👍')
    await store.put(late, of(2, '👍', true, 'ann'), of(2, '👍', false), of(3, ':x:'), of(1, '👍'))
    await store.put(late)
    const reactions = async () => {
      const page = await store.reads.history('ann', p2p, { limit: 200, after: 0 })
      return page.code === null ? page.reactions : []
    }
    expect(await reactions()).toEqual([
      { seq: 1, emoji: '👍', count: 1, mine: false },
      { seq: 2, emoji: '👍', count: 1, mine: true },
      { seq: 3, emoji: ':x:', count: 1, mine: false },
    ])
    await store.put(store.event(p2p, 'ann', 'MessageRecalled', { target: target(3) }))
    expect((await reactions()).map(({ seq }) => seq)).toEqual([1, 2])
    // From messages far below the 200 that the timeline holds, so that only what Redis keeps of them counts here.
    await store.put(...Array.from({ length: many }, (_, i) => of(2, `e${i}`)))
    const [count] = await engines.redis.batch([['ZCARD', keys.reactions(p2p)]])
    expect(count).toBe(many)
    const [oldest] = await engines.redis.batch([['ZRANGEBYSCORE', keys.reactions(p2p), 1, 1]])
    expect(oldest).toEqual([])
  })
})
