import { describe, expect, test } from 'vitest'
import type { GroupChange, ImportProgress } from '../../../client/api.ts'
import { limits } from '../../../schemas/limits.ts'
import { type ClientWorld, clientWorld } from '../../support/client-world.ts'
import { noFaults } from '../../support/fake-gateway.ts'

const room = 'g:room'
const withRoom = (seed: number): ClientWorld => {
  const world = clientWorld(seed)
  world.gateway.groups.set(room, new Map(['ann', 'bob'].map((user) => [user, 1])))
  return world
}

describe('changes of a group', () => {
  test('are told to its members, those of one’s own too, each with what it says', async () => {
    const world = withRoom(1)
    const told: GroupChange[] = []
    const ann = await world.online('ann', { on: { group: (change) => void told.push(change) } })
    await world.settled(ann.addMembers(room, ['cid']))
    await world.settled(ann.setRole(room, 'bob', 'admin'))
    await world.settled(ann.transfer(room, 'bob'))
    await world.settled(ann.mute(room, 'cid', 60_000))
    await world.settled(ann.muteAll(room))
    await world.settled(ann.setGroup(room, { name: 'Tea', custom: { cups: 3 }, joinPolicy: 'open' }))
    await world.settled(ann.answerJoin(room, 'dan', true))
    await world.settled(ann.observe(room, false))
    await world.settled(ann.dissolve(room))
    const mutedAt = world.gateway.streams.get(room)?.[3]?.time ?? 0
    const said = told.map(({ kind, members, role, on, until, changes }) => ({
      ...{ kind, members, role, on, until, changes },
    }))
    const nothing = { members: [], role: null, on: null, until: null, changes: null }
    expect(said).toEqual([
      { ...nothing, kind: 'added', members: ['cid'] },
      { ...nothing, kind: 'roleSet', members: ['bob'], role: 'admin' },
      { ...nothing, kind: 'roleSet', members: ['bob'], role: 'owner' },
      { ...nothing, kind: 'muted', members: ['cid'], until: mutedAt + 60_000 },
      { ...nothing, kind: 'allMuted', on: true },
      { ...nothing, kind: 'groupSet', changes: { name: 'Tea', custom: { cups: 3 }, joinPolicy: 'open' } },
      { ...nothing, kind: 'joinAnswered', members: ['dan'], on: true },
      { ...nothing, kind: 'observing', on: false },
      { ...nothing, kind: 'dissolved' },
    ])
    expect(told.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9])
  })

  test('that are refused reject with their code', async () => {
    const world = withRoom(2)
    const bob = await world.online('bob')
    world.gateway.refuse = (_user, frame) => (frame.type === 'dissolveGroup' ? 'not_allowed' : null)
    await expect(world.settled(bob.dissolve(room))).rejects.toMatchObject({ code: 'not_allowed' })
    await expect(world.settled(bob.leave(room))).resolves.toMatchObject({ conversationId: room })
    expect(world.gateway.groups.get(room)?.has('bob')).toBe(false)
  })
})

describe('reactions and pins', () => {
  test('reach both devices and the pages read later', async () => {
    const world = withRoom(3)
    const told: string[] = []
    const ann = await world.online('ann')
    const bob = await world.online('bob', {
      on: {
        reaction: ({ targetSeq, byUserId, emoji, on }) =>
          void told.push(`${byUserId} ${emoji} ${targetSeq} ${on}`),
        pinned: ({ targetSeq, on }) => void told.push(`pinned ${targetSeq} ${on}`),
      },
    })
    await world.settled(ann.send({ conversationId: room, text: 'tea?' }))
    await world.settled(ann.react(room, 1, '👍'))
    await world.settled(bob.react(room, 1, '👍'))
    await world.settled(ann.react(room, 1, '👍', false))
    await world.settled(ann.pin(room, 1))
    expect(told).toEqual(['ann 👍 1 true', 'bob 👍 1 true', 'ann 👍 1 false', 'pinned 1 true'])
    const page = await world.settled(bob.history(room))
    expect(page.messages[0]?.reactions).toEqual([{ emoji: '👍', count: 1, mine: true }])
    expect((await world.settled(bob.group(room))).pinned).toEqual([1])
  })
})

describe('an import of members', () => {
  const many = Array.from({ length: 2 * limits.membersPerCommandMax + 20 }, (_, i) => `user${i}`)

  test('goes in parts that the server takes, each id once, and says how far it is', async () => {
    const world = withRoom(4)
    const ann = await world.online('ann')
    const progress: ImportProgress[] = []
    const onProgress = (now: ImportProgress): void => void progress.push(now)
    const done = await world.settled(ann.importMembers(room, [...many, ...many], { onProgress }))
    const total = many.length
    expect(done).toEqual({ done: total, total })
    expect(progress.map((now) => now.done)).toEqual([500, 1_000, total])
    const parts = world.gateway.seen.flatMap((frame) => (frame.type === 'addMembers' ? [frame.members] : []))
    expect(parts.map((part) => part.length)).toEqual([500, 500, 20])
    expect(world.gateway.groups.get(room)?.size).toBe(total + 2)
  })

  test('that broke off goes on with the same call, and adds nobody twice', async () => {
    const world = withRoom(5)
    const ann = await world.online('ann')
    let left = 1
    world.gateway.refuse = (_user, frame) =>
      frame.type === 'addMembers' && left-- <= 0 ? 'group_full' : null
    await expect(world.settled(ann.importMembers(room, many))).rejects.toMatchObject({ code: 'group_full' })
    expect(world.gateway.groups.get(room)?.size).toBe(502)
    world.gateway.refuse = () => null
    const again = await world.settled(ann.importMembers(room, many))
    expect(again.done).toBe(many.length)
    const added = world.gateway.streams
      .get(room)
      ?.flatMap(({ kind, members }) => (kind === 'added' ? members : []))
    expect(added?.length).toBe(many.length)
    expect(new Set(added).size).toBe(many.length)
  })

  test('comes through a server that is often unavailable', async () => {
    const world = withRoom(6)
    const ann = await world.online('ann')
    world.gateway.faults = { ...noFaults, unavailable: 0.5 }
    const importing = ann.importMembers(room, many)
    await world.time.run(60_000)
    expect((await importing).done).toBe(many.length)
    expect(world.gateway.groups.get(room)?.size).toBe(many.length + 2)
  })
})
