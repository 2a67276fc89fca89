import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { ConversationView, Page, Reaction, ViewEvent } from '../../../client/api.ts'
import { eventOf } from '../../../client/events.ts'
import { pageOf } from '../../../client/messages.ts'
import { conversationView } from '../../../client/view.ts'
import type { Item, ServerFrameOf } from '../../../client/wire.ts'
import { answerOf, current, reactionsIn } from '../../support/fake-reads.ts'
import { createRandom } from '../../support/random.ts'

const room = 'g:room'
const users = ['ann', 'bob', 'cid']
const emojis = ['👍', '❤️']

const deed = fc.record({
  // Not a double: most doubles below 1 lie next to 0.
  dice: fc.integer({ min: 0, max: 99 }).map((percent) => percent / 100),
  by: fc.constantFrom(...users),
  target: fc.nat(),
  emoji: fc.constantFrom(...emojis),
})
type Deed = typeof deed extends fc.Arbitrary<infer D> ? D : never

/** What happened in a conversation. `toggled`: a reaction always changes something. */
function history(deeds: readonly Deed[], toggled: boolean): Item[] {
  const items: Item[] = []
  for (const { dice, by, target, emoji } of deeds) {
    const live = current(items, items.length).filter(
      ({ kind, content }) => kind === 'message' && content !== null,
    )
    const targetSeq = live[target % Math.max(1, live.length)]?.seq
    const seq = items.length + 1
    const item = {
      ...{ conversationId: room, seq, ordinal: seq, time: seq, senderId: by, packId: `${seq}` },
      ...{ mentions: [], mentionAll: false, members: [] },
    }
    const content = { contentType: 'text', content: { text: `at ${seq}` } }
    if (targetSeq === undefined || dice < 0.35)
      items.push({ ...item, ...content, kind: 'message', replyTo: targetSeq })
    else if (dice < 0.5) items.push({ ...item, ...content, kind: 'edited', targetSeq })
    else if (dice < 0.58) items.push({ ...item, kind: 'recalled', targetSeq })
    else if (dice < 0.62) items.push({ ...item, kind: 'groupSet', value: '{}' })
    else {
      const has = reactionsIn(items, items.length).get(targetSeq)?.get(emoji)?.has(by) ?? false
      const on = toggled ? !has : dice < 0.85
      items.push({ ...item, kind: 'reacted', targetSeq, value: emoji, on })
    }
  }
  return items
}

/** The page of the first `to` items that a server gave when the conversation had come to `head`. */
function pageAt(items: readonly Item[], head: number, before: number): Page {
  const platform = {
    streams: new Map([[room, items.slice(0, head)]]),
    groups: new Map([[room, new Map(users.map((user) => [user, 1]))]]),
    ...{
      committed: new Map(),
      devices: new Map(),
      syncFloor: new Map(),
      away: new Map(),
      syncMax: 0,
      random: () => 0,
    },
  }
  const question = { type: 'history' as const, id: 1, conversationId: room, before, limit: 10 }
  return pageOf(answerOf(platform, 'bob', question, false) as ServerFrameOf<'historyResult'>)
}

function tell(view: ConversationView, item: Item): void {
  const told = eventOf(item, 'bob')
  if (told && ['message', 'recalled', 'edited', 'reaction'].includes(told[0]))
    view.apply(told[0] as ViewEvent, told[1] as never)
}

/** Counted from all that happened, without any of the client's code but the form. */
function expected(items: readonly Item[]) {
  const reactions = reactionsIn(items, items.length)
  return current(items, items.length)
    .filter(({ kind }) => kind === 'message')
    .map(({ seq, content, contentType, targetSeq, replyTo }) => ({
      seq,
      content: content ? { ...(content as object), type: contentType } : null,
      changedBy: targetSeq ?? null,
      replyTo: replyTo ?? null,
      reactions: [...(reactions.get(seq) ?? [])]
        .map(([emoji, of]): Reaction => ({ emoji, count: of.size, mine: of.has('bob') }))
        .sort((a, b) => (a.emoji < b.emoji ? -1 : 1)),
    }))
}
const shown = (view: ConversationView) =>
  view.messages().map(({ seq, content, changedBy, replyTo, reactions }) => ({
    seq,
    content,
    changedBy,
    replyTo,
    reactions,
  }))

const pages = fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 6, size: 'max' })
const deeds = fc.array(fc.noBias(deed), { minLength: 1, maxLength: 60, size: 'max' })

describe('a view of a conversation', () => {
  test('comes to the same state in whatever order its events and pages arrive, however often', () => {
    let orphans = 0
    fc.assert(
      fc.property(deeds, pages, fc.integer(), (done, read, seed) => {
        const items = history(done, false)
        const view = conversationView(room, 'bob')
        const again = items.filter((_, i) => i % 3 === 0).map((item) => ({ ...item }))
        const arrivals: (Item | Page)[] = [...items, ...again]
        for (const [head, before] of read)
          arrivals.push(pageAt(items, head % (items.length + 1), (before % (items.length + 1)) + 1))
        const random = createRandom(seed)
        const order = new Map(arrivals.map((arrival) => [arrival, random.next()]))
        arrivals.sort((a, b) => (order.get(a) ?? 0) - (order.get(b) ?? 0))
        for (const arrival of arrivals) {
          if ('messages' in arrival) view.applyPage(arrival)
          else {
            if (arrival.targetSeq && !view.message(arrival.targetSeq)) orphans += 1
            tell(view, arrival)
          }
        }
        expect(shown(view)).toEqual(expected(items))
      }),
      { numRuns: 500 },
    )
    // Void if no change ever came before its message.
    expect(orphans).toBeGreaterThan(100)
  })

  test('goes on from a page as if it had seen all that came before', () => {
    fc.assert(
      fc.property(deeds, fc.nat(), (done, at) => {
        const items = history(done, true)
        const head = at % (items.length + 1)
        const view = conversationView(room, 'bob')
        const page = pageAt(items, head, head + 1)
        view.applyPage(page)
        for (const item of items.slice(head)) tell(view, item)
        expect(shown(view)).toEqual(
          expected(items).filter(({ seq }) => seq > head || (seq >= page.firstSeq && page.firstSeq > 0)),
        )
      }),
      { numRuns: 300 },
    )
  })
})
