/** What may happen to one reader of one group, and what is unread to him by a plain set of ids: any store of the inbox must count the same. */
import fc from 'fast-check'
import { expect } from 'vitest'
import type { Accepted } from '../../../projections/projection.ts'
import type { EventPayload } from '../../../schemas/records.ts'
import { accepted, target as targetFacts } from './accepted.ts'

type Step =
  | { kind: 'message' | 'edit'; own: boolean; pick: number; me: boolean; all: boolean }
  | { kind: 'recall' | 'read' | 'again'; pick: number }
  | { kind: 'leave' | 'join' }

const picked = { pick: fc.nat(), own: fc.boolean(), me: fc.boolean(), all: fc.boolean() }
const aimed = (...kinds: readonly ('recall' | 'read' | 'again')[]) =>
  fc.record({ kind: fc.constantFrom(...kinds), pick: fc.nat() })
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('message' as const), ...picked }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('edit' as const), ...picked }) },
  { weight: 4, arbitrary: aimed('recall', 'read') },
  { weight: 1, arbitrary: aimed('again') },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('leave' as const, 'join' as const) }) },
)

/** `before`: messages that there were before he joined for the first time. */
export const histories = fc.record({
  before: fc.constantFrom(0, 3, 505, 1_020),
  steps: fc.array(step, { maxLength: 80 }),
})

export interface Counts {
  readonly unread: number
  readonly mentions: number
  readonly mentionsAll: number
}

export interface InboxStore {
  apply(record: Accepted): unknown
  counts(headOrdinal: number, joinOrdinal: number): Counts | Promise<Counts>
}

interface Message {
  readonly id: string
  readonly seq: number
  readonly ordinal: number
  readonly mine: boolean
  me: boolean
  all: boolean
  recalled: boolean
}

/** The reader is `me`. */
export async function play(
  stream: string,
  { before, steps }: { readonly before: number; readonly steps: readonly Step[] },
  store: InboxStore,
): Promise<void> {
  const unread = new Set<string>()
  const messages: Message[] = []
  const told: Accepted[] = []
  let member = true
  let [seq, joined, visible, readUpTo] = [before, before, before, 0]
  const head = () => before + messages.length
  async function tell(record: Accepted) {
    told.push(record)
    await store.apply(record)
  }
  const say = (type: EventPayload['type'], by: string, fields: object) =>
    tell(accepted({ stream, seq, ordinal: head(), sender: by }, type, fields))

  async function message(own: boolean, { me, all }: { me: boolean; all: boolean }) {
    const mine = member && own
    seq++
    messages.push({ id: `m${seq}`, seq, ordinal: head() + 1, mine, me, all, recalled: false })
    await say('MessageSent', mine ? 'me' : 'you', { mentions: me ? ['me', 'you'] : ['you'], mentionAll: all })
    if (member && !mine && seq > readUpTo) unread.add(`m${seq}`)
  }

  async function change(of: Message, kind: 'edit' | 'recall', { me, all }: { me: boolean; all: boolean }) {
    if (of.recalled) return
    seq++
    const target = { ...targetFacts(of.seq, of.mine ? 'me' : 'you'), ordinal: of.ordinal }
    if (kind === 'edit') {
      const mentions = me ? ['me'] : []
      await say('MessageEdited', target.sender, { target, mentions, mentionAll: all })
      Object.assign(of, { me, all })
      return
    }
    await say('MessageRecalled', 'you', { target })
    of.recalled = true
    unread.delete(of.id)
  }

  async function read(of: Message) {
    const mark = { conversationId: stream, seq: of.seq, ordinal: of.ordinal }
    await tell(accepted({ stream: 'u:me', sender: 'me' }, 'ReadMarked', mark))
    readUpTo = Math.max(readUpTo, of.seq)
    for (const one of messages) if (one.seq <= readUpTo) unread.delete(one.id)
  }

  for (const step of steps) {
    const of = 'pick' in step ? messages[step.pick % Math.max(1, messages.length)] : undefined
    if (step.kind === 'message') await message(step.own, step)
    else if (step.kind === 'edit' && of) await change(of, 'edit', step)
    else if (step.kind === 'recall' && of) await change(of, 'recall', of)
    else if (step.kind === 'read' && of) await read(of)
    else if (step.kind === 'again')
      for (const record of told.slice(-(step.pick % 20))) await store.apply(record)
    else if (step.kind === 'leave') member = false
    else if (step.kind === 'join' && !member) {
      member = true
      joined = head()
      unread.clear()
    }
    if (member) visible = head()
    const left = messages.filter(({ id }) => unread.has(id))
    expect(await store.counts(visible, joined)).toEqual({
      unread: unread.size,
      mentions: left.filter(({ me }) => me).length,
      mentionsAll: left.filter(({ all }) => all).length,
    })
  }
}
