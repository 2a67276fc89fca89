/** Who is told that a friend is online, types or has another profile: through all roles, on sockets that read and one that does not. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { mintToken } from '../../../gateway/tokens/mint.ts'
import type { ServerFrame } from '../../../schemas/frames.ts'
import { type DeafClient, deafClient } from '../../support/deaf-client.ts'
import { newPackId, secret, until } from '../../support/gateway.ts'
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
function seen(who: { readonly frames: readonly ServerFrame[] }, user: string): number | undefined {
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

describe('a client that does not read', () => {
  const typingOf = ({ frames }: { readonly frames: readonly ServerFrame[] }) =>
    frames.filter(({ type }) => type === 'userTyping').length
  const seqsOf = (frames: readonly ServerFrame[], conversationId: string) => [
    ...new Set(
      frames.flatMap((frame) =>
        frame.type === 'event' && frame.item.conversationId === conversationId && frame.item.ordinal > 0
          ? [frame.item.seq]
          : [],
      ),
    ),
  ]

  /** Logged in at the first gateway, and hears of pip. */
  async function sloth(): Promise<DeafClient> {
    const client = await deafClient(world.urls[0] as string)
    const login = { deviceId: 'd', deviceType: 'test', protocol: 1 }
    client.send({ type: 'login', token: await mintToken(secret, 'sloth', 3_600), ...login })
    await until(() => client.frames.some(({ type }) => type === 'welcome'))
    client.send({ type: 'presence', id: 1, subscribe: ['pip'], unsubscribe: [] })
    await until(() => seen(client, 'pip') === 0)
    return client
  }

  it('misses who types and hears later who is online; every message reaches it, and a neighbour all of it', async () => {
    const [pip, pal, nora, other] = await Promise.all([
      world.online('pip', { gateway: 1 }),
      world.online('pal', { gateway: 1 }),
      world.online('nora'),
      world.online('sloth', { gateway: 1 }),
    ])
    await befriend(pip, other)
    pip.close()
    other.close()
    const made = await pal.tell({ type: 'createGroup', name: 'Team', members: ['sloth', 'nora'] })
    if (made.type !== 'committed') throw new Error(made.code)
    const { conversationId } = made
    const deaf = await sloth()
    const here = world.counters[0] as (typeof world.counters)[number]
    const content = { text: 'x'.repeat(30_000) }
    const big = { contentType: 'text', content, mentions: [], mentionAll: false }
    const shownBefore = here.typingShown
    let last = made.seq

    async function fill(): Promise<void> {
      const sent = Array.from({ length: 20 }, () =>
        pal.tell({ type: 'send', packId: newPackId(world.now()), conversationId, ...big }),
      )
      for (const answer of await Promise.all(sent))
        if (answer.type === 'committed') last = Math.max(last, answer.seq)
      await until(() => seqsOf(nora.frames, conversationId).includes(last))
      // Acknowledged without having been read, so that nothing but the socket holds it back.
      for (const one of [deaf, nora]) one.send({ type: 'ack', acks: [{ conversationId, seq: last }] })
    }

    /** From a connection of its own, as one tells it once in a while. True: it was dropped for the one who does not read. */
    async function type(): Promise<boolean> {
      const { typingDropped } = here
      const typist = await world.online('pal', { gateway: 1 })
      const shown = typingOf(nora)
      typist.send({ type: 'typing', conversationId })
      await until(() => typingOf(nora) > shown)
      typist.close()
      return here.typingDropped > typingDropped
    }

    expect(await type()).toBe(false)
    deaf.pause()
    let rounds = 0
    do {
      await fill()
      rounds += 1
    } while (!(await type()) && rounds < 12)
    expect(rounds).toBeLessThan(12)
    const toldBefore = here.typingShown - shownBefore - typingOf(nora)
    for (let i = 0; i < 5; i++) expect(await type()).toBe(true)
    const { presenceDropped } = here
    await world.online('pip', { gateway: 1 })
    await until(() => here.presenceDropped > presenceDropped)

    deaf.resume()
    await until(() => seqsOf(deaf.frames, conversationId).includes(last) && seen(deaf, 'pip') === 1)
    const seqs = Array.from({ length: last - made.seq }, (_, i) => made.seq + 1 + i)
    expect(seqsOf(deaf.frames, conversationId)).toEqual(seqs)
    expect(seqsOf(nora.frames, conversationId)).toEqual(seqs)
    expect(typingOf(deaf)).toBe(toldBefore)
    expect(await type()).toBe(false)
    await until(() => typingOf(deaf) === toldBefore + 1)
    deaf.close()
  })
})
