import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parsePackId } from '../../../schemas/ids.ts'
import { limits } from '../../../schemas/limits.ts'
import {
  answerTo,
  eventBytes,
  messageSent,
  newPackId,
  startTestGateway,
  type TestGateway,
  until,
} from '../../support/gateway.ts'
import { type RawClient, rawClient } from '../../support/gateway-client.ts'

let test: TestGateway
beforeAll(async () => {
  test = await startTestGateway()
})
afterAll(() => test.stop())

async function online(user: string, subprotocol = 'longwire.json', device?: string): Promise<RawClient> {
  const client = await rawClient(test.url, subprotocol)
  client.login(await test.token(user), device === undefined ? {} : { deviceId: device })
  await client.next('welcome')
  return client
}

const text = (value: string, avro: boolean) => (avro ? JSON.stringify({ text: value }) : { text: value })

describe.each(['longwire.json', 'longwire.avro'])('on %s', (subprotocol) => {
  const avro = subprotocol === 'longwire.avro'

  it('a message goes to the log once, is accepted, then committed to its sender and pushed to the others', async () => {
    const alice = await online('alice', subprotocol, 'phone')
    const laptop = await online('alice', subprotocol, 'laptop')
    const bob = await online('bob', subprotocol)
    const packId = newPackId()
    const before = (await test.commands()).length
    alice.send({
      type: 'send',
      packId,
      to: 'bob',
      conversationId: null,
      contentType: 'text',
      content: text('hi', avro),
      mentions: [],
      mentionAll: false,
      replyTo: null,
    })
    expect(await alice.next('accepted')).toMatchObject({ packId })
    const command = (await test.commandsOnce(before + 1))[before]
    if (!command) throw new Error('no command')
    expect(command).toMatchObject({ stream: 'p2p:alice:bob', sender: 'alice', device: 'phone' })
    expect(command.reply).toMatchObject({ gateway: 'gw-test', boot: test.boot })

    const seq = avro ? 2 : 1
    await test.deliver({
      stream: command.stream,
      event: eventBytes(
        { stream: command.stream, seq, reply: command.reply ?? undefined },
        messageSent('alice', 'hi'),
      ),
      recipients: ['alice', 'bob'],
      answer: answerTo(command, { seq }),
    })
    expect(await alice.next('committed')).toMatchObject({ packId, conversationId: 'p2p:alice:bob', seq })
    const pushed = await bob.next('event')
    expect(pushed.item).toMatchObject({ conversationId: 'p2p:alice:bob', seq, kind: 'message' })
    expect(pushed.item.content).toEqual(text('hi', avro))
    expect(await laptop.next('event')).toMatchObject({ item: { seq } })
    expect(alice.frames.filter((frame) => frame.type === 'event')).toEqual([])
    for (const client of [alice, laptop, bob]) client.close()
  })

  it('requests are answered by their id', async () => {
    const client = await online('carol', subprotocol)
    client.send({ type: 'heads', id: 1 })
    client.send({ type: 'history', id: 2, conversationId: 'g:x', before: null, after: null, limit: null })
    client.send({
      type: 'history',
      id: 3,
      conversationId: 'g:secret',
      before: null,
      after: null,
      limit: null,
    })
    client.send({ type: 'ping', id: 4 })
    expect(await client.next('headsResult')).toMatchObject({ id: 1, partial: false })
    expect(await client.next('historyResult')).toMatchObject({ id: 2, toSeq: 10 })
    expect(await client.next('error')).toMatchObject({ id: 3, code: 'not_member' })
    expect(await client.next('pong')).toMatchObject({ id: 4 })
    client.close()
  })

  it('a read mark goes into the reader’s own stream, and not beyond the end', async () => {
    const client = await online('dora', subprotocol)
    const before = (await test.commands()).length
    const mark = { type: 'markRead', conversationId: 'g:x' }
    client.send({ ...mark, packId: newPackId(), seq: 10, ordinal: 10 })
    await client.next('accepted')
    expect((await test.commandsOnce(before + 1))[before]).toMatchObject({ stream: 'u:dora' })
    client.send({ ...mark, packId: newPackId(), seq: 11, ordinal: 10 })
    expect(await client.next('rejected')).toMatchObject({ code: 'bad_position' })
    client.close()
  })
})

