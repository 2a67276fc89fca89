/** Changes that are told before the messages they change: a sync can outrun what was pushed and waits behind a gap. */
import { expect, test } from 'vitest'
import { createEmitter } from '../../../client/emitter.ts'
import { createStreams } from '../../../client/streams.ts'
import type { Item } from '../../../client/wire.ts'

const item = (seq: number, kind: Item['kind'], more: Partial<Item> = {}): Item =>
  ({
    conversationId: 'p2p:ann:bob',
    ...{ seq, kind, ordinal: seq, time: seq, senderId: 'ann', packId: null, replyTo: null, targetSeq: null },
    ...{
      contentType: 'text',
      content: { text: `text ${seq}` },
      mentions: [],
      mentionAll: false,
      members: [],
    },
    ...more,
  }) as Item

function following() {
  const told: string[] = []
  const emitter = createEmitter((error) => {
    throw error
  })
  const streams = createStreams({
    emitter,
    userId: () => 'bob',
    moved: () => {},
    baseline: () => {},
    behind: () => {},
    seen: () => {},
    ownJumped: () => {},
  })
  emitter.on(
    'message',
    ({ seq, content }) => void told.push(`message ${seq}: ${content?.text ?? 'recalled'}`),
  )
  emitter.on('recalled', ({ targetSeq }) => void told.push(`recalled ${targetSeq}`))
  emitter.on('edited', ({ targetSeq, content }) => void told.push(`edited ${targetSeq}: ${content?.text}`))
  streams.heads({ type: 'headsResult', id: 1, partial: false, heads: [] })
  return { streams, told }
}

test('what waits behind a gap goes out as it stands after a recall and an edit that were told meanwhile', () => {
  const { streams, told } = following()
  streams.release()
  streams.pushed(item(1, 'message'))
  // 2 is missing.
  for (const seq of [3, 4, 5]) streams.pushed(item(seq, 'message'))
  const recalled = item(6, 'recalled', { targetSeq: 3, contentType: null, content: null })
  const edited = item(7, 'edited', { targetSeq: 4, content: { text: 'mended' } })
  const log = streams.logs.get('p2p:ann:bob')
  if (!log) throw new Error('it follows nothing')
  streams.changes(log, [recalled, edited])
  streams.pushed(item(2, 'message'))
  for (const change of [recalled, edited]) streams.pushed(change)
  expect(told).toEqual([
    'message 1: text 1',
    'recalled 3',
    'edited 4: mended',
    'message 2: text 2',
    'message 3: recalled',
    'message 4: mended',
    'message 5: text 5',
  ])
})

test('a message that is held back until the handlers are there goes out as it stands after its recall', () => {
  const { streams, told } = following()
  streams.pushed(item(1, 'message'))
  const log = streams.logs.get('p2p:ann:bob')
  if (!log) throw new Error('it follows nothing')
  streams.changes(log, [item(2, 'recalled', { targetSeq: 1, contentType: null, content: null })])
  streams.release()
  expect(told).toEqual(['recalled 1', 'message 1: recalled'])
})

test('a later version than the change that was told stays', () => {
  const { streams, told } = following()
  streams.release()
  streams.pushed(item(1, 'message'))
  const log = streams.logs.get('p2p:ann:bob')
  if (!log) throw new Error('it follows nothing')
  streams.changes(log, [item(3, 'edited', { targetSeq: 2, content: { text: 'second' } })])
  streams.pushed(item(2, 'message', { targetSeq: 4, content: { text: 'third' } }))
  expect(told.at(-1)).toBe('message 2: third')
})

test('what was pushed before a connection broke, and waits behind a gap, is read again: a recall may have passed it by', () => {
  const { streams, told } = following()
  streams.release()
  streams.pushed(item(1, 'message'))
  // 2 is missing.
  for (const seq of [3, 4]) streams.pushed(item(seq, 'message'))
  streams.disconnected()
  const log = streams.logs.get('p2p:ann:bob')
  if (!log) throw new Error('it follows nothing')
  expect(log).toMatchObject({ position: 1, target: 4 })
  // Recalled while nobody told us, and not yet known when the gap is closed by a short page.
  const page = { firstSeq: 2, lastSeq: 2, headSeq: 5, fromSeq: 1, more: true, partial: false }
  streams.page(log, {
    type: 'historyResult',
    id: 2,
    conversationId: 'p2p:ann:bob',
    items: [item(2, 'message')],
    ...page,
  } as never)
  expect(told).toEqual(['message 1: text 1', 'message 2: text 2'])
  streams.pushed(item(3, 'message', { contentType: null, content: null, targetSeq: 5 }))
  expect(told.at(-1)).toBe('message 3: recalled')
})
