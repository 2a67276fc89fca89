import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Client, Message } from '../../../client/api.ts'
import type { LongwireError } from '../../../client/error.ts'
import { memoryStore, type Store } from '../../../client/store.ts'
import { clientWorld } from '../../support/client-world.ts'
import { type Faults, noFaults } from '../../support/fake-gateway.ts'

/** Not a double: most doubles below 1 lie next to 0. */
const chance = (max: number) => fc.integer({ min: 0, max: 100 }).map((percent) => (percent / 100) * max)
const faults: fc.Arbitrary<Faults> = fc.record({
  lose: chance(0.15),
  double: chance(0.2),
  kill: chance(0.05),
  silence: chance(0.01),
  unavailable: chance(0.2),
  expired: chance(0.1),
  partial: chance(0.3),
  refuseConnect: chance(0.4),
})

const users = ['ann', 'bob', 'cid']
const group = 'g:room'

interface Seen {
  readonly client: Client
  readonly messages: Message[]
}

/** Random chat of three users under faults, then quiet, then the truth from the server's own log. */
async function chat(seed: number, given: Faults, sends: number) {
  const world = clientWorld(seed)
  const { gateway, time, random } = world
  gateway.groups.set(group, new Map(users.map((user) => [user, 1])))
  const all: Seen[] = []
  for (const user of users) {
    const messages: Message[] = []
    const client = await world.online(user, { on: { message: (message) => void messages.push(message) } })
    all.push({ client, messages })
  }
  gateway.faults = given
  const settled = new Map<string, { seq: number; conversationId: string }[]>()
  const asked = new Map<string, string[]>()
  for (let i = 0; i < sends; i++) {
    const from = Math.floor(random() * users.length)
    const { client } = all[from] as Seen
    const to = users[Math.floor(random() * users.length)] as string
    const inGroup = random() < 0.5
    const text = `${client.userId} ${i}`
    const lane = `${client.userId} in ${inGroup ? group : to}`
    asked.set(lane, [...(asked.get(lane) ?? []), text])
    void client
      .send(inGroup ? { conversationId: group, text } : { to, text })
      .then(({ seq, conversationId }) => {
        settled.set(text, [...(settled.get(text) ?? []), { seq, conversationId }])
      })
    if (random() < 0.05) gateway.killAll()
    await time.run(random() < 0.5 ? 0 : random() * 300)
  }
  await time.run(20_000)
  gateway.faults = noFaults
  await time.run(120_000)
  return { world, all, asked, settled }
}

