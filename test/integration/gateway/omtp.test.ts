import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { payloadEncodings } from '../../../schemas/omtp/header.ts'
import {
  answerTo,
  eventBytes,
  messageSent,
  newPackId,
  startTestGateway,
  type TestGateway,
  until,
} from '../../support/gateway.ts'
import { rawClient } from '../../support/gateway-client.ts'
import { clientBytes, idPackId } from '../../support/omtp.ts'
import { type OmtpClient, type OmtpClientOptions, omtpClient } from '../../support/omtp-client.ts'

let test: TestGateway
beforeAll(async () => {
  test = await startTestGateway({ gatewayId: 'gw-omtp' })
})
afterAll(() => test.stop())

async function online(user: string, options: OmtpClientOptions = {}, device = 'd1'): Promise<OmtpClient> {
  const client = await omtpClient(test.omtp.port, options)
  client.login(await test.token(user), { deviceId: device })
  await client.next('welcome')
  return client
}

const message = (packId: string, to: string | null, conversationId: string | null, text: string) => ({
  type: 'send',
  packId,
  to,
  conversationId,
  contentType: 'text',
  content: JSON.stringify({ text }),
  mentions: [],
  mentionAll: false,
  replyTo: null,
})
const bytesOf = (packId: string): Buffer => Buffer.from(packId.replaceAll('-', ''), 'hex')
const nil = Buffer.alloc(16)
let seqs = 0

/** The newest command, committed and pushed as fan-out would. */
async function commit(count: number, recipients: string[], text: string): Promise<number> {
  const command = (await test.commandsOnce(count))[count - 1]
  if (!command) throw new Error('no command')
  seqs += 1
  await test.deliver({
    stream: command.stream,
    event: eventBytes(
      { stream: command.stream, seq: seqs, reply: command.reply ?? undefined },
      messageSent(command.sender, text, command.packId),
    ),
    recipients,
    answer: answerTo(command, { seq: seqs }),
  })
  return seqs
}