describe('deliveries', () => {
  it('an answer goes to the connection that asked, and to no later boot', async () => {
    const client = await online('erin')
    const packId = newPackId()
    const before = (await test.commands()).length
    client.send({ type: 'createGroup', packId, name: 'a group', members: ['bob'] })
    await client.next('accepted')
    const command = (await test.commandsOnce(before + 1))[before]
    if (!command) throw new Error('no command')
    expect(command.stream).toMatch(/^g:[0-9a-f]{32}$/)
    await test.deliver({ stream: command.stream, answer: answerTo(command, { boot: 'boot00000' }) })
    await test.deliver({ stream: command.stream, answer: answerTo(command, { code: 'group_full' }) })
    expect(await client.next('rejected')).toMatchObject({ packId, code: 'group_full' })
    expect(client.frames.filter((frame) => frame.type === 'committed')).toEqual([])
    client.close()
  })

  it('a head hint reaches who holds less', async () => {
    const client = await online('frank')
    await test.deliver({ stream: 'g:h', headSeq: 5, recipients: ['frank', 'nobody'] })
    expect(await client.next('head')).toMatchObject({ conversationId: 'g:h', seq: 5 })
    client.close()
  })

  it('a gap in the running numbers makes every client sync again', async () => {
    const client = await online('gina')
    await test.deliver({ partition: 3, counter: 0, stream: 'g:x', headSeq: 1 })
    await test.deliver({ partition: 3, counter: 2, stream: 'g:x', headSeq: 1 })
    await client.next('resync')
    client.close()
  })

  it('an unreadable delivery does not stop the next one', async () => {
    const client = await online('hank')
    await test.deliver({ stream: 'g:p', event: Buffer.from('poison'), recipients: ['hank'] })
    await test.deliver({
      stream: 'g:p',
      event: eventBytes({ stream: 'g:p', seq: 1 }, messageSent('x', 'after the poison')),
      recipients: ['hank'],
    })
    expect(await client.next('event')).toMatchObject({ item: { content: { text: 'after the poison' } } })
    client.close()
  })

  it('an event comes in both encodings to whom it concerns', async () => {
    const json = await online('ida')
    const avro = await online('ida', 'longwire.avro', 'd2')
    await test.deliver({
      stream: 'g:e',
      event: eventBytes({ stream: 'g:e', seq: 1 }, messageSent('x', 'ü ☃ "quoted"')),
      recipients: ['ida'],
    })
    expect(await json.next('event')).toMatchObject({ item: { content: { text: 'ü ☃ "quoted"' } } })
    const other = await avro.next('event')
    expect(JSON.parse(other.item.content ?? '')).toEqual({ text: 'ü ☃ "quoted"' })
    json.close()
    avro.close()
  })
})

describe('the online map', () => {
  it('holds a connection before its welcome and loses it with its end', async () => {
    const client = await rawClient(test.url)
    client.login(await test.token('jack'))
    const { connectionId } = await client.next('welcome')
    expect(test.online.records.get(connectionId)).toMatchObject({ user: 'jack' })
    client.close()
    await until(() => !test.online.records.has(connectionId))
    await until(() => test.gateway.levels().gateway_online_records_ahead === 0)
  })

  it('delays nobody when it is down, and is completed when it is back', async () => {
    test.online.down = true
    const client = await online('kate')
    expect(test.gateway.levels().gateway_announced).toBe(0)
    test.online.down = false
    await until(() => test.gateway.levels().gateway_announced === 1)
    expect((await test.online.connectionsOf('kate')).length).toBe(1)
    await client.next('resync')
    client.close()
  })
})

describe('the log', () => {
  it('that does not take a command leaves the connection open and says unavailable', async () => {
    const { createMemoryLog } = await import('../../../infra/memory/log.ts')
    const { systemClock } = await import('../../../infra/clock.ts')
    const log = createMemoryLog(systemClock)
    const other = await startTestGateway({ store: withFailingAppends(log), gatewayId: 'gw-x' })
    const client = await rawClient(other.url)
    client.login(await other.token('alice'))
    await client.next('welcome')
    const packId = newPackId()
    client.send({ type: 'addMembers', packId, conversationId: 'g:x', members: ['bob'] })
    expect(await client.next('rejected')).toMatchObject({ packId, code: 'unavailable' })
    client.send({ type: 'ping', id: 1 })
    await client.next('pong')
    client.close()
    await other.stop()
  })
})

