import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { allOf, type Person, personOf, textsOf, until } from '../support/person.ts'
import { type Platform, startPlatform } from '../support/platform.ts'

let platform: Platform

beforeAll(async () => {
  platform = await startPlatform()
})
afterAll(async () => {
  expect(await platform?.stop()).toBe(0)
})

const person = (user: string, codec: 'json' | 'avro' = 'json'): Promise<Person> =>
  personOf({ url: platform.ws, token: () => platform.token(user), user, codec })

/** Sent by frank to grace while roles are killed. */
const count = 300

describe('the whole platform, through the client', () => {
  test('a JSON and an Avro client hear the same, in single chat and in a group', async () => {
    const alice = await person('alice')
    const bob = await person('bob', 'avro')
    const { conversationId } = await alice.me.send({ to: 'bob', text: 'one' })
    await bob.me.send({ to: 'alice', text: 'two ✓ 二' })
    const group = await bob.me.createGroup({ name: 'both', members: ['alice'] })
    await alice.me.send({ conversationId: group.conversationId, text: 'three' })
    for (const { heard } of [alice, bob]) {
      await until('three messages', () => heard.length === 3)
      expect(textsOf(heard)).toEqual(['one', 'two ✓ 二', 'three'])
    }
    await until('bob has two unread', async () => {
      const list = await bob.me.conversations()
      return list.reduce((sum, { unread }) => sum + unread, 0) === 2
    })
    expect(textsOf(await allOf(bob.me, conversationId))).toEqual(['one', 'two ✓ 二'])
    await Promise.all([alice.me.close(), bob.me.close()])
  })

  test('a refused command says its code and nothing is left of it', async () => {
    const carol = await person('carol')
    const refused = carol.me.send({ conversationId: 'g:nothing', text: 'hello?' })
    await expect(refused).rejects.toMatchObject({ code: 'not_member' })
    await expect(carol.me.history('g:nothing')).rejects.toMatchObject({ code: 'not_member' })
    expect(await carol.me.conversations()).toEqual([])
    await carol.me.close()
  })

  test('a recalled text is in no page and an edited one shows as edited', async () => {
    const dave = await person('dave')
    const { conversationId, seq } = await dave.me.send({ to: 'erin', text: 'take this back' })
    const second = await dave.me.send({ to: 'erin', text: 'wrogn' })
    await dave.me.recall(conversationId, seq)
    await dave.me.edit(conversationId, second.seq, { text: 'right' })
    const erin = await person('erin')
    await until('the changes are applied', async () => {
      const texts = textsOf(await allOf(erin.me, conversationId))
      return texts.length === 2 && texts[0] === null && texts[1] === 'right'
    })
    const [conversation] = await erin.me.conversations()
    expect(conversation).toMatchObject({ conversationId, unread: 1 })
    await Promise.all([dave.me.close(), erin.me.close()])
  })

  test('nothing is lost, doubled or reordered while each role is killed in turn', async () => {
    const frank = await person('frank')
    const grace = await person('grace', 'avro')
    const sends: Promise<{ seq: number }>[] = []
    const killed: number[] = []
    for (let i = 0; i < count; i++) {
      sends.push(frank.me.send({ to: 'grace', text: `n${i}` }))
      if (i === 60) killed.push(platform.kill('processors'))
      if (i === 120) killed.push(platform.kill('gateway'))
      if (i === 180) killed.push(platform.kill('projections'))
      await sleep(15)
    }
    const answers = await Promise.all(sends)
    expect(new Set(killed).size).toBe(3)
    expect(answers.map(({ seq }) => seq)).toEqual(answers.map((_, i) => i + 1))
    const texts = Array.from({ length: count }, (_, i) => `n${i}`)
    await until('grace heard all', () => grace.heard.length >= count)
    expect(textsOf(grace.heard)).toEqual(texts)
    await until('history has all', async () => (await allOf(grace.me, 'p2p:frank:grace')).length === count)
    expect(textsOf(await allOf(grace.me, 'p2p:frank:grace'))).toEqual(texts)
    expect(frank.me.stats().reconnects).toBeGreaterThan(0)
    await Promise.all([frank.me.close(), grace.me.close()])
  })

  test('all of it survives a restart, and the next message gets the next seq', async () => {
    const heidi = await person('heidi')
    await heidi.me.send({ to: 'ivan', text: 'before' })
    await heidi.me.close()
    expect(await platform.stop({ keep: true })).toBe(0)
    platform = await startPlatform(platform.dataDir)
    const ivan = await person('ivan')
    const { conversationId, seq } = await ivan.me.send({ to: 'heidi', text: 'after' })
    expect(seq).toBe(2)
    await until('both are there', async () => (await allOf(ivan.me, conversationId)).length === 2)
    expect(textsOf(await allOf(ivan.me, conversationId))).toEqual(['before', 'after'])
    await ivan.me.close()
  })

  test('a storage policy hides what it no longer keeps from every read, and destroys it', async () => {
    const kept = 100
    expect(await platform.stop({ keep: true })).toBe(0)
    platform = await startPlatform(platform.dataDir, { LONGWIRE_STORE_P2P: `messages:${kept}` })
    const grace = await person('grace')
    const chat = 'p2p:frank:grace'
    await until('the policy holds', async () => (await allOf(grace.me, chat)).length === kept)
    const shown = await allOf(grace.me, chat)
    const texts = Array.from({ length: count }, (_, i) => `n${i}`)
    expect(textsOf(shown)).toEqual(texts.slice(-kept))
    expect((await grace.me.search({ query: 'n299' })).messages).toHaveLength(1)
    expect((await grace.me.search({ query: 'n0' })).messages).toEqual([])
    await until('the contents are destroyed in the archive', async () => {
      const sql = `SELECT countIf(content != ''), count() FROM longwire.messages FINAL WHERE conversation = '${chat}'`
      const answer = await fetch(platform.clickhouse, { method: 'POST', body: sql })
      return (await answer.text()).trim() === `${kept}\t${texts.length}`
    })
    await grace.me.close()
  })
})
