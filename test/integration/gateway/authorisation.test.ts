/** Who may do what, asked through gateways, processors and read models as they are released. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { keys } from '../../../projections/keys.ts'
import type { ServerFrames } from '../../../schemas/frames.ts'
import { limits } from '../../../schemas/limits.ts'
import { newPackId, until } from '../../support/gateway.ts'
import { type Answered, type Person, type Pipeline, startPipeline } from '../../support/pipeline.ts'

let world: Pipeline
beforeAll(async () => {
  world = await startPipeline(3)
})
afterAll(() => world?.stop())

const text = (said: string) => ({
  contentType: 'text',
  content: { text: said },
  mentions: [],
  mentionAll: false,
})
const send = (conversationId: string, said = 'hi') => ({ type: 'send', conversationId, ...text(said) })
const recall = (conversationId: string, seq: number) => ({ type: 'recall', conversationId, seq })
const edit = (conversationId: string, seq: number) => ({ type: 'edit', conversationId, seq, ...text('ho') })
const history = (conversationId: string, part: object = {}) => ({ type: 'history', conversationId, ...part })

async function group(owner: Person, ...members: string[]): Promise<string> {
  const made = await owner.tell({ type: 'createGroup', name: 'Team', members })
  if (made.type !== 'committed') throw new Error(made.code)
  return made.conversationId
}
const seqOf = (answer: Answered): number => {
  if (answer.type !== 'committed') throw new Error(answer.code)
  return answer.seq
}
const codeOf = (answer: Answered): string | null => (answer.type === 'rejected' ? answer.code : null)
const pageOf = (who: Person, conversationId: string, part: object = {}) =>
  who.ask<ServerFrames['historyResult']>(history(conversationId, part))

describe('a group one is not in', () => {
  it('answers everything just as one that does not exist, and none of it takes a seq', async () => {
    const alice = await world.online('alice')
    const mallory = await world.online('mallory', { gateway: 1 })
    const existing = await group(alice, 'bob')
    await alice.tell(send(existing, 'secret'))
    const unknown = `g:${'0'.repeat(32)}`
    const on = { on: true }
    const user = { userId: 'bob' }
    const commands = (conversationId: string): object[] => [
      send(conversationId),
      edit(conversationId, 2),
      recall(conversationId, 2),
      { type: 'react', conversationId, seq: 2, emoji: '👍', ...on },
      { type: 'pin', conversationId, seq: 2, ...on },
      { type: 'addMembers', conversationId, members: ['mallory'] },
      { type: 'removeMembers', conversationId, members: ['mallory'] },
      { type: 'dissolveGroup', conversationId },
      { type: 'answerJoin', conversationId, ...user, accept: true },
      { type: 'setRole', conversationId, userId: 'mallory', role: 'owner' },
      { type: 'mute', conversationId, ...user, forMs: 1_000 },
      { type: 'muteAll', conversationId, ...on },
      { type: 'setGroup', conversationId, name: 'Mine' },
      { type: 'observe', conversationId, ...on },
      { type: 'observe', conversationId, on: false },
      { type: 'markRead', conversationId, seq: 1, ordinal: 0 },
      { type: 'markRead', conversationId, seq: 99, ordinal: 99 },
    ]
    const requests = (conversationId: string): object[] => [
      history(conversationId),
      { type: 'sync', conversationId, ranges: [{ from: 1, to: 9 }], changesUpTo: 0 },
      { type: 'members', conversationId },
      { type: 'readers', conversationId, seq: 2 },
      { type: 'search', query: 'secret', conversationId },
      { type: 'lookup', conversationId, packId: newPackId() },
    ]
    const plain = (answer: object) => ({ ...answer, packId: 0, id: 0 })
    for (const [i, command] of commands(existing).entries()) {
      const answers = [await mallory.tell(command), await mallory.tell(commands(unknown)[i] ?? {})]
      expect(plain(answers[0] ?? {}), JSON.stringify(command)).toEqual(plain(answers[1] ?? {}))
      expect(answers[0]?.type).toBe('rejected')
    }
    for (const [i, request] of requests(existing).entries()) {
      const answers = [await mallory.ask(request), await mallory.ask(requests(unknown)[i] ?? {})]
      expect(plain(answers[0] ?? {}), JSON.stringify(request)).toEqual(plain(answers[1] ?? {}))
      expect(JSON.stringify(answers)).not.toContain('secret')
    }
    expect(await pageOf(alice, existing)).toMatchObject({ toSeq: 2 })
  })

  it('takes as long to say so as one that does not exist', async () => {
    const alice = await world.online('alice')
    const existing = await group(alice, 'bob')
    await alice.tell(send(existing))
    expect(await pageOf(alice, existing)).toMatchObject({ toSeq: 2 })
    const unknown = `g:${'0'.repeat(32)}`
    const asks: readonly ((conversationId: string) => object)[] = [
      (conversationId) => ({ ...history(conversationId), id: 1_000 }),
      (conversationId) => ({ type: 'sync', id: 1_000, conversationId, ranges: [], changesUpTo: 0 }),
      (conversationId) => ({
        ...{ type: 'markRead', packId: newPackId(world.now()), conversationId, seq: 1, ordinal: 0 },
      }),
    ]
    for (const ask of asks) {
      const mallory = await world.online('mallory')
      const took = async (conversationId: string): Promise<number> => {
        const from = mallory.frames.length
        const began = performance.now()
        mallory.send(ask(conversationId))
        while (mallory.frames.length === from) await new Promise(setImmediate)
        return performance.now() - began
      }
      const times: [existing: number[], unknown: number[]] = [[], []]
      // By turns, so that whatever else slows the machine slows both.
      for (let i = 0; i < 90; i++) {
        times[0].push(await took(existing))
        times[1].push(await took(unknown))
      }
      const [one, other] = times.map((all) => all.sort((a, b) => a - b)[45] as number) as [number, number]
      expect(Math.max(one, other) / Math.min(one, other), `${one} ms, ${other} ms`).toBeLessThan(2)
      mallory.close()
    }
  })

  it('of two others is a single chat that answers likewise', async () => {
    const mallory = await world.online('mallory')
    for (const conversationId of ['p2p:alice:bob', 'p2p:nobody1:nobody2']) {
      expect(codeOf(await mallory.tell(send(conversationId)))).toBe('not_member')
      expect(await mallory.ask(history(conversationId))).toMatchObject({ code: 'not_member' })
    }
  })
})

describe('a user who exists', () => {
  it('is told apart from one who does not by nobody: sent to, asked, looked up', async () => {
    await world.online('erin')
    const mallory = await world.online('mallory')
    const about = (user: string): object[] => [
      { type: 'send', to: user, ...text('hi') },
      { type: 'requestFriend', userId: user, note: 'hello' },
      { type: 'block', userId: user, on: true },
      { type: 'answerFriend', userId: user, accept: true },
    ]
    for (const [i, command] of about('erin').entries()) {
      const [known, unknown] = [await mallory.tell(command), await mallory.tell(about('nobody7')[i] ?? {})]
      const plain = (answer: Answered) => ({ ...answer, packId: 0, conversationId: 0, time: 0 })
      expect(plain(known)).toEqual(plain(unknown))
    }
    const profiles = await mallory.ask<ServerFrames['profilesResult']>({
      type: 'profiles',
      userIds: ['erin', 'nobody7'],
    })
    expect({ ...profiles.profiles[0], userId: 0 }).toEqual({ ...profiles.profiles[1], userId: 0 })
    const presence = await mallory.ask<ServerFrames['presenceResult']>({
      type: 'presence',
      subscribe: ['erin', 'nobody7'],
      unsubscribe: [],
    })
    expect(presence.states.map(({ devices }) => devices)).toEqual([[], []])
  })
})

describe('a member who is removed while he sends', () => {
  it('is in the log up to the removal and no further, and everyone agrees', async () => {
    const alice = await world.online('alice')
    const bob = await world.online('bob', { gateway: 1 })
    const carol = await world.online('carol', { gateway: 2 })
    const conversationId = await group(alice, 'bob', 'carol')
    const sends = Array.from({ length: 200 }, (_, i) => bob.tell(send(conversationId, `n${i}`)))
    await sends[20]
    const removal = seqOf(await alice.tell({ type: 'removeMembers', conversationId, members: ['bob'] }))
    const answers = await Promise.all(sends)
    const committed = answers.flatMap((answer) => (answer.type === 'committed' ? [answer.seq] : []))
    expect(Math.max(...committed)).toBeLessThan(removal)
    for (const answer of answers) if (answer.type === 'rejected') expect(answer.code).toBe('not_member')
    expect(codeOf(await bob.tell(send(conversationId)))).toBe('not_member')
    const head = seqOf(await alice.tell(send(conversationId, 'after')))
    const seen = async (who: Person) => (await pageOf(who, conversationId, { limit: 200, after: 0 })).items
    const all = await seen(alice)
    expect(all.map(({ seq }) => seq)).toEqual(Array.from({ length: all.length }, (_, i) => i + 1))
    expect(await seen(carol)).toEqual(all)
    const bobs = await pageOf(bob, conversationId, { limit: 200, after: 0 })
    expect(bobs.toSeq).toBe(removal)
    expect(bobs.items).toEqual(all.filter(({ seq }) => seq <= removal))
    expect(head).toBeGreaterThan(removal)
    await until(() => carol.frames.some((frame) => frame.type === 'event' && frame.item.seq === head))
    expect(bob.frames.some((frame) => frame.type === 'event' && frame.item.seq > removal)).toBe(false)
  })
})

describe('a former member', () => {
  it('marks as read what he may see and no more, and learns nothing of who is in now', async () => {
    const alice = await world.online('alice')
    const bob = await world.online('bob', { gateway: 1 })
    const conversationId = await group(alice, 'bob', 'carol')
    const seq = seqOf(await alice.tell(send(conversationId)))
    const readers = { type: 'readers', conversationId, seq }
    expect(await bob.ask(readers)).toMatchObject({ count: 0 })
    const end = seqOf(await alice.tell({ type: 'removeMembers', conversationId, members: ['bob'] }))
    const head = seqOf(await alice.tell(send(conversationId)))
    const mark = (upTo: number, ordinal = 1) => ({
      ...{ type: 'markRead', conversationId, seq: upTo, ordinal },
    })
    for (const beyond of [end + 1, head, head + 1])
      expect(codeOf(await bob.tell(mark(beyond))), String(beyond)).toBe('bad_position')
    expect(codeOf(await bob.tell(mark(end, 2)))).toBe('bad_position')
    seqOf(await bob.tell(mark(end)))
    expect(await bob.ask(readers)).toMatchObject({ code: 'not_member' })
  })

  it('who never was one leaves no mark', async () => {
    const alice = await world.online('alice')
    const mallory = await world.online('mallory', { gateway: 1 })
    const conversationId = await group(alice, 'bob')
    const seq = seqOf(await alice.tell(send(conversationId)))
    const mark = { type: 'markRead', conversationId, seq, ordinal: 1 }
    expect(codeOf(await mallory.tell(mark))).toBe('not_member')
    seqOf(await alice.tell(mark))
    const marks = async () => (await world.redis.batch([['ZRANGE', keys.readers(conversationId), 0, -1]]))[0]
    await expect.poll(marks).toEqual(['alice'])
  })
})

describe('a recall', () => {
  it('is the author’s, the admin’s and the owner’s, and nobody else’s', async () => {
    const [alice, bob, carol] = await Promise.all([
      world.online('alice'),
      world.online('bob'),
      world.online('carol'),
    ])
    const conversationId = await group(alice, 'bob', 'carol')
    const said = async (who: Person) => seqOf(await who.tell(send(conversationId)))
    const byAlice = await said(alice)
    const byBob = await said(bob)
    expect(codeOf(await carol.tell(recall(conversationId, byBob)))).toBe('not_author')
    expect(codeOf(await carol.tell(edit(conversationId, byBob)))).toBe('not_author')
    expect(codeOf(await alice.tell(edit(conversationId, byBob)))).toBe('not_author')
    expect(codeOf(await bob.tell(recall(conversationId, byAlice)))).toBe('not_author')
    await alice.tell({ type: 'setRole', conversationId, userId: 'carol', role: 'admin' })
    expect((await carol.tell(recall(conversationId, byBob))).type).toBe('committed')
    await alice.tell({ type: 'setRole', conversationId, userId: 'carol', role: 'member' })
    expect(codeOf(await carol.tell(recall(conversationId, await said(bob))))).toBe('not_author')
    expect((await bob.tell(recall(conversationId, await said(bob)))).type).toBe('committed')
  })

  it('twice is one: the same packId gets the same answer, another one is told', async () => {
    const alice = await world.online('alice')
    const conversationId = await group(alice, 'bob')
    const seq = seqOf(await alice.tell(send(conversationId)))
    const packId = newPackId(world.now())
    const first = await alice.tell({ ...recall(conversationId, seq), packId })
    const again = await alice.tell({ ...recall(conversationId, seq), packId })
    expect(again).toEqual({ ...first, repeat: true })
    expect(codeOf(await alice.tell(recall(conversationId, seq)))).toBe('already_recalled')
    expect(codeOf(await alice.tell(edit(conversationId, seq)))).toBe('already_recalled')
  })

  it('of what is no message, or not yet, changes nothing', async () => {
    const alice = await world.online('alice')
    const conversationId = await group(alice, 'bob')
    const head = seqOf(await alice.tell(send(conversationId)))
    const never = ['no_such_message', 'bad_position']
    for (const seq of [1, head + 1, head + 1_000_000, Number.MAX_SAFE_INTEGER - 1])
      expect(never, String(seq)).toContain(codeOf(await alice.tell(recall(conversationId, seq))))
    for (const seq of [0, -1])
      expect(codeOf(await alice.tell(recall(conversationId, seq)))).toBe('no_such_message')
    expect(await pageOf(alice, conversationId)).toMatchObject({ toSeq: head })
  })
})

describe('a message older than what its stream keeps', () => {
  it('is still pinned, reacted to and recalled, from what the log says of it', async () => {
    const alice = await world.online('alice')
    const bob = await world.online('bob', { gateway: 1 })
    const conversationId = await group(alice, 'bob', 'carol')
    const old = seqOf(await bob.tell(send(conversationId, 'the old one')))
    const authors = await Promise.all(
      Array.from({ length: 4 }, (_, i) => world.online('carol', { gateway: i % 3 })),
    )
    const each = limits.recentMessagesMax / 4 + 10
    for (const author of authors) {
      const sent = await Promise.all(
        Array.from({ length: each }, (_, i) => author.tell(send(conversationId, `n${i}`))),
      )
      expect(sent.every((answer) => answer.type === 'committed')).toBe(true)
    }
    const command = { conversationId, seq: old }
    expect((await alice.tell({ type: 'pin', ...command, on: true })).type).toBe('committed')
    expect((await bob.tell({ type: 'react', ...command, emoji: '👍', on: true })).type).toBe('committed')
    expect(codeOf(await alice.tell({ type: 'pin', conversationId, seq: 1, on: true }))).toBe(
      'no_such_message',
    )
    expect((await alice.tell(recall(conversationId, old))).type).toBe('committed')
    const mallory = await world.online('mallory')
    expect(codeOf(await mallory.tell(recall(conversationId, old)))).toBe('not_member')
    expect(codeOf(await mallory.tell(recall(conversationId, 1)))).toBe('not_member')
    const page = await pageOf(alice, conversationId, { after: old - 1, limit: 1 })
    expect(page.items).toMatchObject([{ seq: old, kind: 'message' }])
    expect(JSON.stringify(page)).not.toContain('the old one')
  })
})

describe('observing', () => {
  it('is for those whose token says so, from then on, and shows in no roster', async () => {
    const alice = await world.online('alice')
    const bob = await world.online('bob', { gateway: 1 })
    const watcher = await world.online('watcher', { gateway: 2, rights: ['observe'] })
    const conversationId = await group(alice, 'bob')
    await alice.tell(send(conversationId, 'before'))
    const observe = { type: 'observe', conversationId, on: true }
    expect(codeOf(await (await world.online('watcher')).tell(observe))).toBe('not_allowed')
    const from = seqOf(await watcher.tell(observe))
    expect(codeOf(await watcher.tell(observe))).toBe('no_change')
    expect(codeOf(await watcher.tell(send(conversationId)))).toBe('not_member')
    const said = seqOf(await bob.tell(send(conversationId, 'while')))
    await until(() => watcher.frames.some((frame) => frame.type === 'event' && frame.item.seq === said))
    expect(JSON.stringify(await watcher.ask(history(conversationId)))).not.toContain('before')
    expect(await pageOf(watcher, conversationId)).toMatchObject({ fromSeq: from })
    const roster = await alice.ask<ServerFrames['membersResult']>({ type: 'members', conversationId })
    expect(roster.members.map(({ userId }) => userId).sort()).toEqual(['alice', 'bob'])
    await watcher.tell({ ...observe, on: false })
    const after = seqOf(await bob.tell(send(conversationId, 'afterwards')))
    await until(() => alice.frames.some((frame) => frame.type === 'event' && frame.item.seq === after))
    expect(JSON.stringify(await watcher.ask(history(conversationId)))).not.toContain('afterwards')
    expect(watcher.frames.some((frame) => frame.type === 'event' && frame.item.seq === after)).toBe(false)
  })
})

describe('after the window', () => {
  it('an author neither recalls nor edits, and an admin still recalls', async () => {
    const alice = await world.online('alice')
    const bob = await world.online('bob')
    const conversationId = await group(alice, 'bob')
    const seq = seqOf(await bob.tell(send(conversationId)))
    world.skew(limits.recallWindowMs + 1_000)
    expect(codeOf(await bob.tell(recall(conversationId, seq)))).toBe('too_old')
    expect((await bob.tell(edit(conversationId, seq))).type).toBe('committed')
    world.skew(limits.editWindowMs + 1_000)
    expect(codeOf(await bob.tell(edit(conversationId, seq)))).toBe('too_old')
    expect((await alice.tell(recall(conversationId, seq))).type).toBe('committed')
  })
})
