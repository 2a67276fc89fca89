/** Large groups, signals, typing and presence through all roles, three gateways and a real Redis. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Item, ServerFrame } from '../../../schemas/frames.ts'
import { limits } from '../../../schemas/limits.ts'
import { names } from '../../support/fanout-given.ts'
import { until } from '../../support/gateway.ts'
import { type Person, type Pipeline, startPipeline } from '../../support/pipeline.ts'

let all: Pipeline
beforeAll(async () => {
  all = await startPipeline(3)
})
afterAll(() => all.stop())

const text = (value: string) => ({
  type: 'send',
  contentType: 'text',
  content: { text: value },
  mentions: [],
  mentionAll: false,
  replyTo: null,
})

const itemsOf = (person: Person, conversationId: string): Item[] =>
  person.frames.flatMap((frame) =>
    frame.type === 'event' && frame.item.conversationId === conversationId ? [frame.item] : [],
  )
const textsOf = (person: Person, conversationId: string): string[] =>
  itemsOf(person, conversationId).flatMap(({ kind, content }) =>
    kind === 'message' ? [(content as unknown as { text: string }).text] : [],
  )

async function committed(person: Person, command: object): Promise<string> {
  const answer = await person.tell(command)
  if (answer.type !== 'committed')
    throw new Error(`${answer.code} (${answer.message}): ${JSON.stringify(command).slice(0, 200)}`)
  return answer.conversationId
}

/** A group of `owner`, these people and so many who are never there. */
const groupOf = (owner: Person, people: readonly string[], absent: number): Promise<string> =>
  committed(owner, { type: 'createGroup', name: 'a hall', members: [...people, ...names('absent', absent)] })

const said = (person: Person, group: string, value: string) =>
  committed(person, { ...text(value), conversationId: group })

/** All of these have been pushed this text. */
const reaches = (people: readonly Person[], group: string, value: string) =>
  until(() => people.every((person) => textsOf(person, group).includes(value)))

describe('a large group', () => {
  let owner: Person
  let hall: string
  beforeAll(async () => {
    owner = await all.online('olga')
    const people = ['ann', 'bob', 'cid', 'dan', 'eve', 'fay', 'gus', 'hal', 'ivy', 'jim', 'kai']
    hall = await groupOf(owner, people, limits.groupNamedMembersMax)
  })

  test('reaches its members on every gateway, those too who log in later, and names nobody', async () => {
    const ann = await all.online('ann', { gateway: 1 })
    await said(owner, hall, 'one')
    await reaches([ann], hall, 'one')
    const bob = await all.online('bob', { gateway: 2 })
    const laptop = await all.online('ann', { gateway: 0 })
    const before = all.fanout.channelDeliveries
    await said(ann, hall, 'two')
    await reaches([bob, laptop, owner], hall, 'two')
    expect(all.fanout.channelDeliveries - before).toBe(3)
    expect(textsOf(ann, hall)).toEqual(['one'])
    for (const client of [ann, bob, laptop]) client.close()
  })

  test('a message sent at any moment of a login reaches the member, by a push or by the heads he reads', async () => {
    for (let round = 0; round < 10; round++) {
      const saying = Promise.all(
        [0, 3, 6, 9].map((ms) => after(ms + round, () => said(owner, hall, `${round}/${ms}`))),
      )
      const cid = await all.online('cid', { gateway: round % 3 })
      const { heads } = await cid.ask<Extract<ServerFrame, { type: 'headsResult' }>>({ type: 'heads' })
      await saying
      const told = heads.find(({ conversationId }) => conversationId === hall)?.seq ?? 0
      const last = await headOf(owner, hall)
      await until(() => Math.max(told, ...itemsOf(cid, hall).map(({ seq }) => seq)) >= last)
      const pushed = itemsOf(cid, hall).map(({ seq }) => seq)
      const missing = Array.from({ length: last - told }, (_, i) => told + 1 + i).filter(
        (seq) => !pushed.includes(seq),
      )
      expect(missing).toEqual([])
      cid.close()
    }
  })

  test('who was removed hears of it and no more, though he comes back at once, on whatever gateway', async () => {
    const dan = await all.online('dan', { gateway: 1 })
    const eve = await all.online('eve', { gateway: 1 })
    await said(owner, hall, 'for both')
    await reaches([dan, eve], hall, 'for both')
    const removing = committed(owner, { type: 'removeMembers', conversationId: hall, members: ['dan'] })
    const saying = said(owner, hall, 'not for dan')
    await removing
    const again = await Promise.all([0, 1, 2].map((gateway) => all.online('dan', { gateway })))
    await saying
    await said(owner, hall, 'nor this')
    await reaches([eve], hall, 'nor this')
    for (const person of [dan, ...again]) expect(textsOf(person, hall)).not.toContain('not for dan')
    for (const person of [dan, ...again]) expect(textsOf(person, hall)).not.toContain('nor this')
    expect(itemsOf(dan, hall).at(-1)).toMatchObject({ kind: 'removed', members: ['dan'] })
    for (const client of [dan, eve, ...again]) client.close()
  })

  test('who is added while online is shown what follows and nothing from before', async () => {
    const zed = await all.online('zed', { gateway: 2 })
    await said(owner, hall, 'before zed')
    await committed(owner, { type: 'addMembers', conversationId: hall, members: ['zed'] })
    await said(owner, hall, 'after zed')
    await reaches([zed], hall, 'after zed')
    expect(itemsOf(zed, hall).map(({ kind }) => kind)).toEqual(['added', 'message'])
    zed.close()
  })

  test('an observer gets what happens, and a recall takes back what he was shown', async () => {
    const spy = await all.online('spy', { gateway: 2, rights: ['observe'] })
    await committed(spy, { type: 'observe', conversationId: hall, on: true })
    await said(owner, hall, 'seen')
    await reaches([spy], hall, 'seen')
    const seq = itemsOf(spy, hall).findLast(({ kind }) => kind === 'message')?.seq
    await committed(owner, { type: 'recall', conversationId: hall, seq })
    await until(() =>
      itemsOf(spy, hall).some(({ kind, targetSeq }) => kind === 'recalled' && targetSeq === seq),
    )
    await committed(spy, { type: 'observe', conversationId: hall, on: false })
    await said(owner, hall, 'unseen')
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(textsOf(spy, hall)).not.toContain('unseen')
    spy.close()
  })

  test('goes on without a break when Redis has lost everything', async () => {
    const people = await Promise.all(['fay', 'gus'].map((user, i) => all.online(user, { gateway: 1 + i })))
    await said(owner, hall, 'still there')
    await reaches(people, hall, 'still there')
    await all.redis.batch([['EVAL', 'return redis.call("FLUSHALL")', 0] as never])
    for (let n = 0; n < 20; n++) await said(owner, hall, `emptied ${n}`)
    await reaches(people, hall, 'emptied 19')
    for (const person of people)
      expect(textsOf(person, hall).filter((value) => value.startsWith('emptied'))).toHaveLength(20)
    // The read models are rebuilt, and a new login finds the group again.
    const hal = await all.online('hal', { gateway: 1 })
    await hal.ask({ type: 'heads' })
    await untilAsync(async () => {
      await said(owner, hall, `after ${Date.now()}`)
      return textsOf(hal, hall).length > 0
    })
    for (const client of [...people, hal]) client.close()
  })
})

