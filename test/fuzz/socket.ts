/** Broken frames over TCP against a gateway, from connections with and without a login. */
import { connect, type Socket } from 'node:net'
import { type TestGateway, until } from '../support/gateway.ts'
import { omtpClient } from '../support/omtp-client.ts'
import type { Random } from '../support/random.ts'
import { corpus, mutated } from './mutate.ts'

export interface SocketReport {
  readonly frames: number
  readonly connections: number
  /** Connections that the gateway ended itself. */
  readonly endedByServer: number
  /** A good login at the end, and a frame after it. */
  readonly stillServes: boolean
  readonly connectionsLeft: number
}

const FRAMES_PER_CONNECTION = 50

export async function fuzzSocket(test: TestGateway, frames: number, random: Random): Promise<SocketReport> {
  const good = corpus()
  let sent = 0
  let connections = 0
  let endedByServer = 0
  while (sent < frames) {
    connections += 1
    const socket = connections % 2 === 0 ? await stranger(test) : (await known(test, connections)).socket
    let over = false
    const closed = new Promise<void>((resolve) => {
      socket.once('close', () => {
        over = true
        resolve()
      })
    })
    for (let i = 0; i < FRAMES_PER_CONNECTION && sent < frames && !over; i++) {
      socket.write(mutated(good, random, random.int(20) > 0))
      sent += 1
      if (random.int(4) === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    if (over) endedByServer += 1
    // In the midst of whatever it was saying, or politely.
    if (random.int(2) === 0) socket.destroy()
    else socket.end()
    await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, 100))])
    socket.destroy()
  }
  const last = await known(test, 0)
  last.send({ type: 'ping', id: 1 })
  const pong = await last.next('pong')
  last.close()
  await until(() => test.gateway.levels().gateway_connections === 0)
  return {
    frames: sent,
    connections,
    endedByServer,
    stillServes: pong.id === 1,
    connectionsLeft: test.gateway.levels().gateway_connections ?? 0,
  }
}

async function known(test: TestGateway, number: number) {
  const client = await omtpClient(test.omtp.port)
  client.login(await test.token(`fuzz-${number % 50}`), { deviceId: `d${number}` })
  await client.next('welcome')
  return client
}

function stranger(test: TestGateway): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(test.omtp.port, '127.0.0.1')
    socket.on('data', () => {})
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.off('error', reject)
      socket.on('error', () => {})
      resolve(socket)
    })
  })
}
