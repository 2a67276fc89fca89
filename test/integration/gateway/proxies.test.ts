import { afterEach, expect, test } from 'vitest'
import type { LoginFacts } from '../../../gateway/login-answer.ts'
import { startTestGateway, type TestGateway } from '../../support/gateway.ts'
import { omtpClient } from '../../support/omtp-client.ts'

const client = '198.51.100.7'
let gateway: TestGateway | null = null
let facts: LoginFacts[] = []

async function start(proxies: readonly string[]): Promise<TestGateway> {
  facts = []
  gateway = await startTestGateway({
    proxies,
    loginHook: async (login) => {
      facts.push(login)
      return { decision: 'allow' }
    },
  })
  return gateway
}
afterEach(async () => {
  await gateway?.stop()
  gateway = null
})

const loginFrame = async (of: TestGateway) => ({
  ...{ type: 'login', token: await of.token('ann'), deviceId: 'd1', deviceType: 'test', protocol: 1 },
})

async function overWebSocket(of: TestGateway, forwardedFor: string): Promise<void> {
  const options = { protocols: ['longwire.json'], headers: { 'x-forwarded-for': forwardedFor } }
  const socket = new WebSocket(of.url, options as never)
  await new Promise((resolve) => socket.addEventListener('open', resolve))
  socket.send(JSON.stringify(await loginFrame(of)))
  await new Promise((resolve) => socket.addEventListener('message', resolve))
  socket.close()
}

async function overPolling(of: TestGateway, forwardedFor: string): Promise<void> {
  const answer = await fetch(`http://127.0.0.1:${of.port}/poll`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-forwarded-for': forwardedFor },
    body: JSON.stringify({ frames: [await loginFrame(of)] }),
  })
  expect(answer.status).toBe(200)
}

async function overOmtp(of: TestGateway, before: string, inPieces = false): Promise<void> {
  const bare = await omtpClient(of.omtp.port)
  if (inPieces)
    for (const byte of Buffer.from(before)) {
      bare.raw(Buffer.from([byte]))
      await new Promise((resolve) => setImmediate(resolve))
    }
  else bare.raw(Buffer.from(before))
  bare.login(await of.token('ann'))
  await bare.next('welcome')
  bare.close()
}

const addresses = (): string[] => facts.map(({ address }) => address)
const line = `PROXY TCP4 ${client} 127.0.0.1 40000 9110\r\n`

test('a trusted proxy says whose connection it is, on every transport', async () => {
  const of = await start(['127.0.0.0/8'])
  await overWebSocket(of, client)
  await overPolling(of, `6.6.6.6, ${client}`)
  await overOmtp(of, line)
  await overOmtp(of, line, true)
  expect(addresses()).toEqual([client, client, client, client])
})

test('a client that speaks for itself to a trusted port is served, too', async () => {
  const of = await start(['127.0.0.1'])
  await overOmtp(of, '')
  await overOmtp(of, 'PROXY UNKNOWN\r\n')
  expect(addresses()).toEqual(['127.0.0.1', '127.0.0.1'])
})

test('nobody else is believed: the header counts for nothing, and a line is no frame', async () => {
  const of = await start([])
  await overWebSocket(of, client)
  await overPolling(of, client)
  const bare = await omtpClient(of.omtp.port)
  bare.raw(Buffer.from(line))
  await bare.closed
  expect(addresses()).toEqual(['127.0.0.1', '127.0.0.1'])
})

test('a bad line ends the connection', async () => {
  const of = await start(['127.0.0.1'])
  const bare = await omtpClient(of.omtp.port)
  bare.raw(Buffer.from('PROXY TCP4 nonsense\r\n'))
  await bare.closed
  expect(facts).toEqual([])
})