describe('whatever the network does', () => {
  test('every message comes out once and by seq, every send settles once and is never doubled, in order', async () => {
    let reconnects = 0
    let duplicates = 0
    let resends = 0
    let healed = 0
    await fc.assert(
      fc.asyncProperty(fc.integer(), faults, async (seed, given) => {
        const { world, all, asked, settled } = await chat(seed, given, 40)
        const { streams } = world.gateway
        expect(world.errors).toEqual([])
        const places = new Map<string, string[]>()
        for (const [stream, items] of streams)
          for (const item of items)
            if (item.kind === 'message') {
              const text = (item.content as { text: string }).text
              places.set(text, [...(places.get(text) ?? []), `${stream}/${item.seq}`])
            }
        for (const texts of asked.values()) {
          for (const text of texts) {
            expect(places.get(text), `"${text}" in the log`).toHaveLength(1)
            const answers = (settled.get(text) ?? []).map((sent) => `${sent.conversationId}/${sent.seq}`)
            expect(answers, `answers to "${text}"`).toEqual(places.get(text))
          }
          const seqs = texts.map((text) => Number(places.get(text)?.[0]?.split('/')[1]))
          expect(seqs, 'a lane keeps its order').toEqual([...seqs].sort((a, b) => a - b))
        }
        for (const { client, messages } of all) {
          for (const [stream, items] of streams) {
            if (stream.startsWith('p2p:') && !stream.split(':').includes(client.userId)) continue
            const got = messages
              .filter((message) => message.conversationId === stream)
              .map((message) => message.seq)
            expect(got, `${client.userId} in ${stream}`).toEqual(items.map((item) => item.seq))
          }
          const stats = client.stats()
          expect(stats.jumps).toBe(0)
          expect(stats.outbox).toBe(0)
          reconnects += stats.reconnects
          duplicates += stats.duplicates
          resends += stats.resends
          healed += stats.gapsHealed
        }
      }),
      { numRuns: 60 },
    )
    // Void if the faults did not bite.
    for (const bites of [reconnects, duplicates, resends, healed]) expect(bites).toBeGreaterThan(0)
  }, 120_000)

  test('a client that is ended and begun again from its store goes on where it was', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), faults, async (seed, given) => {
        const world = clientWorld(seed)
        const { gateway, time, random } = world
        gateway.groups.set(group, new Map(users.map((user) => [user, 1])))
        const ann = await world.online('ann')
        const store: Store = memoryStore()
        const got: number[] = []
        const handler = (message: Message): void => void got.push(message.seq)
        let bob = await world.online('bob', { store, on: { message: handler } })
        gateway.faults = given
        let texts = 0
        for (let life = 0; life < 4; life++) {
          for (let i = 0; i < 8; i++) {
            const sender = random() < 0.5 ? ann : bob
            sender.send({ conversationId: group, text: `${texts++}` }).catch(() => {})
            await time.run(random() * 200)
          }
          const closing = bob.close({ deadlineMs: 500 })
          await time.run(1_000)
          await closing
          const again = world.connect('bob', { store, connectTimeoutMs: 0, on: { message: handler } })
          gateway.faults = noFaults
          await time.run(20_000)
          bob = await again
          gateway.faults = given
        }
        gateway.faults = noFaults
        await time.run(120_000)
        const items = gateway.streams.get(group) ?? []
        const bodies = items.map((item) => (item.content as { text: string }).text)
        expect(bodies.slice().sort()).toEqual(Array.from({ length: texts }, (_, i) => `${i}`).sort())
        expect(got).toEqual(items.map((item) => item.seq))
      }),
      { numRuns: 25 },
    )
  }, 120_000)

  test('of groups that come into being and grow, everyone gets all from his joining on, and each change once', async () => {
    let joined = 0
    await fc.assert(
      fc.asyncProperty(fc.integer(), faults, async (seed, given) => {
        const world = clientWorld(seed)
        const { gateway, time, random } = world
        const told = new Map<string, { messages: string[]; changes: string[] }>()
        const clients: Client[] = []
        for (const user of users) {
          const mine = { messages: [] as string[], changes: [] as string[] }
          told.set(user, mine)
          const note = (change: { conversationId: string; seq: number }): void =>
            void mine.changes.push(`${change.conversationId}/${change.seq}`)
          const on = {
            message: (one: Message) => void mine.messages.push(`${one.conversationId}/${one.seq}`),
            recalled: note,
            edited: note,
            group: note,
          }
          clients.push(await world.online(user, { on }))
        }
        gateway.faults = given
        const groups: string[] = []
        const act = (client: Client): Promise<unknown> => {
          const of = groups[Math.floor(random() * groups.length)]
          const member = of && gateway.groups.get(of)?.has(client.userId)
          const dice = random()
          if (!of || dice < 0.15) {
            const members = users.filter(() => random() < 0.5)
            return client
              .createGroup({ name: 'g', members })
              .then((sent) => void groups.push(sent.conversationId))
          }
          if (!member) return Promise.resolve()
          const sent = gateway.streams.get(of)?.findLast((item) => item.kind === 'message')
          if (sent && dice < 0.25) return client.recall(of, sent.seq)
          if (sent && dice < 0.35) return client.edit(of, sent.seq, { text: 'edited' })
          const absent = users.find((user) => !gateway.groups.get(of)?.has(user))
          if (absent && dice < 0.5)
            return client.addMembers(of, [absent]).catch((error: LongwireError) => {
              // Someone else was faster.
              if (error.code !== 'no_change') throw error
            })
          return client.send({ conversationId: of, text: `${dice}` })
        }
        const done: Promise<unknown>[] = []
        for (let i = 0; i < 50; i++) {
          done.push(act(clients[i % clients.length] as Client))
          if (random() < 0.04) gateway.killAll()
          await time.run(random() * 400)
        }
        await time.run(10_000)
        gateway.faults = noFaults
        await time.run(120_000)
        await Promise.all(done)
        expect(world.errors).toEqual([])
        for (const [user, { messages, changes }] of told) {
          const visible = [...gateway.streams].flatMap(([stream, items]) => {
            const fromSeq = gateway.groups.get(stream)?.get(user)
            if (fromSeq !== undefined && fromSeq > 1) joined += 1
            return fromSeq === undefined ? [] : items.filter((item) => item.seq >= fromSeq)
          })
          const places = (of: typeof visible): string[] =>
            of.map((item) => `${item.conversationId}/${item.seq}`).sort()
          expect([...messages].sort(), `messages of ${user}`).toEqual(
            places(visible.filter((item) => item.kind === 'message')),
          )
          // An edit need not be told of a message that is shown as recalled.
          const needless = places(
            visible.filter(({ kind, conversationId, seq, targetSeq }) =>
              visible.some(
                (later) =>
                  kind === 'edited' &&
                  later.kind === 'recalled' &&
                  later.conversationId === conversationId &&
                  later.targetSeq === targetSeq &&
                  later.seq > seq,
              ),
            ),
          ).filter((place) => !changes.includes(place))
          expect([...changes, ...needless].sort(), `changes of ${user}`).toEqual(
            places(visible.filter((item) => item.kind !== 'message' && item.kind !== 'read')),
          )
        }
      }),
      { numRuns: 40 },
    )
    expect(joined).toBeGreaterThan(0)
  }, 120_000)
})
