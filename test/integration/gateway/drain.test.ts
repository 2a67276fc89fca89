/** A gateway is stopped under load: nothing that was sent is lost, doubled or out of order, and rooms go on. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Client, connect, type Message, type RoomNews } from '../../../client/index.ts'
import { mintToken } from '../../../gateway/tokens/mint.ts'
import { secret, until } from '../../support/gateway.ts'
import { type Pipeline, startPipeline } from '../../support/pipeline.ts'

let all: Pipeline
beforeAll(async () => {
  all = await startPipeline(2)
})
afterAll(() => all.stop())

const PAIRS = 10
const MESSAGES = 40

interface Talker {
  readonly me: Client
  readonly heard: Message[]
  readonly news: RoomNews[]
}

test('a drain under load loses, doubles and reorders nothing', async () => {
  const talkers: Talker[] = []
  for (let i = 0; i < 2 * PAIRS; i++) {
    const heard: Message[] = []
    const news: RoomNews[] = []
    const me = await connect({
      // All begin where it will be stopped, and find the other one by themselves.
      url: i < PAIRS ? [all.urls[0] as string, all.urls[1] as string] : all.urls,
      token: () => mintToken(secret, `talker-${i}`, 3_600, { nowMs: all.now() }),
      deviceId: `d${i}`,
      on: { message: (message) => void heard.push(message), room: (one) => void news.push(one) },
    })
    await me.joinRoom('hall', { newest: 0 })
    talkers.push({ me, heard, news })
  }
  const before = all.counters.map(({ loggedIn }) => loggedIn)
  expect(before[0]).toBeGreaterThan(0)
  const speaker = talkers[0] as Talker
  let roomMessages = 0
  const sending = talkers.map(async ({ me }, i) => {
    for (let n = 0; n < MESSAGES; n++) {
      await me.send({ to: `talker-${i ^ 1}`, text: `${n}` })
      if (i === 0 && n % 4 === 0) {
        await me.send({ conversationId: 'r:hall', text: `${n}` })
        roomMessages += 1
      }
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  })
  await new Promise((resolve) => setTimeout(resolve, 100))
  await all.drain(0, 600)
  await Promise.all(sending)
  await until(() => talkers.every(({ heard }) => heard.length >= 2 * MESSAGES), 30_000)
  for (const [i, { heard, me }] of talkers.entries()) {
    const from = (user: string) =>
      heard.filter(({ senderId }) => senderId === user).map(({ content }) => content?.text)
    const each = Array.from({ length: MESSAGES }, (_, n) => `${n}`)
    expect(from(`talker-${i ^ 1}`)).toEqual(each)
    expect(from(me.userId)).toEqual(each)
    expect(me.state).toBe('online')
  }
  // In the room everyone was shown each message, or was told that it was skipped.
  const seen = ({ news }: Talker) =>
    news.reduce((sum, { messages, skipped }) => sum + messages.length + skipped, 0)
  await until(() => talkers.every((talker) => seen(talker) >= roomMessages))
  expect(talkers.map(seen)).toEqual(talkers.map(() => roomMessages))
  expect(speaker.news.length).toBeGreaterThan(0)
  for (const { me } of talkers) await me.close({ deadlineMs: 500 })
})