describe('a group that becomes large', () => {
  test('misses nobody: neither those who were in it, nor those who log in meanwhile', async () => {
    const owner = await all.online('otto')
    const here = await Promise.all(['pia', 'quin', 'rob'].map((user, i) => all.online(user, { gateway: i })))
    const group = await groupOf(owner, ['pia', 'quin', 'rob', 'sue'], limits.groupNamedMembersMax - 10)
    await said(owner, group, 'small')
    await reaches(here, group, 'small')
    const adding = committed(owner, {
      type: 'addMembers',
      conversationId: group,
      members: ['tim', ...names('more', 20)],
    })
    const saying = said(owner, group, 'large')
    const sue = await all.online('sue', { gateway: 1 })
    await adding
    await saying
    await reaches(here, group, 'large')
    await said(owner, group, 'larger')
    await reaches([...here, sue], group, 'larger')
    for (const person of here) expect(textsOf(person, group)).toEqual(['small', 'large', 'larger'])
    for (const client of [owner, sue, ...here]) client.close()
  })
})

describe('signals between people', () => {
  let uma: Person
  let vic: Person
  beforeAll(async () => {
    uma = await all.online('uma', { gateway: 0 })
    vic = await all.online('vic', { gateway: 1 })
    await committed(uma, { type: 'requestFriend', userId: 'vic', note: '' })
    await committed(vic, { type: 'answerFriend', userId: 'uma', accept: true })
    await committed(uma, { ...text('hi'), to: 'vic' })
    await untilAsync(async () => {
      const { relations } = await uma.ask<Extract<ServerFrame, { type: 'relationsResult' }>>({
        type: 'relations',
      })
      return relations.some(({ state }) => state === 'friend')
    })
  })

  test('what was read is told to the other side', async () => {
    const seq = await headOf(vic, 'p2p:uma:vic')
    await committed(vic, { type: 'markRead', conversationId: 'p2p:uma:vic', seq, ordinal: 1 })
    expect(await uma.next('receipt')).toMatchObject({ conversationId: 'p2p:uma:vic', userId: 'vic', seq })
  })

  test('a changed profile is told to friends', async () => {
    await committed(vic, { type: 'setProfile', ...nothingSet, name: 'Vic' })
    expect(await uma.next('profileChanged')).toMatchObject({ userId: 'vic' })
  })

  test('who types is shown on the other gateway', async () => {
    vic.send({ type: 'typing', conversationId: 'p2p:uma:vic' })
    expect(await uma.next('userTyping')).toMatchObject({ conversationId: 'p2p:uma:vic', userId: 'vic' })
  })

  test('who comes and goes is told to friends who subscribed, on whatever gateway', async () => {
    const { states } = await uma.ask<Extract<ServerFrame, { type: 'presenceResult' }>>({
      type: 'presence',
      subscribe: ['vic', 'stranger'],
      unsubscribe: [],
    })
    expect(states).toMatchObject([
      { userId: 'vic', devices: [{ deviceType: 'test' }] },
      { userId: 'stranger', devices: [] },
    ])
    vic.close()
    expect(await uma.next('presenceChanges')).toMatchObject({ changes: [{ userId: 'vic', devices: [] }] })
    vic = await all.online('vic', { gateway: 2 })
    expect(await uma.next('presenceChanges')).toMatchObject({
      changes: [{ userId: 'vic', devices: [{ deviceType: 'test' }] }],
    })
  })
})

const nothingSet = { name: null, avatar: null, birthday: null, region: null, gender: null, custom: null }

async function headOf(person: Person, conversationId: string): Promise<number> {
  const { heads } = await person.ask<Extract<ServerFrame, { type: 'headsResult' }>>({ type: 'heads' })
  return heads.find((head) => head.conversationId === conversationId)?.seq ?? 0
}

const after = <T>(ms: number, work: () => Promise<T>): Promise<T> =>
  new Promise<T>((resolve, reject) => setTimeout(() => work().then(resolve, reject), ms))

async function untilAsync(done: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 30_000; !(await done()); ) {
    if (Date.now() > end) throw new Error('it did not happen in time')
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}
