import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ALWAYS, intervalsOf, mayRead, parseFacts } from '../../../projections/directory/membership.ts'
import { EVERYONE, inbox } from '../../../projections/inbox/project.ts'
import { unreadAmong, unreadOf } from '../../../projections/inbox/unread.ts'
import type { Accepted } from '../../../projections/projection.ts'
import { cursorText, isAfter, type Place, parseCursor } from '../../../projections/reads/cursor.ts'
import { bytesOf, pageOf, rangeOf } from '../../../projections/reads/page.ts'
import type { Item } from '../../../schemas/frames.ts'
import { hiddenItem } from '../../../schemas/item.ts'
import { limits } from '../../../schemas/limits.ts'
import { accepted, target as targetFacts } from '../../support/projections/accepted.ts'

type Step =
  | { kind: 'message' | 'edit'; own: boolean; pick: number; me: boolean; all: boolean }
  | { kind: 'recall' | 'read'; pick: number; device: boolean }
  | { kind: 'leave' | 'join' }

const picked = { pick: fc.nat(), own: fc.boolean(), me: fc.boolean(), all: fc.boolean() }
const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('message' as const), ...picked }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('edit' as const), ...picked }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom('recall' as const, 'read' as const),
      pick: fc.nat(),
      device: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('leave' as const, 'join' as const) }) },
)

/** What is kept for one reader of one group, by the projection. */
function inboxStore() {
  const own: number[] = []
  const recalled: number[] = []
  const named = new Map<number, readonly string[]>()
  let read = { seq: 0, ordinal: 0 }
  return {
    apply(record: Accepted) {
      for (const write of inbox.project(record)) {
        if (write.kind === 'own' && write.user === 'me') own.push(write.ordinal)
        else if (write.kind === 'recalled') recalled.push(write.ordinal)
        else if (write.kind === 'mentioned') named.set(write.ordinal, write.users)
        else if (write.kind === 'read' && write.seq > read.seq) read = write
      }
    },
    counts(headOrdinal: number, joinOrdinal: number) {
      const of = { headOrdinal, readOrdinal: read.ordinal, joinOrdinal, own, recalled }
      const naming = (user: string) => [...named].flatMap(([at, users]) => (users.includes(user) ? [at] : []))
      return {
        unread: unreadOf(of),
        mentions: unreadAmong(of, naming('me')),
        mentionsAll: unreadAmong(of, naming(EVERYONE)),
      }
    },
  }
}

describe('unread', () => {
  test('equals a plain set of unread messages, through recalls, edited mentions, reading elsewhere, leaving and coming back', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (all: Step[]) => {
        const store = inboxStore()
        /** Ids of unread messages, and whom each message names now. */
        const unread = new Set<string>()
        const messages: { id: string; seq: number; me: boolean; all: boolean; recalled: boolean }[] = []
        let member = true
        let [seq, joined, visible, readUpTo] = [0, 0, 0, 0]
        const say = (type: 'MessageSent' | 'MessageEdited' | 'MessageRecalled', by: string, fields: object) =>
          store.apply(accepted({ stream: 'g:1', seq, ordinal: messages.length, sender: by }, type, fields))
        for (const step of all) {
          const target = 'pick' in step ? messages[step.pick % Math.max(1, messages.length)] : undefined
          const targetOf = () => {
            const ordinal = messages.indexOf(target as (typeof messages)[number]) + 1
            return { target: { ...targetFacts(target?.seq ?? 0), ordinal } }
          }
          if (step.kind === 'message') {
            const mine = member && step.own
            messages.push({ id: `m${++seq}`, seq, me: step.me, all: step.all, recalled: false })
            const mentions = step.me ? ['me', 'you'] : ['you']
            say('MessageSent', mine ? 'me' : 'you', { mentions, mentionAll: step.all })
            if (member && !mine && seq > readUpTo) unread.add(`m${seq}`)
          } else if (step.kind === 'edit' && target && !target.recalled) {
            seq++
            say('MessageEdited', 'you', {
              ...targetOf(),
              mentions: step.me ? ['me'] : [],
              mentionAll: step.all,
            })
            Object.assign(target, { me: step.me, all: step.all })
          } else if (step.kind === 'recall' && target && !target.recalled) {
            seq++
            say('MessageRecalled', 'you', targetOf())
            target.recalled = true
            unread.delete(target.id)
          } else if (step.kind === 'read' && target) {
            const ordinal = messages.indexOf(target) + 1
            const mark = { conversationId: 'g:1', seq: target.seq, ordinal }
            store.apply(accepted({ stream: 'u:me', sender: 'me' }, 'ReadMarked', mark))
            readUpTo = Math.max(readUpTo, target.seq)
            for (const message of messages) if (message.seq <= readUpTo) unread.delete(message.id)
          } else if (step.kind === 'leave') member = false
          else if (step.kind === 'join' && !member) {
            member = true
            joined = messages.length
            unread.clear()
          }
          if (member) visible = messages.length
          const left = messages.filter(({ id }) => unread.has(id))
          expect(store.counts(visible, joined)).toEqual({
            unread: unread.size,
            mentions: left.filter(({ me }) => me).length,
            mentionsAll: left.filter(({ all: everyone }) => everyone).length,
          })
        }
      }),
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