function withFailingAppends(store: TestGateway['store']): TestGateway['store'] {
  return {
    ...store,
    async appender(name, options) {
      const real = await store.appender(name, options)
      return {
        ...real,
        append: async (topic, partition, record) => {
          if (topic === 'im.commands') {
            const { Fault } = await import('../../../schemas/ports.ts')
            throw new Fault('append_unknown', 'no answer', { retriable: true })
          }
          return real.append(topic, partition, record)
        },
      }
    },
  }
}

describe('two processes under one id', () => {
  it('the older one learns that it was replaced', async () => {
    const older = await startTestGateway({ store: test.store, gatewayId: 'gw-two', boot: 'boot00003' })
    const newer = await startTestGateway({ store: test.store, gatewayId: 'gw-two', boot: 'boot00004' })
    await until(() => older.fencedBy.includes('boot00004'))
    expect(newer.fencedBy).toEqual([])
    await older.stop()
    await newer.stop()
  })
})

describe('draining', () => {
  it('tells every client to go elsewhere and forgets nothing that was accepted', async () => {
    const leaving = await startTestGateway({ gatewayId: 'gw-drain', boot: 'boot00009' })
    const client = await rawClient(leaving.url)
    client.login(await leaving.token('alice'))
    await client.next('welcome')
    const packId = newPackId()
    client.send({ type: 'addMembers', packId, conversationId: 'g:x', members: ['bob'] })
    await client.next('accepted')
    leaving.publicPort.stopAccepting()
    await leaving.gateway.drain()
    expect(await client.next('bye')).toMatchObject({ code: 'draining' })
    expect(await client.closed).toMatchObject({ code: 4503 })
    expect(leaving.gateway.ready()).toBe(false)
    expect((await leaving.commandsOnce(1))[0]?.packId).toEqual(parsePackId(packId))
    expect(leaving.online.records.size).toBe(0)
    await expect(rawClient(leaving.url)).rejects.toThrow()
    await leaving.stop()
  })

  it('in stages serves whoever waits for his turn, and says that it is not ready while it is still open', async () => {
    const leaving = await startTestGateway({ gatewayId: 'gw-stages', boot: 'boot00009' })
    const people = await Promise.all(
      Array.from({ length: 60 }, async (_, i) => {
        const client = await rawClient(leaving.url)
        client.login(await leaving.token(`user-${i}`))
        await client.next('welcome')
        return client
      }),
    )
    let late: Awaited<ReturnType<typeof rawClient>> | undefined
    const health = () => fetch(`http://127.0.0.1:${leaving.port}/health`).then(({ status }) => status)
    expect(await health()).toBe(200)
    const noticed = Promise.withResolvers<void>()
    const draining = leaving.gateway.drain({
      drainMs: 1_000,
      noticed() {
        leaving.publicPort.stopAccepting()
        noticed.resolve()
      },
    })
    expect(leaving.gateway.ready()).toBe(false)
    expect(await health()).toBe(503)
    late = await rawClient(leaving.url)
    late.login(await leaving.token('late'))
    await late.next('welcome')
    await noticed.promise
    const gone = () => people.filter((client) => client.isClosed()).length
    await until(() => gone() >= 20)
    // Its turn has not come: it is answered.
    const waiting = people.findLast((client) => !client.isClosed())
    waiting?.send({ type: 'ping', id: 9 })
    await waiting?.next('pong')
    expect(gone()).toBeLessThan(60)
    await draining
    for (const client of [...people, late]) {
      const bye = await client.next('bye')
      expect(bye).toMatchObject({ code: 'draining' })
      expect(bye.reconnectAfterMs).toBeLessThan(1_000)
      expect(await client.closed).toMatchObject({ code: 4503 })
    }
    await leaving.stop()
  })
})

describe('a storm of logins', () => {
  it('lets all in by turns, and serves whoever is there', async () => {
    const stormy = await startTestGateway({ gatewayId: 'gw-storm', boot: 'boot00009' })
    const stayed = await rawClient(stormy.url)
    stayed.login(await stormy.token('stayed'))
    await stayed.next('welcome')
    const count = limits.loginsAtOnceMax * 4
    const crowd = await Promise.all(Array.from({ length: count }, () => rawClient(stormy.url)))
    const tokens = await Promise.all(crowd.map((_, i) => stormy.token(`user-${i}`)))
    for (const [i, client] of crowd.entries()) client.login(tokens[i] as string)
    stayed.send({ type: 'ping', id: 1 })
    await stayed.next('pong')
    await Promise.all(crowd.map((client) => client.next('welcome')))
    expect(stormy.gateway.levels().gateway_logins_waiting).toBe(0)
    await stormy.stop()
  })
})
