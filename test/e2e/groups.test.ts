import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Right } from '../../gateway/tokens/verdict.ts'
import { allOf, closeAll, listed, type Person, personOf, textsOf, toldOf, until } from '../support/person.ts'
import { type ExtraGateway, type Platform, startPlatform } from '../support/platform.ts'

let platform: Platform
let second: ExtraGateway

beforeAll(async () => {
  platform = await startPlatform()
  second = await platform.addGateway('gw-second')
})
afterAll(async () => {
  expect(await platform?.stop()).toBe(0)
})

interface Where {
  readonly device?: string
  readonly rights?: readonly Right[]
  /** Of the two gateways; default the first. */
  readonly at?: 'first' | 'second'
}

const person = (user: string, { device, rights, at }: Where = {}): Promise<Person> =>
  personOf({
    url: at === 'second' ? second.ws : platform.ws,
    token: () => platform.mint(user, rights),
    user,
    ...(device ? { device } : {}),
  })
/** One device each, at the first gateway. */
const people = <const U extends readonly string[]>(...users: U) =>
  Promise.all(users.map((user) => person(user))) as Promise<{ [K in keyof U]: Person }>
const refusal = (code: string) => ({ code })
const membersOf = async ({ me }: Person, group: string): Promise<string[]> =>
  (await me.members(group)).members.map(({ userId, role }) =>
    role === 'member' ? userId : `${userId}:${role}`,
  )

