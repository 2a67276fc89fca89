import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { intervalsOf, mayRead, parseFacts } from '../../../projections/directory/membership.ts'
import { unreadOf } from '../../../projections/inbox/unread.ts'
import { pageOf, rangeOf } from '../../../projections/reads/page.ts'
import type { Item } from '../../../schemas/frames.ts'
import { hiddenItem } from '../../../schemas/item.ts'

type Step =
  | { kind: 'message'; own: boolean }
  | { kind: 'recall'; pick: number }
  | { kind: 'read'; pick: number }
  | { kind: 'leave' }
  | { kind: 'join' }

const steps = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: fc.record({ kind: fc.constant('message' as const), own: fc.boolean() }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('recall' as const), pick: fc.nat() }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('read' as const), pick: fc.nat() }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('leave' as const) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('join' as const) }) },
  ),
  { maxLength: 80 },
)

describe('unread', () => {
  test('equals a plain set of unread messages: add, count, remove', () => {
    fc.assert(
      fc.property(steps, (all: Step[]) => {
        const plain = new Set<number>()
        let member = true
        let [head, visible, read, joined] = [0, 0, 0, 0]
        const own: number[] = []
        const recalled: number[] = []
        for (const step of all) {
          if (step.kind === 'message') {
            head++
            if (member && step.own) own.push(head)
            else if (member && head > read) plain.add(head)
          } else if (step.kind === 'recall' && head > 0) {
            recalled.push(1 + (step.pick % head))
            plain.delete(1 + (step.pick % head))
          } else if (step.kind === 'read' && head > 0) {
            read = Math.max(read, 1 + (step.pick % head))
            for (const ordinal of plain) if (ordinal <= read) plain.delete(ordinal)
          } else if (step.kind === 'leave' && member) member = false
          else if (step.kind === 'join' && !member) {
            member = true
            joined = head
            plain.clear()
          }
          if (member) visible = head
          const counted = unreadOf({
            headOrdinal: visible,
            readOrdinal: read,
            joinOrdinal: joined,
            own,
            recalled,
          })
          expect(counted).toBe(plain.size)
        }
      }),
      { numRuns: 2_000 },
    )
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
})
