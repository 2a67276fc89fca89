import { describe, expect, test } from 'vitest'
import type { Message } from '../../../client/api.ts'
import { LongwireError } from '../../../client/error.ts'
import { clientWorld } from '../../support/client-world.ts'
import { noFaults } from '../../support/fake-gateway.ts'

const message = (text: string, conversationId = 'p2p:ann:bob', senderId = 'ann') => ({
  conversationId,
  kind: 'message' as const,
  senderId,
  packId: `id ${text}`,
  contentType: 'text',
  content: { text },
})
const texts = (messages: readonly Message[]) => messages.map(({ content }) => content?.text)

describe('a client', () => {
  test('that comes for the first time is told only what comes later, and history tells the rest', async () => {
    const { gateway, online, time } = clientWorld(1)
    for (let i = 0; i < 5; i++) gateway.append(message(`old ${i}`))
    const got: Message[] = []
    const bob = await online('bob', { on: { message: (one) => void got.push(one) } })
    gateway.append(message('new'))
    await time.run(5_000)
    expect(texts(got)).toEqual(['new'])
    const page = bob.history('p2p:ann:bob')
    await time.run(100)
    expect(texts((await page).messages)).toHaveLength(6)
  })

  test('is told every message of a conversation that came into being while it was away', async () => {
    const { gateway, online, time } = clientWorld(2)
    const got: Message[] = []
    await online('bob', { on: { message: (one) => void got.push(one) } })
    gateway.killAll()
    for (let i = 0; i < 3; i++) gateway.append(message(`${i}`))
    await time.run(10_000)
    expect(texts(got)).toEqual(['0', '1', '2'])
  })

  test('gives its handlers the first event even when they come right after the await', async () => {
    const { gateway, connect, time } = clientWorld(3)
    const connecting = connect('bob')
    const got: Message[] = []
    void connecting.then((bob) => bob.on('message', (one) => void got.push(one)))
    await time.run(1_000)
    gateway.append(message('hi'))
    await time.run(1_000)
    expect(texts(got)).toEqual(['hi'])
  })

  test('tells recalls and edits before the messages that it missed, each once', async () => {
    const { gateway, online, time } = clientWorld(4)
    const told: string[] = []
    gateway.append(message('before'))
    await online('bob', {
      on: {
        message: (one) => void told.push(`message ${one.seq}`),
        recalled: (one) => void told.push(`recalled ${one.targetSeq}`),
        edited: (one) => void told.push(`edited ${one.targetSeq}`),
      },
    })
    gateway.append(message('a'))
    gateway.append(message('b'))
    await time.run(5_000)
    gateway.killAll()
    gateway.append(message('c'))
    gateway.append({ ...message('d'), kind: 'recalled', targetSeq: 2, content: null, contentType: null })
    gateway.append({ ...message('e'), kind: 'edited', targetSeq: 3 })
    await time.run(20_000)
    expect(told).toEqual(['message 2', 'message 3', 'recalled 2', 'edited 3', 'message 4'])
  })

  test('that is too far behind jumps to the newest page and says so', async () => {
    const { gateway, online, time } = clientWorld(5)
    const told: string[] = []
    const got: number[] = []
    const bob = await online('bob', {
      catchUpMax: 50,
      on: {
        message: (one) => void got.push(one.seq),
        conversation: (change) => void told.push(`${change.reason} ${change.lastSeq}`),
      },
    })
    gateway.append(message('first'))
    await time.run(5_000)
    gateway.killAll()
    for (let i = 0; i < 200; i++) gateway.append(message(`${i}`))
    await time.run(20_000)
    expect(told).toEqual(['new 0', 'jumped 171'])
    expect(got).toEqual([1, ...Array.from({ length: 30 }, (_, i) => 172 + i)])
    expect(bob.stats().jumps).toBe(1)
  })

  test('leaves nothing out when a trailing server refuses what it has pushed', async () => {
    const { gateway, online, time } = clientWorld(16)
    const got: number[] = []
    const group = { ...message('a'), conversationId: 'g:1' }
    const roster = new Map([['bob', 1]])
    gateway.groups.set('g:1', roster)
    const bob = await online('bob', { on: { message: (one) => void got.push(one.seq) } })
    gateway.append(group)
    await time.run(5_000)
    roster.delete('bob')
    gateway.append(group)
    roster.set('bob', 1)
    gateway.append(group)
    roster.delete('bob')
    await time.run(300)
    expect(got).toEqual([1])
    roster.set('bob', 1)
    await time.run(5_000)
    expect(got).toEqual([1, 2, 3])
    expect(bob.stats().jumps).toBe(0)
  })

  test('acknowledges what its handlers took, not what they are still at', async () => {
    const { gateway, online, time } = clientWorld(6)
    let done = (): void => {}
    await online('bob', {
      on: {
        message: (one) =>
          one.seq === 2
            ? new Promise<void>((resolve) => {
                done = resolve
              })
            : undefined,
      },
    })
    for (const text of ['a', 'b', 'c']) gateway.append(message(text))
    await time.run(1_000)
    const acks = () => gateway.seen.flatMap((frame) => (frame.type === 'ack' ? frame.acks : []))
    expect(acks().at(-1)).toEqual({ conversationId: 'p2p:ann:bob', seq: 1 })
    done()
    await time.run(1_000)
    expect(acks().at(-1)).toEqual({ conversationId: 'p2p:ann:bob', seq: 3 })
  })

  test('coalesces read marks: at most one per conversation in two seconds, the last one counts', async () => {
    const { gateway, online, time } = clientWorld(7)
    const bob = await online('bob')
    for (let i = 0; i < 20; i++) {
      gateway.append(message(`${i}`))
      await time.run(200)
      void bob.markRead('p2p:ann:bob', i + 1)
    }
    await time.run(3_000)
    const marks = gateway.seen.filter((frame) => frame.type === 'markRead')
    expect(marks.length).toBeLessThanOrEqual(4)
    expect(marks.at(-1)).toMatchObject({ seq: 20, ordinal: 20 })
  })

  test('flushes marks and outbox when it is closed, and then refuses', async () => {
    const { gateway, online, time } = clientWorld(8)
    const bob = await online('bob')
    gateway.append(message('x'))
    await time.run(1_000)
    const sent = bob.send({ to: 'ann', text: 'bye' })
    void bob.markRead('p2p:ann:bob', 1)
    const closing = bob.close()
    await time.run(6_000)
    await closing
    await expect(sent).resolves.toMatchObject({ seq: 2 })
    expect(gateway.seen.some((frame) => frame.type === 'markRead')).toBe(true)
    expect(gateway.seen.at(-1)?.type).toBe('logout')
    await expect(bob.send({ to: 'ann', text: 'more' })).rejects.toMatchObject({ code: 'closed' })
    expect(bob.state).toBe('closed')
  })

  test('rejects what is left when closing takes too long', async () => {
    const { gateway, online, time } = clientWorld(9)
    const bob = await online('bob')
    gateway.faults = { ...noFaults, unavailable: 1 }
    const sent = bob.send({ to: 'ann', text: 'never' })
    sent.catch(() => {})
    const closing = bob.close({ deadlineMs: 1_000 })
    await time.run(2_000)
    await closing
    await expect(sent).rejects.toMatchObject({ code: 'closed' })
  })

  test('goes elsewhere when a server says nothing any more', async () => {
    const { gateway, online, time } = clientWorld(10)
    const states: string[] = []
    const bob = await online('bob', {
      on: { state: ({ state, code }) => void states.push(`${state} ${code}`) },
    })
    gateway.faults = { ...noFaults, silence: 1 }
    const sent = bob.send({ to: 'ann', text: 'hello?' })
    await time.run(1_000)
    gateway.faults = noFaults
    await time.run(30_000)
    await expect(sent).resolves.toMatchObject({ seq: 1 })
    expect(states).toContain('waiting unanswered')
    expect(bob.stats()).toMatchObject({ reconnects: 1, resends: 1 })
  })

  test('ends for good when it is kicked, and says why', async () => {
    const { gateway, online, time } = clientWorld(11)
    const told: string[] = []
    const bob = await online('bob', { on: { kicked: ({ code }) => void told.push(code) } })
    gateway.tell('bob', { type: 'bye', code: 'kicked', message: 'Another login.' })
    await time.run(60_000)
    expect(told).toEqual(['kicked'])
    expect(bob.state).toBe('closed')
    expect(gateway.seen.filter((frame) => frame.type === 'login')).toHaveLength(1)
  })

  test('waits as long as a draining server asks', async () => {
    const { gateway, online, time } = clientWorld(12)
    const bob = await online('bob')
    gateway.tell('bob', { type: 'bye', code: 'draining', message: '', reconnectAfterMs: 4_000 })
    await time.run(3_900)
    expect(bob.state).toBe('waiting')
    await time.run(1_000)
    expect(bob.state).toBe('online')
  })

  test('comes back, ever less often, where it has too many connections, until one of them is gone', async () => {
    const { gateway, online, time } = clientWorld(18)
    const bob = await online('bob')
    const logins = () => gateway.seen.filter(({ type }) => type === 'login').length
    let isFull = true
    gateway.refuseLogin = () => (isFull ? 'too_many_connections' : null)
    gateway.tell('bob', { type: 'bye', code: 'too_many_connections', message: '' })
    await time.run(60_000)
    expect(bob.state).not.toBe('closed')
    expect(logins()).toBeGreaterThan(5)
    expect(logins()).toBeLessThan(60)
    isFull = false
    await time.run(20_000)
    expect(bob.state).toBe('online')
  })

  test('gives up connecting after the time it was given, and never before', async () => {
    const { gateway, connect, time } = clientWorld(13)
    gateway.faults = { ...noFaults, refuseConnect: 1 }
    const connecting = connect('bob', { connectTimeoutMs: 5_000 })
    let failed: unknown = null
    connecting.catch((error: unknown) => {
      failed = error
    })
    await time.run(4_900)
    expect(failed).toBeNull()
    await time.run(200)
    expect(failed).toBeInstanceOf(LongwireError)
    expect(failed).toMatchObject({ code: 'unavailable' })
  })

  test('refuses a call that contradicts itself, and passes on what the server refuses for good', async () => {
    const { online, time } = clientWorld(14)
    const bob = await online('bob')
    await expect(bob.send({ text: 'to whom?' })).rejects.toMatchObject({ code: 'bad_call' })
    await expect(bob.send({ to: 'ann' })).rejects.toMatchObject({ code: 'bad_call' })
    const page = bob.history('g:other')
    page.catch(() => {})
    await time.run(1_000)
    await expect(page).rejects.toMatchObject({ code: 'not_member', retry: 'never' })
  })

  test('goes on when a handler throws, and reports it', async () => {
    const { errors, gateway, online, time } = clientWorld(15)
    const got: number[] = []
    await online('bob', {
      on: {
        message(one) {
          got.push(one.seq)
          throw new Error('of the user')
        },
      },
    })
    gateway.append(message('a'))
    gateway.append(message('b'))
    await time.run(1_000)
    expect(got).toEqual([1, 2])
    expect(errors).toHaveLength(2)
  })
})
