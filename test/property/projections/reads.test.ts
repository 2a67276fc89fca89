import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ALWAYS, intervalsOf, mayRead, parseFacts } from '../../../projections/directory/membership.ts'
import { inbox } from '../../../projections/inbox/project.ts'
import { baseOf, unreadOf } from '../../../projections/inbox/unread.ts'
import type { Accepted } from '../../../projections/projection.ts'
import { cursorText, isAfter, type Place, parseCursor } from '../../../projections/reads/cursor.ts'
import { bytesOf, pageOf, rangeOf } from '../../../projections/reads/page.ts'
import type { Item } from '../../../schemas/frames.ts'
import { hiddenItem } from '../../../schemas/item.ts'
import { limits } from '../../../schemas/limits.ts'
import { histories, type InboxStore, play } from '../../support/projections/unread.ts'

/** What is kept for one reader of one group, as plain sets. The scripts are held to the same in test/integration. */
function inboxStore(): InboxStore {
  const own = new Set<number>()
  const recalled = new Map<number, string>()
  const named = new Map<number, { seq: number; users: readonly string[]; all: boolean; author: string }>()
  let read = { seq: 0, ordinal: 0 }
  return {
    apply(record: Accepted) {
      for (const write of inbox.project(record)) {
        if (write.kind === 'own' && write.user === 'me') own.add(write.ordinal)
        else if (write.kind === 'recalled') recalled.set(write.ordinal, write.author)
        else if (write.kind === 'mentioned' && write.seq > (named.get(write.ordinal)?.seq ?? 0))
          named.set(write.ordinal, write)
        else if (write.kind === 'read' && write.seq > read.seq) read = write
      }
    },
    counts(headOrdinal, joinOrdinal) {
      const base = baseOf({ readOrdinal: read.ordinal, joinOrdinal })
      const counts = (ordinal: number) => ordinal > base && ordinal <= headOrdinal
      const live = [...named].filter(([ordinal]) => counts(ordinal) && !recalled.has(ordinal))
      return {
        unread: unreadOf({
          headOrdinal,
          base,
          own: [...own].filter(counts).length,
          recalled: [...recalled.keys()].filter(counts).length,
          ownRecalled: [...recalled].filter(([ordinal, author]) => counts(ordinal) && author === 'me').length,
        }),
        mentions: live.filter(([, { users }]) => users.includes('me')).length,
        mentionsAll: live.filter(([, { all, author }]) => all && author !== 'me').length,
      }
    },
  }
}

describe('unread', () => {
  test('equals a plain set of unread messages, through recalls, edited mentions, reading elsewhere, leaving and coming back', async () => {
    await fc.assert(
      fc.asyncProperty(histories, (history) => play('g:1', history, inboxStore())),
      { numRuns: 2_000 },
    )
  })
})

describe('the list of conversations', () => {
  const place = fc.record({
    pinned: fc.boolean(),
    time: fc.nat(5),
    conversationId: fc.constantFrom('g:1', 'g:2', 'p2p:a:b', 'p2p:a:c', 'g:3'),
  })
  const places = fc.uniqueArray(place, { selector: ({ conversationId }) => conversationId, maxLength: 5 })

  test('read page by page holds each once and in its order, whatever the ties', () => {
    fc.assert(
      fc.property(places, fc.integer({ min: 1, max: 3 }), (all, size) => {
        const sorted = [...all].sort((a, b) => (isAfter(a, b) ? 1 : -1))
        const paged: typeof all = []
        for (let cursor: string | null = null; ; ) {
          const from = parseCursor(cursor)
          const below = from ? sorted.filter((one) => isAfter(one, from)) : sorted
          paged.push(...below.slice(0, size))
          if (below.length <= size) break
          cursor = cursorText(below[size - 1] as Place)
        }
        expect(paged).toEqual(sorted)
        for (const [i, one] of sorted.entries())
          for (const later of sorted.slice(i + 1)) {
            expect(later.pinned && !one.pinned).toBe(false)
            if (later.pinned === one.pinned) expect(later.time).toBeLessThanOrEqual(one.time)
          }
      }),
    )
  })

  test('begins at its top where the place to go on from is no place', () => {
    const text = fc.oneof(fc.string(), fc.string({ minLength: 250, maxLength: 400 }), fc.constant(null))
    fc.assert(
      fc.property(text, (cursor) => {
        const place = parseCursor(cursor)
        if (place) expect(cursorText(place)).toBe(cursor)
      }),
    )
    expect(parseCursor('')).toBeNull()
    expect(parseCursor('2.5.g:1')).toBeNull()
    expect(parseCursor(`0.5.${'x'.repeat(300)}`)).toBeNull()
  })
})

