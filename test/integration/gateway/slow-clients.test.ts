/** Clients that take nothing: what they may cost, how they end, that nobody else notices, and how the SDK recovers. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Client, connect, type Message } from '../../../client/index.ts'
import { mintToken } from '../../../gateway/tokens/mint.ts'
import { limits } from '../../../schemas/limits.ts'
import { type Choke, choke } from '../../support/choke.ts'
import { secret, until } from '../../support/gateway.ts'
import { type Pipeline, startPipeline } from '../../support/pipeline.ts'

let all: Pipeline
let path: Choke
beforeAll(async () => {
  all = await startPipeline(1)
  path = await choke(Number(new URL(all.urls[0] as string).port))
})
afterAll(async () => {
  await path.stop()
  await all.stop()
})

const online = async (user: string, url: string, heard: Message[]): Promise<Client> =>
  connect({
    url,
    token: () => mintToken(secret, user, 3_600, { nowMs: all.now() }),
    deviceId: user,
    on: { message: (message) => void heard.push(message) },
  })

/** Together more than what a gateway keeps unacknowledged for one connection. */
const MESSAGES = 300
const TEXT = 'x'.repeat(30_000)

describe('a client that takes nothing', () => {
  test('is told and closed when its buffers are full, comes back, and holds everything once and in order', async () => {
    const direct = all.urls[0] as string
    const heard: { slow: Message[]; well: Message[] } = { slow: [], well: [] }
    const slow = await online('slow', `ws://127.0.0.1:${path.port}/ws`, heard.slow)
    const well = await online('well', direct, heard.well)
    const sender = await online('sender', direct, [])
    const { conversationId } = await sender.createGroup({ name: 'both', members: ['slow', 'well'] })
    await until(() => slow.state === 'online' && slow.held(conversationId).length > 0)
    const ended = new Promise<string | null>((resolve) => {
      slow.on('state', ({ state, code }) => {
        if (state === 'waiting') resolve(code)
      })
    })
    path.shut()
    for (let at = 0; at < MESSAGES; at += 50)
      await Promise.all(
        Array.from({ length: 50 }, (_, i) => sender.send({ conversationId, text: `${at + i}:${TEXT}` })),
      )
    // Whoever reads has it all, while the other has taken nothing.
    await until(() => heard.well.length === MESSAGES, 30_000)
    expect(heard.slow.length).toBeLessThan(MESSAGES)
    path.open()
    // It is told, as far as the network took it.
    expect(await ended).toBe('slow_consumer')
    await until(() => heard.slow.length === MESSAGES, 60_000)
    expect(heard.slow.map(({ seq }) => seq)).toEqual(heard.well.map(({ seq }) => seq))
    expect(new Set(heard.slow.map(({ seq }) => seq)).size).toBe(MESSAGES)
    expect(path.count()).toBeGreaterThan(1)
    expect(MESSAGES * TEXT.length).toBeGreaterThan(limits.unackedBytesPerConnectionMax)
    for (const client of [slow, well, sender]) await client.close({ deadlineMs: 500 })
  })
})