describe.each(payloadEncodings)('in %s', (encoding) => {
  const options = { encoding }

  it('a message to one is accepted and committed under its own packId, and pushed under it to all others', async () => {
    const alice = await online('alice', options, 'phone')
    const laptop = await online('alice', { encoding: 'json' }, 'laptop')
    const bob = await online('bob', options)
    const before = (await test.commands()).length
    const packId = newPackId()
    alice.send(message(packId, 'bob', null, 'grüße 👋'))
    expect((await alice.nextTold('accepted')).packId).toEqual(bytesOf(packId))
    const seq = await commit(before + 1, ['alice', 'bob'], 'grüße 👋')
    const committed = await alice.nextTold('committed')
    expect(committed).toMatchObject({ packId: bytesOf(packId), encoding, deflated: false })
    expect(committed.frame).toMatchObject({ packId, conversationId: 'p2p:alice:bob', seq })
    for (const client of [bob, laptop]) {
      const pushed = await client.nextTold('event')
      expect(pushed.packId).toEqual(bytesOf(packId))
      const { item } = pushed.frame as unknown as { item: { content: unknown; seq: number } }
      const { content } = item
      expect(typeof content === 'string' ? JSON.parse(content) : content).toEqual({ text: 'grüße 👋' })
      expect(item.seq).toBe(seq)
    }
    expect(alice.told.filter(({ frame }) => frame.type === 'event')).toEqual([])
    for (const client of [alice, laptop, bob]) client.close()
  })

  it('a group is made and written to', async () => {
    const anna = await online('anna', options)
    const ben = await online('ben', options)
    const before = (await test.commands()).length
    anna.send({ type: 'createGroup', packId: newPackId(), name: 'a group', members: ['ben', 'cleo'] })
    await anna.next('accepted')
    const created = (await test.commandsOnce(before + 1))[before]
    const group = created?.stream ?? ''
    expect(group).toMatch(/^g:[0-9a-f]{32}$/)
    const packId = newPackId()
    anna.send(message(packId, null, group, 'to all'))
    expect(await anna.next('accepted')).toMatchObject({ packId })
    const seq = await commit(before + 2, ['anna', 'ben'], 'to all')
    expect(await anna.next('committed')).toMatchObject({ packId, conversationId: group, seq })
    expect(await ben.next('event')).toMatchObject({ item: { conversationId: group, seq } })
    for (const client of [anna, ben]) client.close()
  })

  it('requests are answered under the packId that they were asked with', async () => {
    const client = await online('carol', options)
    const page = { conversationId: 'g:x', before: null, after: null, limit: null }
    const [heads, history, secret, sync, profiles, presence, ping, lookup] = [9, 8, 7, 6, 5, 4, 3, 2]
    client.send({ type: 'heads', id: heads })
    client.send({ type: 'history', id: history, ...page })
    client.send({ type: 'history', id: secret, ...page, conversationId: 'g:secret' })
    client.send({
      type: 'sync',
      id: sync,
      conversationId: 'g:x',
      ranges: [{ from: 1, to: 3 }],
      changesUpTo: 0,
    })
    client.send({ type: 'profiles', id: profiles, userIds: ['bob'] })
    client.send({ type: 'presence', id: presence, subscribe: ['bob'], unsubscribe: [] })
    client.send({ type: 'ping', id: ping })
    client.send({ type: 'lookup', id: lookup, conversationId: 'g:x', packId: newPackId() })
    expect(await client.next('headsResult')).toMatchObject({ id: heads, partial: false, heads: [] })
    expect(await client.next('historyResult')).toMatchObject({ id: history, toSeq: 10 })
    expect(await client.next('error')).toMatchObject({ id: secret, code: 'not_member' })
    expect(await client.next('syncResult')).toMatchObject({ id: sync, reset: false })
    expect(await client.next('profilesResult')).toMatchObject({ id: profiles, profiles: [{ userId: 'bob' }] })
    expect(await client.next('presenceResult')).toMatchObject({ id: presence })
    expect(await client.next('pong')).toMatchObject({ id: ping })
    expect(await client.next('lookupResult')).toMatchObject({ id: lookup })
    client.close()
  })

  it('a client that compresses its login is answered compressed where that pays', async () => {
    const dora = await online('dora', { encoding, deflate: true })
    const users = Array.from({ length: 50 }, (_, i) => `user-${i}`)
    dora.send({ type: 'profiles', id: 1, userIds: users })
    const { deflated, frame } = await dora.nextTold('profilesResult')
    expect(deflated).toBe(true)
    expect((frame as unknown as { profiles: unknown[] }).profiles).toHaveLength(50)
    dora.send({ type: 'ping', id: 2 })
    expect((await dora.nextTold('pong')).deflated).toBe(false)
    dora.close()
  })

  it('an overview comes packed under one packId, the last of its batches said so', async () => {
    const client = await online('emil', options)
    client.send({ type: 'overview', id: 1, limit: null, pages: null })
    expect(await client.next('packed')).toMatchObject({ id: 1, last: true })
    // The packId is free again.
    client.send({ type: 'heads', id: 1 })
    expect(await client.next('headsResult')).toMatchObject({ id: 1 })
    client.close()
  })
})

