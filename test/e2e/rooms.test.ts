/** Live rooms through the SDK on the whole platform, two gateways. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { RoomNews } from '../../client/index.ts'
import { type Person, personOf, until } from '../support/person.ts'
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

const HALL = 'r:hall'

/** In rooms; what he is told there is collected. */
async function visitor(user: string, url: string | readonly string[]) {
  const person: Person = await personOf({ url, token: () => platform.mint(user), user })
  const news: RoomNews[] = []
  person.me.on('room', (one) => void news.push(one))
  const texts = () => news.flatMap(({ messages }) => messages.map(({ content }) => content?.text))
  return { ...person, news, texts }
}

test('a room is joined, spoken in, switched and left, on whatever gateway, and it stays over a reconnect', async () => {
  const ann = await visitor('ann', platform.ws)
  const ben = await visitor('ben', second.ws)
  const cas = await visitor('cas', [second.ws, platform.ws])
  await ann.me.joinRoom('hall')
  await ben.me.joinRoom('hall')
  await expect(cas.me.send({ conversationId: HALL, text: 'outside' })).rejects.toMatchObject({
    code: 'not_member',
  })
  const { seq } = await ann.me.send({ conversationId: HALL, text: 'one' })
  expect(seq).toBe(1)
  await until('the first is shown', () => [ann, ben].every(({ texts }) => texts().includes('one')))
  await ben.me.send({ conversationId: HALL, text: 'two' })
  // Answered by the log, and in the room a moment later: whoever joins before that is told it as news.
  await until('the second is shown', () => [ann, ben].every(({ texts }) => texts().includes('two')))

  const joined = await cas.me.joinRoom('hall', { newest: 1 })
  expect(joined.messages.map(({ content }) => content?.text)).toEqual(['two'])
  await ann.me.recall(HALL, 1)
  await until('the recall is shown', () =>
    cas.news.some(({ recalled }) => recalled.some(({ targetSeq }) => targetSeq === 1)),
  )

  // Its gateway goes: the SDK goes elsewhere, is in the room there, and is told what was said, or how much.
  await second.stop()
  for (const text of ['three', 'four']) await ann.me.send({ conversationId: HALL, text })
  await until('cas is back', () => cas.texts().includes('four'))
  await cas.me.send({ conversationId: HALL, text: 'back' })
  await until('his own is shown', () => ann.texts().includes('back') && cas.texts().includes('back'))
  const told = cas.news.reduce((sum, one) => sum + one.messages.length + one.recalled.length + one.skipped, 0)
  expect(joined.headSeq + told).toBe(6)

  await cas.me.joinRoom('elsewhere')
  await ann.me.send({ conversationId: HALL, text: 'without cas' })
  await until('ann is shown it', () => ann.texts().includes('without cas'))
  expect(cas.texts()).not.toContain('without cas')
  await ann.me.leaveRoom()
  await expect(ann.me.send({ conversationId: HALL, text: 'gone' })).rejects.toMatchObject({
    code: 'not_member',
  })
  // A room is no conversation.
  expect(await ann.me.conversations()).toEqual([])
  for (const { me } of [ann, ben, cas]) await me.close({ deadlineMs: 500 })
})
