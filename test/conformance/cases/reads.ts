import { inflateRawSync } from 'node:zlib'
import { itemOf } from '../line.ts'
import { check, type Stage, textOf } from '../stage.ts'
import type { Frame } from '../wires/wire.ts'
import type { Case } from './case.ts'

interface Entry {
  readonly conversationId: string
  readonly unread: number
  readonly lastSeq: number
}
interface Page {
  readonly items: readonly { readonly seq: number; readonly ordinal: number }[]
  readonly more: boolean
}
const chatOf = (stage: Stage): string => `p2p:${stage.idOf('alice')}:${stage.idOf('bob')}`
const entryOf = (answer: Frame, conversationId: string): Entry | undefined =>
  (answer.conversations as Entry[]).find((entry) => entry.conversationId === conversationId)

export const reads: readonly Case[] = [
  {
    name: 'unread is counted, and goes when it was read, on all devices; the other side gets a receipt',
    async run(stage) {
      const [alice, bob] = [await stage.line('alice'), await stage.line('bob')]
      const phone = await stage.online('bob', 'phone')
      const conversationId = chatOf(stage)
      const last = await stage.act(alice, { type: 'send', to: stage.idOf('bob'), ...textOf('read me') }, [
        bob,
        phone,
      ])
      const { seq, ordinal } = last.answer
      const list = (fits: (entry: Entry | undefined) => boolean) =>
        stage.ask(bob, { type: 'conversations' }, (answer) => fits(entryOf(answer, conversationId)))
      const before = await list((entry) => entry !== undefined && entry.lastSeq === seq && entry.unread > 0)
      const marked = await stage.tell(bob, { type: 'markRead', conversationId, seq, ordinal })
      check(marked.type === 'committed', `markRead is answered ${String(marked.code)}`)
      const read = await phone.next(
        'read mark on the other device',
        (frame) => frame.type === 'event' && itemOf(frame).kind === 'read',
      )
      const receipt = await alice.next('receipt', ({ type }) => type === 'receipt')
      const after = await list((entry) => entry?.unread === 0)
      phone.send({ type: 'logout' })
      await phone.ended()
      return stage.plain([
        entryOf(before, conversationId)?.unread,
        marked,
        read,
        receipt,
        entryOf(after, conversationId),
      ])
    },
  },
  {
    name: 'history pages meet without a gap or a double, in both directions',
    async run(stage) {
      const alice = await stage.line('alice')
      const conversationId = chatOf(stage)
      const page = async (part: object) =>
        (await stage.ask(alice, { type: 'history', conversationId, limit: 3, ...part })) as unknown as Page &
          Frame
      const seqs = ({ items }: Page) => items.map(({ seq }) => seq)
      const forth: number[] = []
      for (let more = true; more; ) {
        const next = await page({ after: forth.at(-1) ?? 0 })
        forth.push(...seqs(next))
        more = next.more
      }
      const back: number[] = []
      for (let more = true; more; ) {
        const next = await page(back.length === 0 ? {} : { before: back[0] })
        back.unshift(...seqs(next))
        more = next.more
      }
      const whole = Array.from({ length: forth.length }, (_, i) => i + 1)
      check(JSON.stringify(forth) === JSON.stringify(whole), `forwards: ${forth.join(' ')}`)
      check(JSON.stringify(back) === JSON.stringify(whole), `backwards: ${back.join(' ')}`)
      const wrong = await stage.ask(alice, { type: 'history', conversationId, after: -1 })
      const others = await stage.ask(alice, {
        type: 'history',
        conversationId: `p2p:${stage.idOf('bob')}:${stage.idOf('carol')}`,
      })
      return stage.plain([forth.length, wrong, others])
    },
  },
  {
    name: 'heads tell how far each conversation has come',
    async run(stage) {
      const alice = await stage.line('alice')
      const { heads } = await stage.ask(alice, { type: 'heads' })
      const mine = (heads as { conversationId: string }[]).filter(({ conversationId }) =>
        conversationId.startsWith('p2p:'),
      )
      check(mine.length > 0, 'the single chat is not among them')
      return stage.plain(mine)
    },
  },
  {
    name: 'the overview brings the list and the newest pages, packed',
    async run(stage) {
      const bob = await stage.line('bob')
      bob.send({ type: 'overview', id: 900, limit: 5, pages: 2 })
      const parts: Frame[] = []
      while (parts.at(-1)?.last !== true)
        parts.push(await bob.next('packed', (frame) => frame.type === 'packed' && frame.id === 900))
      const inside = parts.flatMap(
        ({ data }) => JSON.parse(inflateRawSync(data as Buffer).toString('utf8')) as Frame[],
      )
      check(inside[0]?.type === 'conversationsResult', 'the list does not come first')
      check(
        inside.slice(1).every(({ type }) => type === 'historyResult'),
        'something else than pages is in it',
      )
      return inside.map(({ type }) => type)
    },
  },
]
