import { connect as connectTcp } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { connect } from '../../../client/index.ts'
import { limits } from '../../../schemas/limits.ts'
import { selfSigned } from '../../support/certificate.ts'
import { startTestGateway, type TestGateway, until } from '../../support/gateway.ts'
import { omtpClient } from '../../support/omtp-client.ts'

const certificate = selfSigned()
let test: TestGateway
beforeAll(async () => {
  test = await startTestGateway({ gatewayId: 'gw-omtps', tls: certificate })
})
afterAll(() => test.stop())

it('OMTP over TLS carries the same frames', async () => {
  const client = await omtpClient(test.omtp.port, { ca: certificate.ca, encoding: 'protobuf' })
  client.login(await test.token('alice'))
  await client.next('welcome')
  client.send({ type: 'heads', id: 1 })
  expect(await client.next('headsResult')).toMatchObject({ id: 1 })
  client.close()
})

it('the SDK reaches it by omtps://, and trusts nobody that it was not told to', async () => {
  const url = `omtps://localhost:${test.omtp.port}`
  const token = await test.token('bob')
  const me = await connect({ url, token, omtp: { ca: certificate.ca, encoding: 'tars' } })
  await me.close()
  await expect(connect({ url, token, connectTimeoutMs: 300 })).rejects.toMatchObject({ code: 'unavailable' })
})

it('TLS of before 1.2 and plain OMTP get nowhere', async () => {
  const old = connectTls({
    host: '127.0.0.1',
    port: test.omtp.port,
    ca: certificate.ca,
    maxVersion: 'TLSv1.1',
    minVersion: 'TLSv1.1',
    ciphers: 'ALL:@SECLEVEL=0',
  })
  await new Promise<void>((resolve) => {
    old.once('error', () => {})
    old.once('close', () => resolve())
  })
  expect(old.authorized).toBe(false)
  const plain = connectTcp(test.omtp.port, '127.0.0.1', () => plain.write(Buffer.alloc(64)))
  plain.on('error', () => {})
  plain.on('data', () => {})
  await new Promise<void>((resolve) => plain.once('close', () => resolve()))
  await until(() => test.gateway.levels().gateway_connections === 0)
})

it('a TLS handshake that is never finished is cut off in time, whether nothing comes or a byte at a time', async () => {
  const startedAt = performance.now()
  const lasted = [Buffer.alloc(0), Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01])].map(
    (hello) =>
      new Promise<number>((resolve) => {
        let at = 0
        const socket = connectTcp(test.omtp.port, '127.0.0.1')
        const drip = setInterval(() => {
          if (at < hello.length) socket.write(hello.subarray(at, ++at))
        }, 500)
        socket.on('error', () => {})
        socket.once('close', () => {
          clearInterval(drip)
          resolve(performance.now() - startedAt)
        })
        socket.resume()
      }),
  )
  for (const ms of await Promise.all(lasted)) {
    expect(ms).toBeGreaterThan(limits.loginTimeoutMs / 2)
    expect(ms).toBeLessThan(2 * limits.loginTimeoutMs)
  }
}, 30_000)
