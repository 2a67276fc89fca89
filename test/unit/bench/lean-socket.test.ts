import { createServer, type Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { LeanSocket } from '../../../bench/load/lean-socket.ts'

const closers: (() => void)[] = []
afterEach(() => {
  for (const close of closers.splice(0)) close()
})

/** A server that upgrades whoever comes, and the address of it. */
async function upgrading(then: (socket: Socket) => void, received: (bytes: Buffer) => void = () => {}) {
  const server = createServer((socket) => {
    let open = false
    socket.on('error', () => {})
    socket.on('data', (bytes) => {
      if (open) return received(bytes)
      open = true
      socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n')
      then(socket)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closers.push(() => server.close())
  const address = server.address()
  return `ws://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/ws`
}

const textFrame = (text: string): Buffer => {
  const payload = Buffer.from(text)
  const head =
    payload.length < 126 ? [0x81, payload.length] : [0x81, 126, payload.length >> 8, payload.length & 255]
  return Buffer.concat([Buffer.from(head), payload])
}

test('frames come out whole, however the bytes were cut', async () => {
  const texts = ['a', 'ä€😀'.repeat(20), 'x'.repeat(3_000), 'end']
  const bytes = Buffer.concat(texts.map(textFrame))
  const url = await upgrading(async (socket) => {
    for (let at = 0; at < bytes.length; at += 7) {
      socket.write(bytes.subarray(at, at + 7))
      if (at % 70 === 0) await new Promise((resolve) => setTimeout(resolve, 1))
    }
  })
  const socket = new LeanSocket(url, 'longwire.json')
  const got = await new Promise<string[]>((resolve) => {
    const seen: string[] = []
    socket.onmessage = (event: { data: unknown }) => {
      seen.push(String(event.data))
      if (event.data === 'end') resolve(seen)
    }
  })
  expect(got).toEqual(texts)
  socket.close()
})

test('what is sent is masked text with the right length, and a ping is answered', async () => {
  const sent: Buffer[] = []
  const url = await upgrading(
    (socket) => socket.write(Buffer.from([0x89, 1, 7])),
    (bytes) => sent.push(bytes),
  )
  const socket = new LeanSocket(url, 'longwire.json')
  await new Promise<void>((resolve) => {
    socket.onopen = () => resolve()
  })
  for (const length of [5, 200, 70_000]) socket.send('y'.repeat(length) as never)
  const wanted = 7 + (6 + 5) + (8 + 200) + (14 + 70_000)
  while (Buffer.concat(sent).length < wanted) await new Promise((resolve) => setTimeout(resolve, 5))
  const all = Buffer.concat(sent)
  const pong = all.indexOf(Buffer.from([0x8a, 0x81, 0, 0, 0, 0, 7]))
  expect(pong).toBeGreaterThanOrEqual(0)
  const frames = Buffer.concat([all.subarray(0, pong), all.subarray(pong + 7)])
  expect(frames.subarray(0, 6)).toEqual(Buffer.from([0x81, 0x85, 0, 0, 0, 0]))
  expect(frames.subarray(11, 15)).toEqual(Buffer.from([0x81, 0xfe, 0, 200]))
  expect(frames.readBigUInt64BE(11 + 208 + 2)).toBe(70_000n)
  socket.close()
})

test('a refusal and a lost connection end it once', async () => {
  const server = createServer((socket) => socket.end('HTTP/1.1 403 Forbidden\r\n\r\n'))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closers.push(() => server.close())
  const address = server.address()
  const refused = new LeanSocket(`ws://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/ws`, 'x')
  let ends = 0
  await new Promise<void>((resolve) => {
    refused.onclose = () => {
      ends += 1
      setTimeout(resolve, 30)
    }
  })
  expect(ends).toBe(1)
  const lost = new LeanSocket(await upgrading((socket) => socket.destroy()), 'x')
  await new Promise<void>((resolve) => {
    lost.onclose = () => resolve()
  })
  expect(lost.readyState).toBe(3)
})