describe('groups with roles', () => {
  test('each may do what his role allows, is refused the rest, and a refused command leaves nothing behind', async () => {
    const [ann, ben, cas] = await people('ann', 'ben', 'cas')
    const { conversationId: g } = await ann.me.createGroup({ name: 'crew', members: ['ben', 'cas', 'dan'] })
    await ann.me.setRole(g, 'ben', 'admin')
    const { seq } = await cas.me.send({ conversationId: g, text: 'hello' })

    await expect(cas.me.setGroup(g, { name: 'mine' })).rejects.toMatchObject(refusal('not_allowed'))
    await expect(cas.me.removeMembers(g, ['dan'])).rejects.toMatchObject(refusal('not_allowed'))
    await expect(cas.me.mute(g, 'dan', 60_000)).rejects.toMatchObject(refusal('not_allowed'))
    await expect(ben.me.mute(g, 'ann', 60_000)).rejects.toMatchObject(refusal('not_allowed'))
    await expect(ben.me.setRole(g, 'cas', 'admin')).rejects.toMatchObject(refusal('not_allowed'))
    await expect(ben.me.dissolve(g)).rejects.toMatchObject(refusal('not_allowed'))
    await expect(ann.me.leave(g)).rejects.toMatchObject(refusal('not_allowed'))
    await expect(ann.me.edit(g, seq, { text: 'forged' })).rejects.toMatchObject(refusal('not_author'))
    await expect(ann.me.addMembers(g, ['ben'])).rejects.toMatchObject(refusal('no_change'))

    await ben.me.setGroup(g, { name: 'the crew', announcement: 'read me', addPolicy: 'admins' })
    await expect(cas.me.addMembers(g, ['eve'])).rejects.toMatchObject(refusal('not_allowed'))
    await ben.me.pin(g, seq)
    await until('the group shows it', async () => (await cas.me.group(g)).pinned.includes(seq))
    expect(await cas.me.group(g)).toMatchObject({
      ...{ name: 'the crew', announcement: 'read me', addPolicy: 'admins', role: 'member' },
      ...{ memberCount: 4, large: false, dissolved: false },
    })
    expect(await membersOf(cas, g)).toEqual(['ann:owner', 'ben:admin', 'cas', 'dan'])
    await until('everybody was told', () => toldOf(cas, 'group').some(({ kind }) => kind === 'groupSet'))
    await closeAll(ann, ben, cas)
  })

  test('the muted are silent until it ends, and so is everyone but those who lead when all are muted', async () => {
    const [fay, gil] = await people('fay', 'gil')
    const { conversationId: g } = await fay.me.createGroup({ name: 'quiet', members: ['gil'] })
    await fay.me.mute(g, 'gil', 60_000)
    await expect(gil.me.send({ conversationId: g, text: 'but' })).rejects.toMatchObject(refusal('muted'))
    await fay.me.mute(g, 'gil', 0)
    const said = await gil.me.send({ conversationId: g, text: 'at last' })
    await fay.me.muteAll(g)
    await expect(gil.me.send({ conversationId: g, text: 'no' })).rejects.toMatchObject(refusal('muted'))
    await fay.me.send({ conversationId: g, text: 'only I' })
    // Taking back is no speaking.
    await gil.me.recall(g, said.seq)
    await fay.me.muteAll(g, false)
    await gil.me.send({ conversationId: g, text: 'free' })
    expect(textsOf(await allOf(fay.me, g))).toEqual([null, 'only I', 'free'])
    await closeAll(fay, gil)
  })

  test('who asks is let in or not; who is added, leaves or is removed sees exactly his time in it', async () => {
    const [hal, ida, jon] = await people('hal', 'ida', 'jon')
    const { conversationId: g } = await hal.me.createGroup({ name: 'club', members: ['kim'] })
    await hal.me.send({ conversationId: g, text: 'before ida' })
    await ida.me.requestJoin(g, 'please')
    await expect(ida.me.requestJoin(g)).rejects.toMatchObject(refusal('no_change'))
    await jon.me.requestJoin(g)
    await expect(hal.me.answerJoin(g, 'mallory', true)).rejects.toMatchObject(refusal('not_asked'))
    await until('both wait', async () => (await hal.me.group(g)).requests.length === 2)
    expect((await hal.me.group(g)).requests[0]).toMatchObject({ userId: 'ida', note: 'please' })
    expect(await ida.me.group(g)).toMatchObject({ name: 'club', role: null, asked: true, requests: [] })
    await hal.me.answerJoin(g, 'jon', false)
    await hal.me.answerJoin(g, 'ida', true)
    await hal.me.send({ conversationId: g, text: 'with ida' })
    await until('ida hears', () => ida.heard.length === 1)
    await ida.me.leave(g)
    await hal.me.send({ conversationId: g, text: 'after ida' })
    await expect(ida.me.send({ conversationId: g, text: 'still?' })).rejects.toMatchObject(
      refusal('not_member'),
    )
    await expect(jon.me.history(g)).rejects.toMatchObject(refusal('not_member'))
    expect(textsOf(await allOf(ida.me, g))).toEqual(['with ida'])
    expect(textsOf(ida.heard)).toEqual(['with ida'])
    const asLeft = await listed(ida, g)
    expect([asLeft?.unread, asLeft?.preview?.content?.text]).toEqual([1, 'with ida'])

    await hal.me.setGroup(g, { joinPolicy: 'open' })
    await ida.me.requestJoin(g)
    await until('ida is in again, with nothing unread', async () => (await listed(ida, g))?.unread === 0)
    await hal.me.send({ conversationId: g, text: 'again' })
    await until('one is unread', async () => (await listed(ida, g))?.unread === 1)
    await closeAll(hal, ida, jon)
  })

  test('the group is handed over and dissolved: nobody may do anything then but take back, all may still read', async () => {
    const [lea, max] = await people('lea', 'max')
    const { conversationId: g } = await lea.me.createGroup({ name: 'ends', members: ['max'] })
    await max.me.send({ conversationId: g, text: 'remember' })
    const { seq } = await lea.me.send({ conversationId: g, text: 'forget' })
    await lea.me.transfer(g, 'max')
    await expect(lea.me.dissolve(g)).rejects.toMatchObject(refusal('not_allowed'))
    await max.me.dissolve(g)
    for (const { me } of [lea, max]) {
      await expect(me.send({ conversationId: g, text: 'hello?' })).rejects.toMatchObject(refusal('dissolved'))
      expect(textsOf(await allOf(me, g))).toEqual(['remember', 'forget'])
    }
    await lea.me.recall(g, seq)
    expect(textsOf(await allOf(max.me, g))).toEqual(['remember', null])
    await until('it is marked so', async () => (await listed(lea, g))?.dissolved === true)
    await closeAll(lea, max)
  })
})

