import { readFileSync } from 'node:fs'
import { inflateRawSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { boundedChanges, boundedList, boundedPage } from '../../../gateway/bounds.ts'
import { packed } from '../../../gateway/packing.ts'
import { createReading } from '../../../gateway/reading.ts'
import { silentLog } from '../../../infra/log.ts'
import type { HistoryAnswer, ReadModels } from '../../../projections/reads.ts'
import type { Conversation, Item, ServerFrame } from '../../../schemas/frames.ts'
import { hiddenItem } from '../../../schemas/item.ts'
import { limits } from '../../../schemas/limits.ts'
import { Fault } from '../../../schemas/ports.ts'
import { fakeReads } from '../../support/gateway.ts'

const message = (seq: number, chars = 30_000): Item => ({
  ...hiddenItem('g:x', seq),
  kind: 'message',
  content: JSON.stringify({ text: 'x'.repeat(chars) }),
})
const pageOf = (count: number, chars?: number): HistoryAnswer => ({
  code: null,
  partial: false,
  fromSeq: 1,
  toSeq: count,
  more: false,
  items: Array.from({ length: count }, (_, i) => message(i + 1, chars)),
  reactions: [
    { seq: 1, emoji: '👍', count: 1, mine: false },
    { seq: count, emoji: '👍', count: 2, mine: true },
  ],
})
const conversation = (n: number, preview: Item | null): Conversation => ({
  conversationId: `g:${n}`,
  kind: 'group',
  name: null,
  lastSeq: 1,
  lastTime: 1,
  unread: 0,
  mentions: 0,
  mentionsAll: 0,
  readSeq: 0,
  readOrdinal: 0,
  peerReadSeq: 0,
  pinned: false,
  muted: false,
  draft: null,
  dissolved: false,
  avatar: null,
  preview,
  memberCount: 1,
})
const seqsOf = (items: readonly Item[]) => items.map(({ seq }) => seq)

const alice = { user: 'alice', observes: false }

describe('an answer with large messages', () => {
  it('is cut at its far end, without a hole, and says that there is more', () => {
    const page = pageOf(200)
    const up = boundedPage(page, true)
    expect(seqsOf(up.items)).toEqual(Array.from({ length: up.items.length }, (_, i) => i + 1))
    const down = boundedPage(page, false)
    expect(seqsOf(down.items)).toEqual(
      Array.from({ length: down.items.length }, (_, i) => 201 - down.items.length + i),
    )
    for (const cut of [up, down]) {
      expect(cut.more).toBe(true)
      expect(cut.items.length).toBeGreaterThan(20)
      expect(JSON.stringify(cut).length).toBeLessThan(limits.pageBytesMax * 1.2)
    }
    expect(up.reactions.map(({ seq }) => seq)).toEqual([1])
    expect(down.reactions.map(({ seq }) => seq)).toEqual([200])
  })

  it('that fits stays as it is', () => {
    const page = pageOf(200, 100)
    expect(boundedPage(page, true)).toBe(page)
    expect(boundedPage(page, false)).toBe(page)
  })

  it('of changes ends where the next one begins', () => {
    const { items: changes } = pageOf(200)
    const cut = boundedChanges({ code: null, partial: false, reset: false, changesUpTo: 900, changes })
    expect(cut).toMatchObject({ partial: true, changesUpTo: cut.changes.length })
    expect(cut.changes.length).toBeGreaterThan(20)
  })

  it('that is a list stays whole and leaves previews out', () => {
    const conversations = Array.from({ length: 500 }, (_, i) => conversation(i, message(1)))
    const cut = boundedList({ partial: false, conversations, next: null })
    expect(cut.conversations).toHaveLength(500)
    expect(cut.conversations[0]?.preview).not.toBeNull()
    expect(cut.conversations[499]?.preview).toBeNull()
    expect(JSON.stringify(cut).length).toBeLessThan(limits.pageBytesMax * 1.5)
  })
})

describe('an overview', () => {
  const list = (count: number): ServerFrame => ({
    type: 'conversationsResult',
    id: 7,
    partial: false,
    conversations: Array.from({ length: count }, (_, i) => conversation(i, message(1, 10))),
    next: null,
  })
  const { code: _, ...page } = pageOf(30, 300)
  const history = (n: number): ServerFrame => ({
    type: 'historyResult',
    id: 7,
    conversationId: `g:${n}`,
    ...page,
  })
  const opened = (frames: readonly ServerFrame[]) =>
    frames.map((frame) => {
      if (frame.type !== 'packed') throw new Error(frame.type)
      return inflateRawSync(frame.data).toString('utf8')
    })

  it('is batches of frames as they stand on JSON, the list first, the last one marked', async () => {
    const pages = Array.from({ length: 60 }, (_, i) => history(i))
    const frames = await packed(7, [list(50), ...pages])
    expect(frames.map((frame) => frame.type === 'packed' && frame.last)).toEqual([
      ...frames.slice(1).map(() => false),
      true,
    ])
    const texts = opened(frames)
    for (const text of texts) expect(text.length).toBeLessThan(limits.packedBytesMax * 1.1)
    const inside = texts.flatMap((text) => JSON.parse(text) as ServerFrame[])
    expect(inside.map(({ type }) => type)).toEqual([
      'conversationsResult',
      ...pages.map(() => 'historyResult'),
    ])
    expect(inside[1]).toMatchObject({ id: 7, conversationId: 'g:0', items: expect.any(Array) })
    const bytes = frames.reduce((sum, frame) => sum + (frame.type === 'packed' ? frame.data.length : 0), 0)
    expect(bytes).toBeLessThan(texts.join('').length / 5)
  })

  it('can be opened as the page on the protocol says', () => {
    const page = readFileSync(new URL('../../../docs/protocol.md', import.meta.url), 'utf8')
    const example = page.slice(page.indexOf('<!-- example:overview -->'))
    const [frame, inside] = [...example.matchAll(/```json\n([\s\S]*?)```/g)].map(
      ([, text = '']) => JSON.parse(text) as { data: string },
    )
    const data = inflateRawSync(Buffer.from(frame?.data ?? '', 'base64')).toString('utf8')
    expect(JSON.parse(data)).toEqual(inside)
  })

  it('of a newcomer is one batch', async () => {
    const frames = await packed(7, [list(0)])
    expect(frames).toMatchObject([{ type: 'packed', id: 7, last: true }])
    expect(JSON.parse(opened(frames)[0] ?? '')).toMatchObject([
      { type: 'conversationsResult', conversations: [] },
    ])
  })

  it('leaves the pages that would make it too large to be asked for', async () => {
    const pages = Array.from({ length: 1_000 }, (_, i) => history(i))
    const texts = opened(await packed(7, [list(1), ...pages]))
    const total = texts.join('').length
    expect(total).toBeLessThan(limits.overviewBytesMax * 1.01)
    expect(total).toBeGreaterThan(limits.overviewBytesMax * 0.9)
  })

  it('waits for its turn, and over the limit of those that wait is refused for now', async () => {
    let running = 0
    let most = 0
    const { promise, resolve } = Promise.withResolvers<void>()
    const reads: ReadModels = {
      ...fakeReads,
      async overview(...asked) {
        running += 1
        most = Math.max(most, running)
        await promise
        running -= 1
        return fakeReads.overview(...asked)
      },
    }
    const reading = createReading(reads, silentLog)
    const request = { kind: 'overview', limit: 50, pages: 20 } as const
    const over = limits.overviewsAtOnceMax + limits.overviewsWaitingMax
    const answers = Array.from({ length: over + 1 }, (_, id) => reading.answer(alice, id, request))
    expect(await answers[over]).toMatchObject([{ type: 'error', id: over, code: 'overloaded' }])
    resolve()
    expect((await Promise.all(answers)).filter(([frame]) => frame?.type === 'packed')).toHaveLength(over)
    expect(most).toBe(limits.overviewsAtOnceMax)
  })
})

describe('a read that fails', () => {
  const asked = { kind: 'heads' } as const
  const failing = (error: Error) =>
    createReading({ ...fakeReads, heads: () => Promise.reject(error) }, silentLog).answer(alice, 3, asked)

  it('is answered with its code, and whether to ask again', async () => {
    const down = new Fault('redis_unavailable', 'x', { retriable: true })
    expect(await failing(down)).toMatchObject([
      { type: 'error', id: 3, code: 'unavailable', retryAfterMs: expect.any(Number) },
    ])
    expect(await failing(new TypeError('x'))).toMatchObject([{ type: 'error', id: 3, code: 'internal' }])
  })
})
