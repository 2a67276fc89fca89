/** Who is told that a friend is online, types or has another profile: through all roles, on sockets that read and one that does not. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { until } from '../../support/gateway.ts'
import { type Person, type Pipeline, startPipeline } from '../../support/pipeline.ts'

let world: Pipeline
beforeAll(async () => {
  world = await startPipeline(2)
})
afterAll(() => world?.stop())

async function befriend(one: Person, other: Person): Promise<void> {
  await one.tell({ type: 'requestFriend', userId: other.user, note: '' })
  const answer = await other.tell({ type: 'answerFriend', userId: one.user, accept: true })
  expect(answer).toMatchObject({ type: 'committed' })
}

const subscribe = (who: Person, ...users: string[]) =>
  who.ask({ type: 'presence', subscribe: users, unsubscribe: [] })

/** Devices of `user` as `who` was told last. */
function seen(who: Person, user: string): number | undefined {
  const states = who.frames.flatMap((frame) =>
    frame.type === 'presenceResult' ? frame.states : frame.type === 'presenceChanges' ? frame.changes : [],
  )
  return states.findLast(({ userId }) => userId === user)?.devices.length
}

const toldOfProfile = (who: Person, user: string): number =>
  who.frames.filter((frame) => frame.type === 'profileChanged' && frame.userId === user).length

describe('friends of whom one blocks the other', () => {
  it.each([0, 1])('are offline to each other until it is taken back, on gateway %i', async (gateway) => {
    const ann = await world.online(`ann${gateway}`)
    const bob = await world.online(`bob${gateway}`, { gateway })
    await befriend(ann, bob)
    await subscribe(ann, bob.user)
    await subscribe(bob, ann.user)
    await until(() => seen(ann, bob.user) === 1 && seen(bob, ann.user) === 1)
    const block = { type: 'block', userId: bob.user, on: true }
    expect(await ann.tell(block)).toMatchObject({ type: 'committed' })
    await until(() => seen(ann, bob.user) === 0 && seen(bob, ann.user) === 0)

    const later = await world.online(bob.user, { gateway: 1 - gateway })
    await subscribe(later, ann.user)
    expect(seen(later, ann.user)).toBe(0)
    const other = await world.online(ann.user, { gateway: 1 })
    await new Promise((resolve) => setTimeout(resolve, 3_500))
    expect([seen(bob, ann.user), seen(later, ann.user), seen(ann, bob.user)]).toEqual([0, 0, 0])

    await ann.tell({ type: 'setProfile', name: 'Anna' })
    await bob.tell({ type: 'setProfile', name: 'Bobby' })
    expect(await ann.tell({ ...block, on: false })).toMatchObject({ type: 'committed' })
    await until(() => seen(bob, ann.user) === 1 && seen(later, ann.user) === 1 && seen(ann, bob.user) === 1)
    await ann.tell({ type: 'setProfile', name: 'Ann' })
    await until(() => toldOfProfile(bob, ann.user) > 0)
    expect(toldOfProfile(bob, ann.user)).toBe(1)
    expect(toldOfProfile(ann, bob.user)).toBe(0)
    other.close()
  })
})
