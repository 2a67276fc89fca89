import { expect, test } from 'vitest'
import { overview } from '../../../projections/reads/overview.ts'
import type { HistoryAnswer } from '../../../projections/reads.ts'
import type { Conversation } from '../../../schemas/frames.ts'
import { Fault } from '../../../schemas/ports.ts'

const page: HistoryAnswer = {
  code: null,
  partial: false,
  fromSeq: 1,
  toSeq: 1,
  more: false,
  items: [],
  reactions: [],
}

/** Read models with so many conversations; those in `away` cannot be read. */
function given(count: number, away: readonly number[] = []) {
  const asked: string[] = []
  let [running, most] = [0, 0]
  const reads = {
    conversations: async (_user: string, { limit }: { limit?: number | null }) => ({
      partial: false,
      conversations: Array.from({ length: Math.min(count, limit ?? 50) }, (_, i) => ({
        conversationId: `g:${i}`,
      })) as Conversation[],
      next: null,
    }),
    history: async (_user: string, id: string) => {
      asked.push(id)
      most = Math.max(most, ++running)
      await new Promise((resolve) => setImmediate(resolve))
      running--
      if (away.includes(Number(id.slice(2)))) throw new Fault('unavailable', 'away', { retriable: true })
      return page
    },
  }
  return { reads, asked, most: () => most }
}

const idsOf = ({ pages }: Awaited<ReturnType<typeof overview>>) =>
  pages.map(({ conversationId }) => conversationId)

test('an overview has the newest page of the first conversations, in the order of the list', async () => {
  const { reads } = given(50)
  const answer = await overview(reads, 'ann', { pages: 7 })
  expect(answer.conversations.conversations).toHaveLength(50)
  expect(idsOf(answer)).toEqual(Array.from({ length: 7 }, (_, i) => `g:${i}`))
})

test('an overview reads a few pages at a time, each once', async () => {
  const { reads, asked, most } = given(100)
  await overview(reads, 'ann', { limit: 100, pages: 100 })
  expect(asked).toHaveLength(100)
  expect(new Set(asked).size).toBe(100)
  expect(most()).toBeLessThanOrEqual(4)
})

test('an overview leaves out what cannot be read now', async () => {
  const { reads } = given(5, [0, 3])
  expect(idsOf(await overview(reads, 'ann', {}))).toEqual(['g:1', 'g:2', 'g:4'])
})

test('an overview of pages nobody wants is the list alone', async () => {
  const { reads, asked } = given(5)
  expect(idsOf(await overview(reads, 'ann', { pages: 0 }))).toEqual([])
  expect(asked).toEqual([])
})
