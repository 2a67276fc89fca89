import { describe, expect, test } from 'vitest'
import type { Client, Presence, ProfileChange, RelationChange, SettingChange } from '../../../client/api.ts'
import { type ClientWorld, clientWorld } from '../../support/client-world.ts'
import { noFaults } from '../../support/fake-gateway.ts'

const sentOf = ({ gateway }: ClientWorld, type: string) => gateway.seen.filter((frame) => frame.type === type)

describe('friends', () => {
  test('both sides hear of a request and its answer; of a block only who did it', async () => {
    const world = clientWorld(1)
    const told = new Map<string, RelationChange[]>()
    const clients: Record<string, Client> = {}
    for (const user of ['ann', 'bob']) {
      const mine: RelationChange[] = []
      told.set(user, mine)
      clients[user] = await world.online(user, { on: { relation: (change) => void mine.push(change) } })
    }
    const { ann, bob } = clients as { ann: Client; bob: Client }
    await world.settled(ann.requestFriend('bob', 'hi'))
    await world.settled(bob.answerFriend('ann', true))
    await world.settled(bob.block('ann'))
    await world.settled(ann.deleteFriend('bob'))
    const short = (user: string) =>
      told.get(user)?.map(({ kind, byUserId, userId, on, note }) => [kind, byUserId, userId, on, note])
    const both = (other: string) => [
      ['friendRequested', 'ann', other, null, 'hi'],
      ['friendAnswered', 'bob', other, true, null],
    ]
    expect(short('ann')).toEqual([...both('bob'), ['friendDeleted', 'ann', 'bob', null, null]])
    expect(short('bob')).toEqual([...both('ann'), ['blocked', 'bob', 'ann', true, null]])
    expect(await world.settled(bob.relations())).toEqual([
      { userId: 'ann', state: 'friend', blocked: true, note: null, remark: null },
    ])
  })

  test('are retried under one packId until the server commits them', async () => {
    const world = clientWorld(2)
    const ann = await world.online('ann')
    world.gateway.faults = { ...noFaults, unavailable: 0.7 }
    const asked = ann.requestFriend('bob')
    await world.time.run(60_000)
    await expect(asked).resolves.toMatchObject({ conversationId: 'p2p:ann:bob', seq: 1 })
    const packIds = sentOf(world, 'requestFriend').map((frame) => 'packId' in frame && frame.packId)
    expect(new Set(packIds).size).toBe(1)
    expect(world.gateway.streams.get('p2p:ann:bob')).toHaveLength(1)
  })
})

describe('settings', () => {
  test('set again and again go out once in a second, and the last value counts', async () => {
    const world = clientWorld(3)
    const bob = await world.online('bob')
    const typed = 'a draft that grows letter by letter'
    const settled: Promise<void>[] = []
    for (let i = 1; i <= typed.length; i++) {
      settled.push(bob.setDraft('p2p:ann:bob', typed.slice(0, i)))
      await world.time.run(100)
    }
    await world.time.run(3_000)
    await Promise.all(settled)
    expect(sentOf(world, 'setSetting').length).toBeLessThanOrEqual(5)
    const settings = await world.settled(bob.settings())
    expect(settings.get('draft:p2p:ann:bob')).toBe(typed)
  })

  test('of one key do not wait for another', async () => {
    const world = clientWorld(4)
    const bob = await world.online('bob')
    void bob.pinConversation('g:1')
    void bob.muteConversation('g:1')
    void bob.remark('ann', 'Annie')
    await world.time.run(100)
    expect(sentOf(world, 'setSetting').map((frame) => 'key' in frame && [frame.key, frame.value])).toEqual([
      ['pin:g:1', '1'],
      ['mute:g:1', '1'],
      ['remark:ann', 'Annie'],
    ])
  })

  test('that are taken away without being there are as wanted', async () => {
    const world = clientWorld(5)
    const bob = await world.online('bob')
    await expect(world.settled(bob.setDraft('g:1', ''))).resolves.toBeUndefined()
  })

  test('reach the other devices, and go out when a client is closed', async () => {
    const world = clientWorld(6)
    const told: SettingChange[] = []
    const one = await world.online('bob')
    await world.online('bob', { on: { setting: (change) => void told.push(change) } })
    void one.setDraft('g:1', 'a')
    await world.time.run(50)
    void one.setDraft('g:1', 'ab')
    const closing = one.close()
    await world.time.run(2_000)
    await closing
    expect(told.map(({ value }) => value)).toEqual(['a', 'ab'])
  })

  test('that were changed while they were read come out as changed last', async () => {
    const world = clientWorld(7)
    const bob = await world.online('bob')
    const read = bob.settings()
    const own = { conversationId: 'u:bob', senderId: 'bob', kind: 'setting' as const, key: 'k' }
    for (const value of ['1', '2']) world.gateway.append({ ...own, packId: value, value })
    await world.time.run(1_000)
    await read
    expect((await world.settled(bob.settings())).get('k')).toBe('2')
  })
})

describe('a conversation deleted from the list', () => {
  test('is gone, read to its end, and comes back with its next message', async () => {
    const world = clientWorld(8)
    const ann = await world.online('ann')
    const bob = await world.online('bob')
    await world.settled(ann.send({ to: 'bob', text: 'one' }))
    expect(await world.settled(bob.conversations())).toMatchObject([{ unread: 1 }])
    await world.settled(bob.deleteConversation('p2p:ann:bob'))
    expect(await world.settled(bob.conversations())).toEqual([])
    await world.settled(ann.send({ to: 'bob', text: 'two' }))
    expect(await world.settled(bob.conversations())).toMatchObject([{ unread: 1, readSeq: 1 }])
  })
})