const item = (seq: number): Item => ({ ...hiddenItem('g:1', seq), kind: 'message' })

describe('a page', () => {
  test('has no hole, no duplicate, nothing beyond the membership, and says partial when something is missing', () => {
    const facts = fc.uniqueArray(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 7 })
    const ask = fc.record({
      before: fc.option(fc.integer({ min: -2, max: 70 })),
      after: fc.option(fc.integer({ min: -2, max: 70 })),
      limit: fc.option(fc.integer({ min: -1, max: 40 })),
    })
    const missing = fc.uniqueArray(fc.integer({ min: 1, max: 60 }), { maxLength: 5 })
    fc.assert(
      fc.property(facts, ask, missing, (seqs, asked, gone) => {
        const text = [...seqs].sort((a, b) => a - b).map((seq, i) => `${i % 2 === 0 ? '+' : '-'}${seq}:0`)
        const intervals = intervalsOf(parseFacts(text.join(',')))
        const range = rangeOf(asked, intervals, 60)
        const found = new Map<number, Item>()
        for (let seq = 1; seq <= 60; seq++) if (!gone.includes(seq)) found.set(seq, item(seq))
        const page = pageOf('g:1', range, intervals, found)
        for (const [i, { seq, kind }] of page.items.entries()) {
          expect(seq).toBe((page.items[0] as Item).seq + i)
          expect(seq >= range.fromSeq && seq <= range.toSeq).toBe(true)
          expect(kind).toBe(mayRead(intervals, seq) ? 'message' : 'hidden')
        }
        const wanted = Math.max(0, range.hi - range.lo + 1)
        expect(page.partial).toBe(page.items.length < wanted)
        if (!page.partial && page.items.length > 0) {
          const end = range.direction === 'up' ? page.items.at(-1)?.seq : page.items[0]?.seq
          expect(page.more).toBe(range.direction === 'up' ? end !== range.toSeq : end !== range.fromSeq)
        }
      }),
      { numRuns: 3_000 },
    )
  })

  test('of long messages ends where its bytes do, and the pages after it go on there', () => {
    const lengths = fc.array(fc.integer({ min: 0, max: limits.contentBytesMax }), {
      minLength: 200,
      maxLength: 200,
    })
    fc.assert(
      fc.property(lengths, fc.boolean(), (all, up) => {
        const found = new Map<number, Item>()
        for (const [i, length] of all.entries())
          found.set(i + 1, { ...item(i + 1), content: 'x'.repeat(length) })
        const seen: number[] = []
        for (let at: number | null = null; ; ) {
          const range = rangeOf({ limit: 200, ...(up ? { after: at ?? 0 } : { before: at }) }, ALWAYS, 200)
          const page = pageOf('g:1', range, ALWAYS, found)
          expect(page.partial).toBe(false)
          const bytes = page.items.reduce((sum, one) => sum + bytesOf(one), 0)
          expect(page.items.length === 1 || bytes <= limits.pageBytesMax).toBe(true)
          const seqs = page.items.map(({ seq }) => seq)
          seen.push(...(up ? seqs : seqs.reverse()))
          if (!page.more) break
          at = seen.at(-1) as number
        }
        const expected = all.map((_, i) => i + 1)
        expect(seen).toEqual(up ? expected : expected.reverse())
      }),
      { numRuns: 30 },
    )
  })
})
