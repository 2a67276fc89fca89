import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { memoryStore, type Store } from '../../client/index.ts'
import { allOf, closeAll, listed, type Person, personOf, textsOf, toldOf, until } from '../support/person.ts'
import { type Platform, startPlatform } from '../support/platform.ts'

let platform: Platform

beforeAll(async () => {
  platform = await startPlatform()
})
afterAll(async () => {
  expect(await platform?.stop()).toBe(0)
})

const person = (user: string, device = '1', store?: Store): Promise<Person> =>
  personOf({
    url: platform.ws,
    token: () => platform.mint(user),
    user,
    device,
    ...(store ? { store } : {}),
  })
const people = <const U extends readonly string[]>(...users: U) =>
  Promise.all(users.map((user) => person(user))) as Promise<{ [K in keyof U]: Person }>

const soon = { timeout: 30_000 }

describe('messages that change', () => {
  test('a device that was away learns of recalls and edits first at its next login; the recalled text is nowhere', async () => {
    const store = memoryStore()
    const [ada] = await people('ada')
    const before = await person('bea', 'phone', store)
    const gone = await ada.me.send({ to: 'bea', text: 'xylophone secret' })
    const edited = await ada.me.send({ to: 'bea', text: 'rough words' })
    await until('both are heard', () => before.heard.length === 2)
    await before.me.close()

    const { conversationId: conv } = gone
    const unseen = await ada.me.send({ to: 'bea', text: 'zeppelin secret' })
    await ada.me.recall(conv, gone.seq)
    await ada.me.recall(conv, unseen.seq)
    await ada.me.edit(conv, edited.seq, { text: 'kind words' })
    await ada.me.send({ to: 'bea', text: 'last' })

    const after = await person('bea', 'phone', store)
    await until('all is told', () => after.heard.length === 2)
    const order = after.told.flatMap((one) => {
      if (one.event === 'recalled' || one.event === 'edited') return [`${one.event} ${one.value.targetSeq}`]
      return one.event === 'message' ? [`message ${one.value.seq}`] : []
    })
    const first = order.slice(
      0,
      order.findIndex((line) => line.startsWith('message')),
    )
    expect(first).toEqual(expect.arrayContaining([`edited ${edited.seq}`, `recalled ${gone.seq}`]))
    expect(textsOf(after.heard)).toEqual([null, 'last'])
    const fresh = await person('bea', 'laptop')
    for (const { me, told } of [after, fresh]) {
      expect(textsOf(await allOf(me, conv))).toEqual([null, 'kind words', null, 'last'])
      expect(JSON.stringify(told)).not.toMatch(/xylophone|zeppelin/)
      for (const query of ['xylophone', 'zeppelin', 'rough'])
        await until(`${query} is not found`, async () => {
          const found = await me.search({ query })
          return !found.partial && found.messages.length === 0
        })
    }
    await closeAll(ada, after, fresh)
  })

  test('the preview follows recall and edit, and only the author changes what he said', async () => {
    const [cal, dee] = await people('cal', 'dee')
    const { conversationId: conv } = await cal.me.send({ to: 'dee', text: 'first' })
    const { seq } = await cal.me.send({ to: 'dee', text: 'scond' })
    await expect(dee.me.recall(conv, seq)).rejects.toMatchObject({ code: 'not_author' })
    await expect(dee.me.edit(conv, seq, { text: 'mine' })).rejects.toMatchObject({ code: 'not_author' })
    await expect(cal.me.recall(conv, 99)).rejects.toMatchObject({ code: 'bad_position' })
    await cal.me.edit(conv, seq, { text: 'second' })
    const preview = async () => (await listed(dee, conv))?.preview?.content?.text
    await until('the edit shows', async () => (await preview()) === 'second')
    await cal.me.recall(conv, seq)
    await until('the text is gone', async () => (await preview()) !== 'second')
    expect(JSON.stringify(await listed(dee, conv))).not.toContain('scond')
    await expect(cal.me.recall(conv, seq)).rejects.toMatchObject({ code: 'already_recalled' })
    await expect(cal.me.edit(conv, seq, { text: 'back' })).rejects.toMatchObject({ code: 'already_recalled' })
    await closeAll(cal, dee)
  })

  test('a reply quotes, reactions are counted, a pinned message is pinned until it is recalled', async () => {
    const [eli, fia] = await people('eli', 'fia')
    const { conversationId: g } = await eli.me.createGroup({ name: 'signs', members: ['fia', 'gus'] })
    const { seq } = await eli.me.send({ conversationId: g, text: 'a question' })
    await fia.me.send({ conversationId: g, text: 'an answer', replyTo: seq })
    await fia.me.react(g, seq, '👍')
    await eli.me.react(g, seq, '👍')
    await eli.me.react(g, seq, '🎉')
    await eli.me.react(g, seq, '🎉', false)
    await eli.me.pin(g, seq)
    await expect
      .poll(async () => (await fia.me.message(g, seq))?.reactions, soon)
      .toMatchObject([{ emoji: '👍', count: 2, mine: true }])
    expect((await allOf(fia.me, g))[1]).toMatchObject({ replyTo: seq })
    await expect.poll(async () => (await fia.me.group(g)).pinned, soon).toEqual([seq])
    await eli.me.recall(g, seq)
    await until('it is pinned no more', async () => (await fia.me.group(g)).pinned.length === 0)
    expect((await fia.me.message(g, seq))?.content).toBeNull()
    await closeAll(eli, fia)
  })
})

