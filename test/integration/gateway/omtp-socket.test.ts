/** What the port does with sockets, whatever the gateway behind it does. */
import { connect, type Socket as TcpSocket } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import type { Socket } from '../../../gateway/connections.ts'
import type { Hub } from '../../../gateway/hub.ts'
import { createAddresses } from '../../../gateway/transports/addresses.ts'
import { type OmtpPort, openOmtpPort } from '../../../gateway/transports/omtp.ts'
import { systemClock } from '../../../infra/clock.ts'
import { silentLog } from '../../../infra/log.ts'
import { networksOf } from '../../../infra/networks.ts'
import { limits } from '../../../schemas/limits.ts'
import { until } from '../../support/gateway.ts'

const ports: OmtpPort[] = []
afterEach(() => {
  for (const port of ports.splice(0)) port.close()
})

/** A hub that only keeps the sockets that it was given. */
async function bare(openMax = 100, pendingMax = 100) {
  const sockets: Socket[] = []
  let closed = 0
  const hub = {
    connected(socket: Socket) {
      sockets.push(socket)
      return { session: { phase: 'fresh' } }
    },
    received() {},
    input() {},
    closed() {
      closed += 1
    },
  } as unknown as Hub
  const deadlines: { ms: number; end: () => void }[] = []
  const port = await openOmtpPort({
    host: '127.0.0.1',
    port: 0,
    tls: null,
    hub,
    addresses: createAddresses(openMax, pendingMax),
    trusted: networksOf([]),
    clock: {
      now: systemClock.now,
      after(ms, end) {
        deadlines.push({ ms, end })
        return () => {}
      },
    },
    log: silentLog,
  })
  ports.push(port)
  return { port, sockets, deadlines, closed: () => closed }
}

/** `stays`: does not close when the other side does. */
function dial({ port }: OmtpPort, stays = false): Promise<{ socket: TcpSocket; over: () => boolean }> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: stays })
    let over = false
    socket.on('error', () => {})
    if (!stays) socket.resume()
    socket.on('close', () => {
      over = true
    })
    socket.once('connect', () => resolve({ socket, over: () => over }))
  })
}

it('a client that does not read is cut off once its buffer is full, and takes no more memory than that', async () => {
  const { port, sockets, closed } = await bare()
  const { socket } = await dial(port)
  socket.pause()
  await until(() => sockets.length === 1)
  const [server] = sockets
  if (!server) throw new Error('no socket')
  const piece = Buffer.alloc(65_536)
  let most = 0
  let sent = 0
  while (server.send(piece)) {
    sent += piece.length
    most = Math.max(most, server.buffered())
    if (sent > 64_000_000) throw new Error('it has no end')
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect(most).toBeLessThanOrEqual(limits.socketBufferBytesMax)
  expect(server.send(piece)).toBe(false)
  await until(() => closed() === 1)
})

it('what was sent before the end arrives, and a client that does not go is cut off', async () => {
  const { port, sockets, deadlines, closed } = await bare()
  const { socket } = await dial(port, true)
  let got = ''
  let ended = false
  socket.on('data', (chunk: Buffer) => {
    got += chunk.toString('latin1')
  })
  socket.on('end', () => {
    ended = true
  })
  await until(() => sockets.length === 1)
  // It still talks while it is told to go: that must not cost it the last words.
  socket.write(Buffer.alloc(100_000))
  sockets[0]?.send(Buffer.from('last words'))
  sockets[0]?.end(4400, 'bad_frame')
  expect(sockets[0]?.send(Buffer.from('more'))).toBe(false)
  await until(() => ended)
  expect(got).toBe('last words')
  expect(closed()).toBe(0)
  const lingering = deadlines.find(({ ms }) => ms === limits.omtpLingerMsMax)
  lingering?.end()
  await until(() => closed() === 1)
})

it('an address has so many seats, and gets one back when a connection goes', async () => {
  const { port, sockets } = await bare(2)
  const [first, second] = [await dial(port), await dial(port)]
  await until(() => sockets.length === 2)
  const third = await dial(port)
  await until(third.over)
  expect(sockets).toHaveLength(2)
  first.socket.destroy()
  await until(first.over)
  second.socket.destroy()
  await until(second.over)
  // The server learns of it in a later turn.
  await until(() => {
    void dial(port)
    return sockets.length > 2
  })
})

it('so many of an address may be without a login', async () => {
  const { port, sockets } = await bare(10, 1)
  await dial(port)
  await until(() => sockets.length === 1)
  const second = await dial(port)
  await until(second.over)
  sockets[0]?.entered()
  await dial(port)
  await until(() => sockets.length === 2)
})

it('a port that is taken is refused by name', async () => {
  const { port } = await bare()
  await expect(
    openOmtpPort({
      host: '127.0.0.1',
      port: port.port,
      tls: null,
      hub: {} as Hub,
      addresses: createAddresses(1, 1),
      trusted: networksOf([]),
      clock: systemClock,
      log: silentLog,
    }),
  ).rejects.toThrow('LONGWIRE_OMTP_PORT')
})
