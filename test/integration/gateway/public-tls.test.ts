import { request } from 'node:https'
import { connect as connectTcp } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { selfSigned } from '../../support/certificate.ts'
import { startTestGateway, type TestGateway } from '../../support/gateway.ts'
import { loginFrame } from '../../support/poll-client.ts'
import { rawFrame } from '../../support/raw-websocket.ts'

const certificate = selfSigned()
let test: TestGateway
beforeAll(async () => {
  test = await startTestGateway({ gatewayId: 'gw-tls', tls: certificate })
})
afterAll(() => test.stop())

const secure = (part: object = {}) =>
  connectTls({ host: 'localhost', port: test.port, ca: certificate.ca, ...part })

it('a WebSocket over TLS carries frames', async () => {
  const socket = secure()
  let got = ''
  socket.on('data', (data) => {
    got += data.toString('latin1')
  })
  socket.write(
    'GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  )
  await new Promise((resolve) => socket.once('data', resolve))
  socket.write(rawFrame(0x81, Buffer.from(JSON.stringify(loginFrame(await test.token('alice'))))))
  while (!got.includes('"welcome"')) await new Promise((resolve) => socket.once('data', resolve))
  expect(socket.getProtocol()).toMatch(/^TLSv1\.[23]$/)
  socket.destroy()
})

it('so does polling', async () => {
  const body = JSON.stringify({ frames: [loginFrame(await test.token('bob'))] })
  const answer = await new Promise<string>((resolve, reject) => {
    const call = request(
      { host: 'localhost', port: test.port, path: '/poll', method: 'POST', ca: certificate.ca },
      (response) => {
        let text = ''
        response.on('data', (data) => {
          text += String(data)
        })
        response.on('end', () => resolve(text))
      },
    )
    call.on('error', reject)
    call.end(body)
  })
  expect(JSON.parse(answer)).toMatchObject({ cursor: 1, frames: [{ type: 'welcome', userId: 'bob' }] })
})

it.each(['TLSv1', 'TLSv1.1'] as const)('%s is refused', async (version) => {
  const old = secure({ minVersion: version, maxVersion: version, ciphers: 'ALL:@SECLEVEL=0' })
  const error = await new Promise<Error>((resolve) => old.once('error', resolve))
  expect(error.message).toMatch(/protocol|alert|version/i)
  expect(old.authorized).toBe(false)
})

it('what is not TLS, and a handshake that drips, get nowhere', async () => {
  const plain = connectTcp(test.port, '127.0.0.1', () =>
    plain.write('GET /health HTTP/1.1\r\nHost: x\r\n\r\n'),
  )
  let got = ''
  plain.on('error', () => {})
  plain.on('data', (data) => {
    got += data.toString('latin1')
  })
  await new Promise<void>((resolve) => plain.once('close', () => resolve()))
  expect(got).not.toContain('200 OK')
  const hello = Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3])
  const drip = connectTcp(test.port, '127.0.0.1')
  drip.on('error', () => {})
  drip.on('data', () => {})
  let at = 0
  const timer = setInterval(() => drip.write(Buffer.from([hello[at++] ?? 0])), 1_000)
  await new Promise<void>((resolve) => drip.once('close', () => resolve()))
  clearInterval(timer)
})