describe('profiles', () => {
  const named = (changes: readonly ProfileChange[]) =>
    changes.map(({ userId, changes: { name } }) => [userId, name])

  test('of others are read again when they change, if they were asked for', async () => {
    const world = clientWorld(9)
    const told: ProfileChange[] = []
    const ann = await world.online('ann')
    const cid = await world.online('cid')
    const bob = await world.online('bob', { on: { profile: (change) => void told.push(change) } })
    expect(await world.settled(bob.profiles(['ann']))).toMatchObject([
      { userId: 'ann', name: null, version: 0 },
    ])
    await world.settled(ann.setProfile({ name: 'Ann', custom: { likes: ['tea'] } }))
    await world.settled(cid.setProfile({ name: 'Cid' }))
    expect(named(told)).toEqual([['ann', 'Ann']])
    expect(told[0]?.changes.custom).toEqual({ likes: ['tea'] })
  })

  test('that changed while a client was away are told when it is back, and others are not', async () => {
    const world = clientWorld(10)
    const { gateway, time } = world
    const told: ProfileChange[] = []
    const bob = await world.online('bob', { on: { profile: (change) => void told.push(change) } })
    await world.settled(bob.profiles(['ann', 'cid']))
    gateway.killAll()
    gateway.append({
      ...{ conversationId: 'u:ann', senderId: 'ann', packId: '1', kind: 'profile', value: '{"name":"Ann"}' },
    })
    await time.run(20_000)
    expect(named(told)).toEqual([['ann', 'Ann']])
  })
})

describe('receipts', () => {
  test('are told when the other side reads, and after an absence from the list', async () => {
    const world = clientWorld(11)
    const { gateway, time } = world
    const told: number[] = []
    const ann = await world.online('ann', { on: { receipt: ({ seq }) => void told.push(seq) } })
    const bob = await world.online('bob')
    await world.settled(ann.send({ to: 'bob', text: 'one' }))
    await world.settled(ann.send({ to: 'bob', text: 'two' }))
    void bob.markRead('p2p:ann:bob', 1)
    await time.run(3_000)
    expect(told).toEqual([1])
    gateway.killAll()
    gateway.append({
      ...{ conversationId: 'u:bob', senderId: 'bob', packId: 'm', kind: 'read' },
      ...{ readConversationId: 'p2p:ann:bob', readSeq: 2, readOrdinal: 2 },
    })
    await time.run(20_000)
    expect(told).toEqual([1, 2])
  })
})

describe('presence', () => {
  const phone = { deviceId: 'p', deviceType: 'phone' }

  test('is told as it is, when it changes, and never for those not asked for', async () => {
    const world = clientWorld(12)
    const { gateway, time } = world
    gateway.setDevices('ann', [phone])
    const told: Presence[] = []
    const bob = await world.online('bob', { on: { presence: (change) => void told.push(change) } })
    expect(await world.settled(bob.subscribePresence(['ann', 'cid']))).toEqual([
      { userId: 'ann', online: true, devices: [phone] },
      { userId: 'cid', online: false, devices: [] },
    ])
    gateway.setDevices('cid', [phone])
    gateway.setDevices('eve', [phone])
    gateway.setDevices('cid', [phone])
    await time.run(1_000)
    expect(told.map(({ userId, online }) => [userId, online])).toEqual([['cid', true]])
    await world.settled(bob.unsubscribePresence(['cid']))
    gateway.setDevices('cid', [])
    await time.run(1_000)
    expect(told).toHaveLength(1)
  })

  test('is asked for again after every reconnect, and what changed meanwhile is told once', async () => {
    const world = clientWorld(13)
    const { gateway, time } = world
    const told: Presence[] = []
    const bob = await world.online('bob', { on: { presence: (change) => void told.push(change) } })
    await world.settled(bob.subscribePresence(['ann', 'cid']))
    for (const devices of [[phone], []]) {
      gateway.killAll()
      gateway.setDevices('ann', devices)
      await time.run(20_000)
    }
    gateway.setDevices('cid', [phone])
    await time.run(1_000)
    expect(told.map(({ userId, online }) => [userId, online])).toEqual([
      ['ann', true],
      ['ann', false],
      ['cid', true],
    ])
  })
})

describe('typing', () => {
  test('goes out once in three seconds per conversation, and not while offline', async () => {
    const world = clientWorld(14)
    const { gateway, time } = world
    const told: string[] = []
    const ann = await world.online('ann')
    await world.online('bob', { on: { typing: ({ userId }) => void told.push(userId) } })
    for (let i = 0; i < 50; i++) {
      ann.typing('p2p:ann:bob')
      await time.run(100)
    }
    expect(told).toEqual(['ann', 'ann'])
    ann.typing('p2p:ann:cid')
    await time.run(100)
    expect(sentOf(world, 'typing')).toHaveLength(3)
    gateway.killAll()
    await time.run(2)
    ann.typing('p2p:ann:dan')
    await time.run(20_000)
    expect(sentOf(world, 'typing')).toHaveLength(3)
  })
})
