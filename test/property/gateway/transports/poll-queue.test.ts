import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  answerOf,
  confirm,
  enqueue,
  newQueue,
  type QueueLimits,
  takeNew,
} from '../../../../gateway/transports/poll-queue.ts'

const runs = Number(process.env.SCHEDULES ?? 10_000)
const limits: QueueLimits = { framesMax: 1_000, bytesMax: 1_000_000, answerBytesMax: 40 }

/** A poll on its way: `late` ones arrive after others that were sent later, `lost` answers never come back. */
type Step =
  | { readonly do: 'push'; readonly bytes: number }
  | { readonly do: 'poll'; readonly lost: boolean }
  | { readonly do: 'repeat'; readonly back: number; readonly lost: boolean }
  | { readonly do: 'send'; readonly count: number; readonly lost: boolean }
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('push' as const), bytes: fc.integer({ min: 1, max: 30 }) }),
  fc.record({ do: fc.constant('poll' as const), lost: fc.boolean() }),
  fc.record({ do: fc.constant('repeat' as const), back: fc.nat(4), lost: fc.boolean() }),
  fc.record({ do: fc.constant('send' as const), count: fc.nat(3), lost: fc.boolean() }),
)

describe('frames of a polling session', () => {
  it('all arrive, each once and in order, whatever polls are lost, repeated or late', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const queue = newQueue()
        const pushed: string[] = []
        const received: string[] = []
        const asked: number[] = []
        let cursor = 0
        const poll = (after: number, lost: boolean) => {
          asked.push(after)
          const before = { ...queue, frames: [...queue.frames] }
          if (!confirm(queue, after)) {
            expect(queue).toEqual(before)
            // Only what is older than something confirmed is refused: the client has gone on.
            expect(after).toBeLessThan(cursor)
            return
          }
          const answer = answerOf(queue, limits)
          expect(answer.cursor - answer.frames.length).toBe(after)
          expect(answer.frames.map(String)).toEqual(pushed.slice(after, answer.cursor))
          if (lost) return
          // As a client must: what it has already is skipped by position.
          const known = cursor - after
          for (const frame of answer.frames.slice(known)) received.push(String(frame))
          cursor = Math.max(cursor, answer.cursor)
        }
        for (const next of steps) {
          if (next.do === 'push') {
            const frame = `${pushed.length}`.padEnd(next.bytes, '.')
            pushed.push(frame)
            expect(enqueue(queue, Buffer.from(frame), limits)).toBe(true)
          } else if (next.do === 'poll') poll(cursor, next.lost)
          else if (next.do === 'repeat') poll(asked.at(-1 - next.back) ?? cursor, next.lost)
          expect(received).toEqual(pushed.slice(0, cursor))
          expect(queue.bytes).toBe(queue.frames.reduce((sum, frame) => sum + frame.length, 0))
          expect(queue.confirmed + queue.frames.length).toBe(pushed.length)
        }
        for (let i = 0; i <= pushed.length && cursor < pushed.length; i++) poll(cursor, false)
        expect(received).toEqual(pushed)
      }),
      { numRuns: Math.min(runs, 2_000) },
    )
  })

  it('of the client are taken each once and in order, whatever answers are lost and frames sent again', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const queue = newQueue()
        const taken: number[] = []
        let made = 0
        /** Sent, and not known to have arrived. */
        let open: number[] = []
        const send = (sent: number, frames: readonly number[], lost: boolean) => {
          const fresh = takeNew(queue, sent, frames)
          if (!fresh) throw new Error('a gap that never was')
          taken.push(...fresh)
          if (!lost) open = open.slice(frames.length)
        }
        for (const next of steps) {
          if (next.do !== 'send') continue
          for (let i = 0; i < next.count; i++) open.push(made++)
          send(made - open.length, open, next.lost)
          expect(taken).toEqual(Array.from({ length: queue.taken }, (_, i) => i))
        }
        send(made - open.length, open, false)
        expect(taken).toEqual(Array.from({ length: made }, (_, i) => i))
        expect(takeNew(queue, made + 1, ['x'])).toBeNull()
      }),
      { numRuns: Math.min(runs, 1_000) },
    )
  })

  it('are refused over the limits, and take no more memory than these', () => {
    const queue = newQueue()
    const small: QueueLimits = { framesMax: 3, bytesMax: 10, answerBytesMax: 4 }
    expect([4, 4, 4].map((bytes) => enqueue(queue, Buffer.alloc(bytes), small))).toEqual([true, true, false])
    expect(enqueue(queue, Buffer.alloc(1), small)).toBe(true)
    expect(enqueue(queue, Buffer.alloc(0), small)).toBe(false)
    expect(confirm(queue, 1)).toBe(false)
    expect(answerOf(queue, small).cursor).toBe(1)
    expect(confirm(queue, 1)).toBe(true)
    expect(confirm(queue, 0)).toBe(false)
    expect(queue.bytes).toBe(5)
  })
})
