import { expect, test } from 'vitest'
import { createEmitter } from '../../../client/emitter.ts'
import { createStreams } from '../../../client/streams.ts'
import type { Item } from '../../../client/wire.ts'

const room = 'g:room'
const event = (seq: number, fields: Partial<Item>): Item => ({
  ...{ conversationId: room, seq, ordinal: 1, senderId: 'ann', packId: `${seq}`, time: seq },
  ...{
    kind: 'message',
    contentType: 'text',
    content: { text: `${seq}` },
    members: [],
    mentions: [],
    mentionAll: false,
  },
  ...fields,
})
const edit = (seq: number) => event(seq, { kind: 'edited', targetSeq: 1 })

/** Of a client whose handlers are there, in a room that had come to `seq` before it. */
function began(seq: number) {
  const emitter = createEmitter((error) => {
    throw error
  })
  const nothing = () => {}
  const streams = createStreams({
    ...{ emitter, userId: () => 'bob', moved: nothing, baseline: nothing },
    ...{ behind: nothing, seen: nothing, ownJumped: nothing },
  })
  const head = { conversationId: room, seq, ordinal: seq, fromSeq: 1, toSeq: null }
  streams.heads({ type: 'headsResult', id: 1, partial: false, heads: [head] })
  streams.release()
  return { emitter, streams }
}

test('an edit that comes in its turn does not undo a newer one that was told before its own', () => {
  const told: number[] = []
  const { emitter, streams } = began(1)
  emitter.on('edited', ({ seq }) => void told.push(seq))
  const log = streams.logs.get(room)
  if (!log) throw new Error('no log')
  const page = { messages: [], group: [], more: false, partial: false, firstSeq: 1, lastSeq: 1, headSeq: 1 }
  streams.pageRead(room, page)
  streams.changes(log, [edit(2)])
  // Its message came once more, as it was before the edit: what was told of it counts for nothing.
  streams.pageRead(room, page)
  streams.changes(log, [edit(4)])
  streams.pushed(edit(2))
  streams.pushed(event(3, {}))
  streams.pushed(edit(4))
  expect(told).toEqual([2, 4])
})

test('a message that waited behind a gap is not shown as it was before a recall or an edit that waits with it', () => {
  const told: unknown[] = []
  const { emitter, streams } = began(0)
  emitter.on('message', ({ seq, content }) => void told.push([seq, content]))
  emitter.on('recalled', ({ targetSeq }) => void told.push(['recalled', targetSeq]))
  streams.pushed(event(2, {}))
  streams.pushed(event(3, {}))
  streams.pushed(event(4, { kind: 'recalled', targetSeq: 2, content: null, contentType: null }))
  streams.pushed(event(5, { kind: 'edited', targetSeq: 3, content: { text: 'new' } }))
  expect(told).toEqual([])
  streams.pushed(event(1, {}))
  expect(told).toEqual([
    [1, { type: 'text', text: '1' }],
    [2, null],
    [3, { type: 'text', text: 'new' }],
    ['recalled', 2],
  ])
})

test('an edit that waited is not told where its message was shown as it stands after a later recall', () => {
  const told: unknown[] = []
  const { emitter, streams } = began(0)
  emitter.on('message', ({ seq, content }) => void told.push([seq, content]))
  emitter.on('edited', ({ targetSeq }) => void told.push(['edited', targetSeq]))
  emitter.on('recalled', ({ targetSeq }) => void told.push(['recalled', targetSeq]))
  streams.pushed(event(2, {}))
  streams.pushed(event(3, { kind: 'edited', targetSeq: 2, content: { text: 'better' } }))
  streams.pushed(event(4, { kind: 'recalled', targetSeq: 2, content: null, contentType: null }))
  streams.pushed(event(1, {}))
  expect(told).toEqual([
    [1, { type: 'text', text: '1' }],
    [2, null],
    ['recalled', 2],
  ])
})
