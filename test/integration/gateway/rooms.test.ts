/** Live rooms through all roles, two gateways and a real Redis. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ServerFrame } from '../../../schemas/frames.ts'
import { newPackId, until } from '../../support/gateway.ts'
import { type Person, type Pipeline, startPipeline } from '../../support/pipeline.ts'

type Result = Extract<ServerFrame, { type: 'roomResult' }>

let all: Pipeline
beforeAll(async () => {
  all = await startPipeline(2)
})
afterAll(() => all.stop())

const said = (room: string, text: string, part: object = {}) => ({
  type: 'send',
  conversationId: `r:${room}`,
  contentType: 'text',
  content: { text },
  mentions: [],
  mentionAll: false,
  replyTo: null,
  ...part,
})
const join = (person: Person, roomId: string, newest: number | null = null) =>
  person.ask<Result>({ type: 'joinRoom', roomId, newest })
const textOf = (item: { content: unknown }) => (item.content as { text: string } | null)?.text
const shown = (person: Person, room: string) =>
  person.frames.flatMap((frame) =>
    frame.type === 'roomItems' && frame.conversationId === `r:${room}` ? frame.items : [],
  )
const textsOf = (person: Person, room: string) => shown(person, room).map(textOf)
const code = (answer: ServerFrame) => ('code' in answer ? answer.code : null)

describe('a live room', () => {
  test('shows all in it on both gateways what is said, the author too, and nobody else', async () => {
    const [ann, bob, cid] = await Promise.all([
      all.online('ann'),
      all.online('bob', { gateway: 1 }),
      all.online('cid', { gateway: 1 }),
    ])
    await join(ann, 'hall')
    await join(bob, 'hall')
    const answer = await ann.tell(said('hall', 'one'))
    expect(answer).toMatchObject({ type: 'committed', conversationId: 'r:hall', seq: 1 })
    await until(() => [ann, bob].every((person) => textsOf(person, 'hall').includes('one')))
    expect(cid.frames.some(({ type }) => type === 'roomItems' || type === 'event')).toBe(false)
    expect(code(await cid.tell(said('hall', 'from outside')))).toBe('not_member')
    // It is no conversation: neither listed nor pushed nor read like one.
    const { conversations } = await bob.ask<Extract<ServerFrame, { type: 'conversationsResult' }>>({
      ...{ type: 'conversations', before: null, limit: null },
    })
    expect(conversations).toEqual([])
    const { heads } = await bob.ask<Extract<ServerFrame, { type: 'headsResult' }>>({ type: 'heads' })
    expect(heads.map(({ conversationId }) => conversationId)).not.toContain('r:hall')
    const history = await bob.ask({
      type: 'history',
      conversationId: 'r:hall',
      before: null,
      after: null,
      limit: null,
    })
    expect(code(history)).toBe('unsupported')
    expect(bob.frames.some(({ type }) => type === 'event')).toBe(false)
    for (const person of [ann, bob, cid]) person.close()
  })

  test('tells a late joiner the newest, and goes on behind them', async () => {
    const ann = await all.online('ann')
    await join(ann, 'late')
    for (let n = 1; n <= 8; n++) await ann.tell(said('late', `m${n}`))
    const bob = await all.online('bob', { gateway: 1 })
    const sending = Promise.all(Array.from({ length: 10 }, (_, i) => ann.tell(said('late', `n${i}`))))
    const result = await join(bob, 'late', 5)
    expect(result.items).toHaveLength(5)
    expect(result.items.at(-1)?.seq).toBe(result.headSeq)
    await sending
    await until(() => shown(bob, 'late').at(-1)?.seq === 18 || result.headSeq === 18)
    expect(shown(bob, 'late').map(({ seq }) => seq)).toEqual(
      Array.from({ length: 18 - result.headSeq }, (_, i) => result.headSeq + 1 + i),
    )
    for (const person of [ann, bob]) person.close()
  })

  test('is left by joining another: from the answer on nothing of the old one comes', async () => {
    const [ann, bob, cid] = await Promise.all(
      ['ann', 'bob', 'cid'].map((user, i) => all.online(user, { gateway: i % 2 })),
    )
    for (const person of [ann, cid] as Person[]) await join(person, 'red')
    await join(bob as Person, 'blue')
    for (let round = 0; round < 20; round++) {
      const room = round % 2 === 0 ? 'red' : 'blue'
      const saying = [
        (ann as Person).tell(said('red', `r${round}`)),
        (bob as Person).tell(said('blue', `b${round}`)),
      ]
      await join(cid as Person, room)
      await Promise.all(saying)
    }
    await until(() => shown(cid as Person, 'blue').length > 0)
    let room: string | null = null
    for (const frame of (cid as Person).frames) {
      if (frame.type === 'roomResult') room = frame.conversationId
      if (frame.type === 'roomItems') expect(frame.conversationId).toBe(room)
    }
    await (cid as Person).ask({ type: 'leaveRoom' })
    const before = (cid as Person).frames.length
    await (bob as Person).tell(said('blue', 'last'))
    await until(() => textsOf(bob as Person, 'blue').includes('last'))
    expect((cid as Person).frames.slice(before).some(({ type }) => type === 'roomItems')).toBe(false)
    expect(code(await (cid as Person).tell(said('blue', 'gone')))).toBe('not_member')
    for (const person of [ann, bob, cid]) person?.close()
  })

  test('takes text once, from its author alone a recall, and nothing that would stay', async () => {
    const [ann, bob] = await Promise.all([all.online('ann'), all.online('bob', { gateway: 1 })])
    await join(ann, 'rules')
    await join(bob, 'rules')
    const packId = newPackId(all.now())
    const first = await ann.tell(said('rules', 'once', { packId }))
    const again = await ann.tell(said('rules', 'once', { packId }))
    expect(again).toMatchObject({ type: 'committed', repeat: true, seq: 1 })
    expect(first).toMatchObject({ seq: 1 })
    const recall = { type: 'recall', conversationId: 'r:rules', seq: 1 }
    expect(code(await bob.tell(recall))).toBe('not_author')
    expect(await ann.tell(recall)).toMatchObject({ type: 'committed' })
    await until(() =>
      shown(bob, 'rules').some(({ kind, targetSeq }) => kind === 'recalled' && targetSeq === 1),
    )
    const edited = {
      type: 'edit',
      conversationId: 'r:rules',
      seq: 1,
      contentType: 'text',
      content: { text: 'x' },
    }
    expect(code(await ann.tell({ ...edited, mentions: [], mentionAll: false }))).toBe('unsupported')
    expect(
      code(await ann.tell({ type: 'react', conversationId: 'r:rules', seq: 1, emoji: '👍', on: true })),
    ).toBe('unsupported')
    expect(code(await ann.tell({ type: 'markRead', conversationId: 'r:rules', seq: 1, ordinal: 1 }))).toBe(
      'unsupported',
    )
    const place = { contentType: 'location', content: { latitude: 1, longitude: 1 } }
    expect(code(await ann.tell(said('rules', '', place)))).toBe('bad_content')
    expect(code(await ann.tell(said('rules', 'x'.repeat(5_000))))).toBe('content_too_large')
    expect(code(await ann.tell(said('rules', 'hi', { mentionAll: true })))).toBe('bad_content')
    const late = await all.online('cid')
    const { items } = await join(late, 'rules')
    expect(items.map(({ kind, content }) => [kind, content ?? null])).toEqual([
      ['message', null],
      ['recalled', null],
    ])
    for (const person of [ann, bob, late]) person.close()
  })

  test('has a rate of its own, which leaves other commands alone', async () => {
    const ann = await all.online('ann')
    await join(ann, 'fast')
    const answers = await Promise.all(Array.from({ length: 60 }, (_, i) => ann.tell(said('fast', `m${i}`))))
    const refused = answers.filter((answer) => answer.type === 'rejected')
    expect(refused.length).toBeGreaterThan(10)
    expect(refused[0]).toMatchObject({ code: 'rate_limited', retryAfterMs: expect.any(Number) })
    expect(await ann.tell({ ...said('x', 'still'), conversationId: null, to: 'bob' })).toMatchObject({
      type: 'committed',
    })
    ann.close()
  })

  test('goes on when Redis has lost everything', async () => {
    const [ann, bob] = await Promise.all([all.online('ann'), all.online('bob', { gateway: 1 })])
    await join(ann, 'lost')
    await join(bob, 'lost')
    await ann.tell(said('lost', 'before'))
    await all.redis.batch([['EVAL', 'return redis.call("FLUSHALL")', 0] as never])
    for (let n = 0; n < 5; n++) await ann.tell(said('lost', `after ${n}`))
    await until(() => textsOf(bob, 'lost').includes('after 4'))
    expect(textsOf(bob, 'lost')).toHaveLength(6)
    for (const person of [ann, bob]) person.close()
  })
})