describe('what is unread', () => {
  test('read on one device is read on all, the sender is told, and one’s own messages never count', async () => {
    const [hut] = await people('hut')
    const [phone, laptop] = [await person('ivy', 'phone'), await person('ivy', 'laptop')]
    let conv = ''
    const seqs: number[] = []
    for (const text of ['one', 'two', 'three']) {
      const sent = await hut.me.send({ to: 'ivy', text })
      conv = sent.conversationId
      seqs.push(sent.seq)
    }
    await phone.me.send({ to: 'hut', text: 'mine' })
    const unread = async (of: Person) => (await listed(of, conv))?.unread
    await until('three are unread', async () => (await unread(laptop)) === 3)
    expect(textsOf(await laptop.me.unreadMessages(conv))).toEqual(['one', 'two', 'three'])
    await hut.me.recall(conv, seqs[2] ?? 0)
    await until('a recall lowers it', async () => (await unread(phone)) === 2)
    await phone.me.markRead(conv, seqs[0] ?? 0)
    await until(
      'one is left on both',
      async () => (await unread(phone)) === 1 && (await unread(laptop)) === 1,
    )
    await until('the other device is told', () => toldOf(laptop, 'read').some(({ seq }) => seq === seqs[0]))
    await until('the sender is told', () => toldOf(hut, 'receipt').some(({ seq }) => seq === seqs[0]))
    expect(await listed(hut, conv)).toMatchObject({ peerReadSeq: seqs[0], unread: 1 })
    await closeAll(hut, phone, laptop)
  })

  test('in a group mentions count apart from calls to all, edits move them, and the readers of a message are listed', async () => {
    const [jan, kay, lou] = await people('jan', 'kay', 'lou')
    const { conversationId: g } = await jan.me.createGroup({
      name: 'counted',
      members: ['kay', 'lou', 'moe'],
    })
    await jan.me.send({ conversationId: g, text: 'kay, look', mentions: ['kay'] })
    const { seq } = await jan.me.send({ conversationId: g, text: 'all, look', mentionAll: true })
    const counts = async (of: Person) => {
      const entry = await listed(of, g)
      return [entry?.unread, entry?.mentions, entry?.mentionsAll]
    }
    await until('kay has both', async () => `${await counts(kay)}` === '2,1,1')
    await until('lou has one', async () => `${await counts(lou)}` === '2,0,1')
    expect(await counts(jan)).toEqual([0, 0, 0])
    await jan.me.edit(g, seq, { text: 'lou, look', mentions: ['lou'] })
    await until('the edit moved it', async () => `${await counts(lou)}` === '2,1,0')
    expect(await counts(kay)).toEqual([2, 1, 0])
    await kay.me.markRead(g, seq)
    await until('kay has read', async () => (await jan.me.readers(g, seq)).count === 1)
    await lou.me.markRead(g, seq)
    await until('lou has read', async () => (await jan.me.readers(g, seq)).count === 2)
    const first = await jan.me.readers(g, seq, { limit: 1 })
    const rest = await jan.me.readers(g, seq, { limit: 1, after: first.next ?? '' })
    expect([...first.readers, ...rest.readers]).toEqual(['kay', 'lou'])
    expect(await counts(kay)).toEqual([0, 0, 0])
    await closeAll(jan, kay, lou)
  })
})