describe('a connection on OMTP', () => {
  it('talks with one on WebSocket', async () => {
    const omtp = await online('olga', { encoding: 'tars' })
    const web = await rawClient(test.url)
    web.login(await test.token('wim'))
    await web.next('welcome')
    const before = (await test.commands()).length
    omtp.send(message(newPackId(), 'wim', null, 'from OMTP'))
    await omtp.next('accepted')
    await commit(before + 1, ['olga', 'wim'], 'from OMTP')
    expect(await web.next('event')).toMatchObject({
      item: { senderId: 'olga', content: { text: 'from OMTP' } },
    })
    web.send({ ...message(newPackId(), 'olga', null, ''), content: { text: 'back' } })
    await web.next('accepted')
    await commit(before + 2, ['olga', 'wim'], 'back')
    expect(await omtp.next('event')).toMatchObject({ item: { senderId: 'wim', content: '{"text":"back"}' } })
    omtp.close()
    web.close()
  })

  it('is welcomed under the packId of its login; what the server begins by itself has none', async () => {
    const client = await omtpClient(test.omtp.port)
    const packId = idPackId(77)
    client.send(
      {
        type: 'login',
        token: await test.token('gina'),
        deviceId: 'd1',
        deviceType: 'test',
        protocol: 1,
        heartbeatMs: null,
        proof: null,
      },
      packId,
    )
    expect((await client.nextTold('welcome')).packId).toEqual(packId)
    await test.deliver({ stream: 'g:h', headSeq: 5, recipients: ['gina'] })
    expect((await client.nextTold('head')).packId).toEqual(nil)
    client.close()
  })

  it('may write each frame in another encoding: answers stay in that of the login', async () => {
    const client = await online('hugo', { encoding: 'protobuf' })
    for (const [i, encoding] of payloadEncodings.entries()) {
      client.raw(clientBytes({ type: 'ping', id: i + 1 }, { encoding }))
      expect(await client.nextTold('pong')).toMatchObject({ encoding: 'protobuf', frame: { id: i + 1 } })
    }
    client.close()
  })

  it('gets what merged or split frames ask for alike', async () => {
    const client = await online('ida')
    const pings = [1, 2, 3].map((id) => clientBytes({ type: 'ping', id }, { encoding: 'xml' }))
    client.raw(Buffer.concat(pings))
    for (const id of [1, 2, 3]) expect(await client.next('pong')).toMatchObject({ id })
    for (const byte of Buffer.concat(pings)) client.raw(Buffer.from([byte]))
    for (const id of [1, 2, 3]) expect(await client.next('pong')).toMatchObject({ id })
    client.close()
  })

  it('is free to use a packId again once it was answered, and to use one that another user uses', async () => {
    const [jan, kim] = [await online('jan'), await online('kim')]
    for (const client of [jan, kim, jan]) {
      client.send({ type: 'heads', id: 1 })
      expect(await client.next('headsResult')).toMatchObject({ id: 1 })
    }
    const packId = newPackId()
    for (const client of [jan, kim]) {
      client.send(message(packId, 'bob', null, 'same packId'))
      expect(await client.next('accepted')).toMatchObject({ packId })
    }
    const commands = await test.commands()
    expect(
      commands
        .slice(-2)
        .map(({ stream }) => stream)
        .sort(),
    ).toEqual(['p2p:bob:jan', 'p2p:bob:kim'])
    jan.close()
    kim.close()
  })

  it('that logs out is closed', async () => {
    const client = await online('lea')
    client.send({ type: 'logout', reason: null })
    await client.closed
    await until(() => [...test.online.records.values()].every(({ user }) => user !== 'lea'))
  })
})

describe('a gateway that goes', () => {
  it('says bye to its OMTP connections, and when to come back', async () => {
    const going = await startTestGateway({ gatewayId: 'gw-omtp-going', boot: 'boot00002' })
    const client = await omtpClient(going.omtp.port, { encoding: 'xml' })
    client.login(await going.token('mia'))
    await client.next('welcome')
    going.omtp.stopAccepting()
    await going.gateway.drain()
    const { packId, frame } = await client.nextTold('bye')
    expect(packId).toEqual(nil)
    expect(frame).toMatchObject({ code: 'draining' })
    expect((frame as { reconnectAfterMs: number }).reconnectAfterMs).toBeGreaterThanOrEqual(0)
    await client.closed
    await expect(omtpClient(going.omtp.port)).rejects.toThrow()
    await going.stop()
  })
})
