import { describe, expect, test } from 'vitest'
import { jsonCodec } from '../../../client/codec-json.ts'
import { pollAddress, withFallback } from '../../../client/fallback.ts'
import { pollingTransport } from '../../../client/polling.ts'
import type { OpenTransport, Transport } from '../../../client/transport.ts'
import { fakePolling } from '../../support/fake-polling.ts'
import { createRandom } from '../../support/random.ts'
import { virtualTime } from '../../support/virtual-time.ts'

function world(seed = 1) {
  const time = virtualTime(0)
  const random = createRandom(seed)
  const server = fakePolling(time, random)
  const open = pollingTransport({ fetch: server.fetch, clock: time, random: random.next })
  return { time, random, server, open }
}

/** Opens and logs in; keeps what was told. */
function begin(open: OpenTransport, address = 'http://host/poll') {
  const told: string[] = []
  const transport: Transport = open(address, '', {
    open: () => void transport.send('"login"'),
    data: (data) => void told.push(String(data)),
    closed: (reason) => void told.push(`closed ${reason}`),
  })
  return { transport, told }
}

describe('the polling transport', () => {
  test('hangs one request, and hands frames over beside it', async () => {
    const { time, server, open } = world()
    const { transport, told } = begin(open)
    await time.run(1_000)
    for (const frame of ['1', '2', '3']) transport.send(frame)
    await time.run(1_000)
    server.push('news')
    await time.run(1_000)
    expect(told).toEqual(['"welcome"', '"news"'])
    expect(server.taken).toEqual(['login', 1, 2, 3])
    expect(server.requests.map(({ body }) => body)).toEqual([
      { frames: ['login'] },
      { after: 1, waitMs: 30_000 },
      { sent: 1, frames: [1, 2, 3] },
      { after: 2, waitMs: 30_000 },
    ])
  })

  test('sends what was given before it is closed, then leaves', async () => {
    const { time, server, open } = world()
    const { transport, told } = begin(open)
    await time.run(1_000)
    transport.send('"last"')
    transport.close()
    expect(transport.send('"late"')).toBe(false)
    await time.run(5_000)
    expect(server.taken).toEqual(['login', 'last'])
    expect(server.left()).toBe(true)
    expect(told).toEqual(['"welcome"'])
  })

  test('leaves a session that was opened while it was being closed', async () => {
    const { time, server, open } = world()
    const { transport, told } = begin(open)
    await time.run(0)
    transport.close()
    await time.run(5_000)
    expect(server.left()).toBe(true)
    expect(told).toEqual([])
  })

  test.each([
    ['nobody answers', { lossOf: 1 }],
    ['there is no such session', { status: 404 }],
    ['a proxy has lost its server', { status: 502 }],
  ])('is closed, once, when %s', async (_, part) => {
    const { time, server, open } = world()
    const { transport, told } = begin(open)
    await time.run(1_000)
    Object.assign(server, part)
    await time.run(60_000)
    expect(told).toEqual(['"welcome"', 'closed failed'])
    expect(transport.send('1')).toBe(false)
  })

  test('is closed with the reason for which its session ended', async () => {
    const { time, server, open } = world()
    const { told } = begin(open)
    await time.run(1_000)
    server.push('bye')
    server.end('draining')
    await time.run(1_000)
    expect(told).toEqual(['"welcome"', '"bye"', 'closed draining'])
  })

  test('outlasts a moment without a network', async () => {
    const { time, server, open } = world()
    const { told } = begin(open)
    await time.run(1_000)
    server.push('1')
    server.status = 503
    await time.run(100)
    server.push('2')
    server.status = null
    await time.run(5_000)
    expect(told).toEqual(['"welcome"', '"1"', '"2"'])
  })
})

describe('the fallback', () => {
  /** A WebSocket that is refused, brings nothing, or gets frames through. */
  type Mood = 'refused' | 'mute' | 'through'
  function fallback() {
    const { time, server, open } = world()
    const socket = { mood: 'refused' as Mood, opened: 0 }
    const openSocket: OpenTransport = (_address, _subprotocol, handlers) => {
      socket.opened += 1
      let live = true
      time.after(5, () => {
        if (!live) return
        if (socket.mood === 'refused') handlers.closed('failed')
        else handlers.open()
      })
      return {
        send() {
          time.after(5, () => {
            if (live && socket.mood === 'through') handlers.data('"by socket"')
          })
          return live
        },
        close() {
          live = false
        },
      }
    }
    const ways = withFallback({
      webSocket: { open: openSocket, codec: jsonCodec },
      polling: { open, codec: jsonCodec },
      fetch: server.fetch,
      clock: time,
    })
    /** As the connection does: an attempt that brings no frame within 8 s is given up. */
    async function attempt() {
      const one = begin(ways('ws://host/ws').open, 'ws://host/ws')
      await time.run(8_000)
      if (one.told.length === 0) one.transport.close()
      await time.run(100)
      return one
    }
    return { time, server, socket, attempt }
  }

  test.each(['refused', 'mute'] as const)(
    'polls after two attempts in which a WebSocket was %s',
    async (mood) => {
      const { server, socket, attempt } = fallback()
      socket.mood = mood
      await attempt()
      await attempt()
      const { told } = await attempt()
      expect(told).toEqual(['"welcome"'])
      expect(socket.opened).toBe(2)
      expect(server.taken).toEqual(['login'])
    },
  )

  test('does not when the server is down, and comes back by WebSocket', async () => {
    const { server, socket, attempt } = fallback()
    server.status = 502
    for (let i = 0; i < 5; i++) await attempt()
    expect(socket.opened).toBe(5)
    server.status = null
    socket.mood = 'through'
    expect((await attempt()).told).toEqual(['"by socket"'])
    expect(server.taken).toEqual([])
  })

  test('goes back when a frame gets through a WebSocket, and stays where one merely opens', async () => {
    const { time, socket, attempt } = fallback()
    await attempt()
    await attempt()
    socket.mood = 'mute'
    const { told } = await attempt()
    await time.run(70_000)
    expect(socket.opened).toBe(3)
    expect(told).toEqual(['"welcome"'])
    socket.mood = 'through'
    await time.run(130_000)
    expect(told).toEqual(['"welcome"', 'closed a WebSocket gets through'])
    expect((await attempt()).told).toEqual(['"by socket"'])
    // Once it fails again, once is enough: it was the way to poll before.
    socket.mood = 'refused'
    await attempt()
    await attempt()
    expect((await attempt()).told).toEqual(['"welcome"'])
  })

  test('tries the WebSocket again when polling fails, too', async () => {
    const { server, socket, attempt } = fallback()
    await attempt()
    await attempt()
    server.status = 500
    await attempt()
    const before = socket.opened
    await attempt()
    expect(socket.opened).toBe(before + 1)
  })

  test('polls beside the WebSocket', () => {
    expect(pollAddress('ws://host:8080/ws')).toBe('http://host:8080/poll')
    expect(pollAddress('wss://host/a/ws?x=1#y')).toBe('https://host/a/poll')
  })
})