describe('finding and opening', () => {
  test('words and Chinese are found in one’s own conversations, as they stand now, and nowhere else', async () => {
    const [ned, oda, pam] = await people('ned', 'oda', 'pam')
    const { conversationId: conv } = await ned.me.send({ to: 'oda', text: '今天天气很好，我们去公园散步吧' })
    await oda.me.send({ to: 'ned', text: 'The Marmalade is in the cupboard' })
    const other = await oda.me.send({ to: 'pam', text: 'marmalade for pam alone' })
    const { conversationId: g } = await oda.me.createGroup({ name: 'jam', members: ['pam'] })
    await oda.me.send({ conversationId: g, text: 'marmalade before ned' })
    await oda.me.addMembers(g, ['ned'])
    await pam.me.send({ conversationId: g, text: 'marmalade with ned' })
    const found = async (of: Person, query: string, conversationId?: string) => {
      const page = await of.me.search({ query, ...(conversationId ? { conversationId } : {}) })
      return page.partial ? ['partial'] : textsOf(page.messages)
    }
    await until('ned finds his', async () => (await found(ned, 'marmalade')).length === 2)
    expect(await found(ned, 'marmalade')).toEqual(['marmalade with ned', 'The Marmalade is in the cupboard'])
    expect(await found(ned, 'MARMALADE', conv)).toEqual(['The Marmalade is in the cupboard'])
    expect(await found(ned, '公园')).toEqual(['今天天气很好，我们去公园散步吧'])
    expect(await found(pam, '公园')).toEqual([])
    expect(await found(pam, 'cupboard')).toEqual([])
    await expect(ned.me.search({ query: 'x', conversationId: other.conversationId })).rejects.toMatchObject({
      code: 'not_member',
    })
    expect(await found(ned, "%' OR 1=1 --")).toEqual([])
    await closeAll(ned, oda, pam)
  })

  test('an overview brings the list and the newest pages; pinned come first, deleted ones back with their next message', async () => {
    const [quin] = await people('quin')
    const senders = await people('ria', 'sam', 'tom')
    for (const { me, user } of senders)
      for (const n of [1, 2, 3]) await me.send({ to: 'quin', text: `${user} ${n}` })
    const [ria = '', sam = '', tom = ''] = ['p2p:quin:ria', 'p2p:quin:sam', 'p2p:quin:tom']
    await quin.me.pinConversation(ria)
    await quin.me.muteConversation(tom)
    await quin.me.setDraft(tom, 'dear tom')
    const ids = async () => (await quin.me.conversations()).map(({ conversationId }) => conversationId)
    await until('the pinned one is first', async () => `${await ids()}` === `${[ria, tom, sam]}`)
    await until('the draft is kept', async () => (await listed(quin, tom))?.draft === 'dear tom')
    const overview = await quin.me.overview({ pages: 2 })
    expect(overview.conversations.map(({ conversationId }) => conversationId)).toEqual([ria, tom, sam])
    expect(overview.conversations[0]).toMatchObject({ pinned: true, unread: 3 })
    expect(overview.conversations[1]).toMatchObject({ muted: true, draft: 'dear tom' })
    expect([...overview.pages.keys()]).toEqual([ria, tom])
    expect(textsOf(overview.pages.get(tom)?.messages ?? [])).toEqual(['tom 1', 'tom 2', 'tom 3'])
    const first = await quin.me.conversationPage({ limit: 2 })
    const rest = await quin.me.conversationPage({ limit: 2, before: first.next ?? '' })
    expect([...first.conversations, ...rest.conversations].map(({ peerId }) => peerId)).toEqual([
      'ria',
      'tom',
      'sam',
    ])
    await quin.me.deleteConversation(sam)
    await until('it is gone', async () => !(await ids()).includes(sam))
    await senders[1]?.me.send({ to: 'quin', text: 'sam 4' })
    await until('it is back', async () => (await listed(quin, sam))?.unread === 1)
    await closeAll(quin, ...senders)
  })
})