test('a large group reaches those who are online on both gateways, and leaving and joining act at their exact place', async () => {
  const names = Array.from({ length: 300 }, (_, i) => `m${String(i).padStart(3, '0')}`)
  const owner = await person('nia')
  const [near, far, late] = await Promise.all([
    person('m007'),
    person('m150', { at: 'second' }),
    person('newcomer', { at: 'second' }),
  ])
  const { conversationId: g } = await owner.me.createGroup({ name: 'many', members: [] })
  const progress: number[] = []
  const done = await owner.me.importMembers(g, names, {
    onProgress: ({ done: count }) => void progress.push(count),
  })
  expect(done).toEqual({ done: 300, total: 300 })
  expect(progress.at(-1)).toBe(300)
  await until('all are shown', async () => (await owner.me.group(g)).memberCount === 301)
  expect(await owner.me.group(g)).toMatchObject({ large: true, role: 'owner' })

  await owner.me.send({ conversationId: g, text: 'to all', mentionAll: true })
  await expect(near.me.send({ conversationId: g, text: 'all!', mentionAll: true })).rejects.toMatchObject(
    refusal('not_allowed'),
  )
  await far.me.send({ conversationId: g, text: 'from afar' })
  for (const { heard } of [owner, near, far]) await until('both messages', () => heard.length === 2)
  await owner.me.removeMembers(g, ['m150'])
  await owner.me.send({ conversationId: g, text: 'without m150' })
  await owner.me.addMembers(g, ['newcomer'])
  await owner.me.send({ conversationId: g, text: 'with the newcomer' })
  await until('near heard all', () => near.heard.length === 4)
  await until('the newcomer heard his', () => late.heard.length === 1)
  await sleep(300)
  expect(textsOf(near.heard)).toEqual(['to all', 'from afar', 'without m150', 'with the newcomer'])
  expect(textsOf(far.heard)).toEqual(['to all', 'from afar'])
  expect(textsOf(late.heard)).toEqual(['with the newcomer'])
  expect(toldOf(far, 'group').at(-1)).toMatchObject({ kind: 'removed', members: ['m150'] })
  await until('mentions of all are counted apart', async () => (await listed(near, g))?.mentionsAll === 1)
  expect(await listed(near, g)).toMatchObject({ unread: 4, mentions: 0, memberCount: 301 })

  const everybody = new Set<string>()
  for (let after: string | undefined; ; ) {
    const page = await near.me.members(g, { limit: 120, ...(after ? { after } : {}) })
    for (const { userId } of page.members) everybody.add(userId)
    if (page.next === null) break
    after = page.next
  }
  expect(everybody).toEqual(new Set(['nia', 'newcomer', ...names.filter((name) => name !== 'm150')]))
  await closeAll(owner, near, far, late)
})

test('an observer with the right follows messages and recalls, and is in no roster, list or count', async () => {
  const [ola, pia] = await people('ola', 'pia')
  const [rex, sly] = [await person('rex', { rights: ['observe'], at: 'second' }), await person('sly')]
  const { conversationId: g } = await ola.me.createGroup({ name: 'watched', members: ['pia'] })
  await ola.me.send({ conversationId: g, text: 'unobserved' })
  await expect(sly.me.observe(g)).rejects.toMatchObject(refusal('not_allowed'))
  await rex.me.observe(g)
  const { seq } = await pia.me.send({ conversationId: g, text: 'observed' })
  // Before the recall: what is recalled before it is shown is never shown.
  await until('the observer hears it', () => rex.heard.length === 1)
  await pia.me.recall(g, seq)
  await until('the observer hears of the recall', () => toldOf(rex, 'recalled').length === 1)
  expect(textsOf(rex.heard)).toEqual(['observed'])
  expect(await membersOf(ola, g)).toEqual(['ola:owner', 'pia'])
  expect((await ola.me.group(g)).memberCount).toBe(2)
  expect(await rex.me.conversations()).toEqual([])
  await rex.me.observe(g, false)
  await ola.me.send({ conversationId: g, text: 'alone again' })
  await until('pia hears it', () => pia.heard.length === 3)
  await sleep(300)
  expect(textsOf(rex.heard)).toEqual(['observed'])
  const kinds = toldOf(pia, 'group').filter(({ kind }) => kind === 'observing')
  expect(kinds.map(({ byUserId, on }) => [byUserId, on])).toEqual([
    ['rex', true],
    ['rex', false],
  ])
  await closeAll(ola, pia, rex, sly)
})
