import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  acknowledge,
  newPushState,
  type PushedEvent,
  type PushLimits,
  push,
  resend,
} from '../../../gateway/push.ts'
import { hiddenItem } from '../../../schemas/item.ts'

const limits: PushLimits = {
  framesMax: 1_000,
  bytesMax: 1_000_000,
  streamsMax: 100,
  ackTimeoutMs: 10,
  resendsMax: 1_000,
}
const streams = ['g:a', 'g:b', 'u:x'] as const
const event = (conversationId: string, seq: number): PushedEvent => ({
  item: hiddenItem(conversationId, seq),
  bytes: 7,
})

type Step =
  | { readonly do: 'push'; readonly stream: number; readonly back: number }
  | { readonly do: 'ack'; readonly stream: number; readonly seq: number }
  | { readonly do: 'wait'; readonly ms: number }
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('push' as const), stream: fc.nat(2), back: fc.nat(2) }),
  fc.record({ do: fc.constant('ack' as const), stream: fc.nat(2), seq: fc.nat(40) }),
  fc.record({ do: fc.constant('wait' as const), ms: fc.nat(25) }),
)

describe('pushes to one connection', () => {
  it('none is lost before its ack, first pushes are in seq order, and the window is what was pushed and not acked', () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 120 }),
        fc.double({ min: 0, max: 0.9, noNaN: true }),
        (steps, loss) => {
          const state = newPushState<PushedEvent>()
          const last = new Map<string, number>()
          const model = new Map<string, Set<number>>(streams.map((id) => [id, new Set()]))
          const received = new Map<string, Set<number>>(streams.map((id) => [id, new Set()]))
          let now = 0
          let coin = 0
          const wire = (events: readonly PushedEvent[]) => {
            for (const { item } of events) {
              coin = (coin * 31 + 17) % 101
              if (coin / 101 >= loss) received.get(item.conversationId)?.add(item.seq)
            }
          }
          for (const next of steps) {
            const id = streams['stream' in next ? next.stream : 0] ?? 'g:a'
            if (next.do === 'push') {
              const seq = Math.max(1, (last.get(id) ?? 0) + 1 - next.back)
              const verdict = push(state, event(id, seq), now, limits)
              expect(verdict).toBe(seq > (last.get(id) ?? 0) ? 'send' : 'drop')
              if (verdict === 'send') {
                last.set(id, seq)
                model.get(id)?.add(seq)
                wire([event(id, seq)])
              }
            } else if (next.do === 'ack') {
              // A client acks only what it holds without a hole.
              let upTo = 0
              while (upTo < next.seq && received.get(id)?.has(upTo + 1)) upTo += 1
              acknowledge(state, id, upTo)
              for (const seq of [...(model.get(id) ?? [])]) if (seq <= upTo) model.get(id)?.delete(seq)
            } else {
              now += next.ms
              const due = resend(state, now, limits)
              if (due.kind === 'resend') {
                for (const stream of streams) {
                  const seqs = due.events
                    .filter((e) => e.item.conversationId === stream)
                    .map((e) => e.item.seq)
                  expect(seqs).toEqual([...seqs].sort((a, b) => a - b))
                }
                wire(due.events)
              }
            }
            const size = [...model.values()].reduce((sum, seqs) => sum + seqs.size, 0)
            expect(state.count).toBe(size)
            expect(state.bytes).toBe(7 * size)
          }
          // Once the wire is good and the client acks, everything pushed has been received.
          for (const [id, seqs] of model) {
            const unacked = state.streams.get(id)?.unacked.map(({ event }) => event.item.seq) ?? []
            expect(unacked).toEqual([...seqs].sort((a, b) => a - b))
          }
          now += limits.ackTimeoutMs
          const rest = resend(state, now, limits)
          const again = rest.kind === 'resend' ? rest.events.length : 0
          expect(again).toBe(state.count)
        },
      ),
      { numRuns: 2_000 },
    )
  })
})
