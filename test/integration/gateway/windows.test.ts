/** The windows for recalling and editing, set otherwise than they are by themselves. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { limits } from '../../../schemas/limits.ts'
import { type Answered, type Pipeline, startPipeline } from '../../support/pipeline.ts'

let world: Pipeline
beforeAll(async () => {
  world = await startPipeline(1, { recallMs: 900_000, editMs: 30_000 })
})
afterAll(() => world?.stop())

const CHAT = 'p2p:alice:bob'
const text = { contentType: 'text', content: { text: 'hi' }, mentions: [], mentionAll: false }
const said = (answer: Answered) => (answer.type === 'rejected' ? answer.code : answer.type)

it('are told at login and held to', async () => {
  const alice = await world.online('alice')
  expect(alice.frames.find(({ type }) => type === 'welcome')).toMatchObject({
    recallWindowMs: 900_000,
    editWindowMs: 30_000,
  })
  expect(said(await alice.tell({ type: 'send', conversationId: CHAT, ...text }))).toBe('committed')
  world.skew(limits.recallWindowMs + 1_000)
  expect(said(await alice.tell({ type: 'edit', conversationId: CHAT, seq: 1, ...text }))).toBe('too_old')
  expect(said(await alice.tell({ type: 'recall', conversationId: CHAT, seq: 1 }))).toBe('committed')
})