describe('people', () => {
  test('a friendship is asked for, answered and ended, and of the end only who ended it is told', async () => {
    const [una, vic] = await people('una', 'vic')
    await expect(una.me.requestFriend('una')).rejects.toMatchObject({ code: 'to_oneself' })
    await expect(una.me.answerFriend('vic', true)).rejects.toMatchObject({ code: 'not_asked' })
    await una.me.requestFriend('vic', 'it is me')
    const relation = async (of: Person, user: string) =>
      (await of.me.relations()).find(({ userId }) => userId === user)
    await until('vic is asked', async () => (await relation(vic, 'una'))?.state === 'asking')
    expect(await relation(vic, 'una')).toMatchObject({ note: 'it is me', blocked: false })
    await vic.me.answerFriend('una', true)
    await vic.me.remark('una', 'Una from school')
    await until('they are friends', async () => (await relation(una, 'vic'))?.state === 'friend')
    await until('the remark is kept', async () => (await relation(vic, 'una'))?.remark === 'Una from school')
    expect((await relation(una, 'vic'))?.remark ?? null).toBeNull()
    // No conversation comes of it.
    expect(await una.me.conversations()).toEqual([])
    await vic.me.deleteFriend('una')
    await until('it is over', async () => (await relation(vic, 'una'))?.state !== 'friend')
    await sleep(300)
    expect(toldOf(una, 'relation').map(({ kind }) => kind)).toEqual(['friendRequested', 'friendAnswered'])
    await closeAll(una, vic)
  })

  test('who is blocked reaches the other with nothing, is not told why, and finds the way open again after', async () => {
    const [wes, xia] = await people('wes', 'xia')
    const { conversationId: conv, seq } = await wes.me.send({ to: 'xia', text: 'hello' })
    await xia.me.block('wes')
    for (const attempt of [
      () => wes.me.send({ to: 'xia', text: 'hello?' }),
      () => wes.me.edit(conv, seq, { text: 'hello again?', mentions: ['xia'] }),
      () => wes.me.react(conv, seq, '👍'),
      () => wes.me.pin(conv, seq, true),
      () => wes.me.requestFriend('xia'),
    ])
      await expect(attempt()).rejects.toMatchObject({ code: 'not_accepted' })
    await wes.me.recall(conv, seq)
    await xia.me.send({ to: 'wes', text: 'I may' })
    await until('xia sees the block', async () => (await xia.me.relations())[0]?.blocked === true)
    expect(toldOf(wes, 'relation')).toEqual([])
    await xia.me.unblock('wes')
    await wes.me.send({ to: 'xia', text: 'thanks' })
    await until('it arrives', () => xia.heard.some(({ content }) => content?.text === 'thanks'))
    await closeAll(wes, xia)
  })

  test('settings and profile follow to other devices at once, and after an absence', async () => {
    const store = memoryStore()
    const phone = await person('yan', 'phone')
    const laptop = await person('yan', 'laptop', store)
    await phone.me.setSetting('theme', 'dark')
    await until('the laptop is told', () => toldOf(laptop, 'setting').some(({ value }) => value === 'dark'))
    await laptop.me.close()
    await phone.me.setSetting('theme', 'light')
    await phone.me.setProfile({ name: 'Yan', region: 'Tirol' })
    const again = await person('yan', 'laptop', store)
    await until('the laptop catches up', async () => (await again.me.settings()).get('theme') === 'light')
    await until('so does the profile', async () => (await again.me.profiles(['yan']))[0]?.name === 'Yan')
    expect((await again.me.profiles(['yan']))[0]).toMatchObject({ region: 'Tirol', avatar: null })
    await closeAll(phone, again)
  })

  test('friends see each other come and go and type, others see nothing, and none of it is kept', async () => {
    const [zoe, abe, bob] = await people('zoe', 'abe', 'bob')
    await zoe.me.requestFriend('abe')
    await abe.me.answerFriend('zoe', true)
    await until('they are friends', async () => (await zoe.me.relations())[0]?.state === 'friend')
    const state = async (of: Person, user: string) =>
      (await of.me.subscribePresence([user])).find(({ userId }) => userId === user)?.online
    await until('abe is online for zoe', async () => (await state(zoe, 'abe')) === true)
    expect(await state(bob, 'abe')).toBe(false)
    const { conversationId: conv, seq } = await zoe.me.send({ to: 'abe', text: 'hi' })
    abe.me.typing(conv)
    await until('zoe sees abe type', () => toldOf(zoe, 'typing').some(({ userId }) => userId === 'abe'))
    await abe.me.close()
    await until('abe is gone for zoe', () =>
      toldOf(zoe, 'presence').some(({ userId, online }) => userId === 'abe' && !online),
    )
    expect((await zoe.me.history(conv)).lastSeq).toBe(seq)
    expect(toldOf(bob, 'presence')).toEqual([])
    await closeAll(zoe, bob)
  })
})
