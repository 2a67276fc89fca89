/** What one merely observes, on connections whose token gives the right and on others of the same user. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ServerFrames } from '../../../schemas/frames.ts'
import { limits } from '../../../schemas/limits.ts'
import { until } from '../../support/gateway.ts'
import { type Answered, type Person, type Pipeline, startPipeline } from '../../support/pipeline.ts'

let world: Pipeline
beforeAll(async () => {
  world = await startPipeline(2)
})
afterAll(() => world?.stop())

const seqOf = (answer: Answered): number => {
  if (answer.type !== 'committed') throw new Error(answer.code)
  return answer.seq
}
const say = async (who: Person, conversationId: string, text: string) =>
  seqOf(
    await who.tell({
      ...{ type: 'send', conversationId, contentType: 'text', content: { text } },
      ...{ mentions: [], mentionAll: false },
    }),
  )
const heard = (who: Person, conversationId: string, seq: number): boolean =>
  who.frames.some(
    (frame) =>
      frame.type === 'event' && frame.item.conversationId === conversationId && frame.item.seq === seq,
  )
const toldOf = (who: Person, conversationId: string): string[] =>
  who.frames
    .filter((frame) => frame.type === 'event' || frame.type === 'head')
    .map((frame) => JSON.stringify(frame))
    .filter((frame) => frame.includes(`"${conversationId}"`))

async function headsOf(who: Person): Promise<string[]> {
  const { heads } = await who.ask<ServerFrames['headsResult']>({ type: 'heads' })
  return heads.map(({ conversationId }) => conversationId)
}

const names = Array.from({ length: limits.groupNamedMembersMax + 1 }, (_, i) => `member${i}`)
const groups = {
  'a small group': ['bob'],
  'a large group': ['bob', ...names],
  'a single chat': null,
}

/** A conversation of alice with bob, and eve: one device with the right, and two without, here and on the other gateway. */
async function given(kind: keyof typeof groups, eve: string) {
  const alice = await world.online('alice')
  const bob = await world.online('bob', { gateway: 1 })
  const watching = await world.online(eve, { rights: ['observe'] })
  const plain = [await world.online(eve), await world.online(eve, { gateway: 1 })] as const
  const members = groups[kind]
  let conversationId = 'p2p:alice:bob'
  if (members) {
    const made = await alice.tell({ type: 'createGroup', name: 'Team', members })
    if (made.type !== 'committed') throw new Error(made.code)
    conversationId = made.conversationId
  }
  return { alice, bob, watching, plain, conversationId }
}

describe.each(Object.keys(groups) as (keyof typeof groups)[])('%s that is observed', (kind) => {
  const eve = `eve-${kind.replaceAll(' ', '-')}`

  it('is shown on connections whose token has the right and on no others; any of them ends it', async () => {
    const { bob, watching, plain, conversationId } = await given(kind, eve)
    const observe = { type: 'observe', conversationId, on: true }
    seqOf(await watching.tell(observe))
    const seq = await say(bob, conversationId, 'overheard words')
    await until(() => heard(watching, conversationId, seq))
    const requests = [
      { type: 'history', conversationId },
      { type: 'sync', conversationId, ranges: [{ from: 1, to: 9 }], changesUpTo: 0 },
      { type: 'search', query: 'overheard', conversationId },
      ...(kind === 'a single chat' ? [] : [{ type: 'members', conversationId }]),
    ]
    for (const request of requests) {
      expect((await watching.ask(request)).type, request.type).not.toBe('error')
      for (const device of plain)
        expect(await device.ask(request), request.type).toMatchObject({ code: 'not_member' })
    }
    expect(await headsOf(watching)).toContain(conversationId)
    const found = { type: 'search', query: 'overheard words' }
    expect(JSON.stringify(await watching.ask(found))).toContain(`"${conversationId}"`)
    for (const device of plain) {
      expect(await headsOf(device)).not.toContain(conversationId)
      expect(await device.ask(found)).toMatchObject({ items: [] })
    }
    // Whatever was to come has come when what followed it has.
    const mark = await say(bob, `p2p:bob:${eve}`, 'hello')
    for (const device of plain) await until(() => heard(device, `p2p:bob:${eve}`, mark))
    expect(plain.flatMap((device) => toldOf(device, conversationId))).toEqual([])
    const end = seqOf(await plain[1].tell({ ...observe, on: false }))
    await until(() => heard(watching, conversationId, end))
    expect(await watching.ask({ type: 'history', conversationId })).toMatchObject({ toSeq: end })
    const after = await say(bob, conversationId, 'afterwards')
    expect(await watching.ask({ type: 'history', conversationId })).toMatchObject({ toSeq: end })
    expect(heard(watching, conversationId, after)).toBe(false)
  })
})

it.each(['a small group', 'a large group'] as const)(
  '%s that was observed is his on every connection once he is a member',
  async (kind) => {
    const eve = `eve-${kind.replaceAll(' ', '-')}`
    const { alice, bob, watching, plain, conversationId } = await given(kind, `${eve}-in`)
    const from = seqOf(await watching.tell({ type: 'observe', conversationId, on: true }))
    const joined = seqOf(await alice.tell({ type: 'addMembers', conversationId, members: [`${eve}-in`] }))
    const seq = await say(bob, conversationId, 'welcome')
    for (const device of [watching, ...plain]) await until(() => heard(device, conversationId, seq))
    for (const device of plain) {
      expect(await device.ask({ type: 'history', conversationId })).toMatchObject({ fromSeq: joined })
      expect(await headsOf(device)).toContain(conversationId)
    }
    expect(await watching.ask({ type: 'history', conversationId })).toMatchObject({ fromSeq: from })
  },
)

it('who reads what is told to members, not to those who observe', async () => {
  const { bob, watching, conversationId } = await given('a small group', 'eve-readers')
  seqOf(await watching.tell({ type: 'observe', conversationId, on: true }))
  const seq = await say(bob, conversationId, 'said')
  const readers = { type: 'readers', conversationId, seq }
  expect(await bob.ask(readers)).toMatchObject({ type: 'readersResult' })
  expect(await watching.ask(readers)).toMatchObject({ code: 'not_member' })
})
