import { randomUUID } from 'node:crypto'
import { itemOf } from '../line.ts'
import { check, type Stage, textOf } from '../stage.ts'
import type { Frame } from '../wires/wire.ts'
import type { Case } from './case.ts'

const say = (stage: Stage, text: string): Frame => ({ type: 'send', to: stage.idOf('bob'), ...textOf(text) })
const chatOf = (stage: Stage): string => `p2p:${stage.idOf('alice')}:${stage.idOf('bob')}`

export const chat: readonly Case[] = [
  {
    name: 'a message is accepted, then committed, and told to the other side and to the sender’s other device',
    async run(stage) {
      const [alice, bob] = [await stage.line('alice'), await stage.line('bob')]
      const tablet = await stage.online('alice', 'tablet')
      const packId = stage.newPackId()
      alice.send({ ...say(stage, 'hello 你好 👋'), packId })
      const accepted = await alice.next('accepted', (frame) => frame.packId === packId)
      const committed = await alice.next('committed', (frame) => frame.packId === packId)
      check(accepted.type === 'accepted', `the first answer is ${accepted.type}`)
      check(committed.type === 'committed', `the second answer is ${committed.type}`)
      const isIt = (frame: Frame) => frame.type === 'event' && itemOf(frame).packId === packId
      const told = [await bob.next('event', isIt), await tablet.next('event', isIt)]
      check(alice.taken(isIt).length === 0, 'the sending connection was told its own event')
      tablet.send({ type: 'logout' })
      await tablet.ended()
      stage.notes.set('first packId', packId)
      stage.notes.set('chat', String(committed.conversationId))
      return stage.plain([accepted, committed, told])
    },
  },
  {
    name: 'the same packId again is answered as before, and told to nobody',
    async run(stage) {
      const [alice, bob] = [await stage.line('alice'), await stage.line('bob')]
      const packId = stage.note<string>('first packId')
      const again = await stage.tell(alice, say(stage, 'hello 你好 👋'), packId)
      const other = await stage.tell(alice, say(stage, 'something else'), packId)
      const next = await stage.act(alice, say(stage, 'next'), [bob])
      check(again.repeat === true && again.conflict === false, 'the repeat is not called one')
      check(other.repeat === true && other.conflict === true, 'another body is not called a conflict')
      check(again.seq === other.seq, 'one packId has two seqs')
      const more = bob.taken((frame) => frame.type === 'event')
      check(more.length === 0, 'a repeat was told')
      return [stage.plain([again, other]), next.seen]
    },
  },
  {
    name: 'content comes through as it was written',
    async run(stage) {
      const [alice, bob] = [await stage.line('alice'), await stage.line('bob')]
      const content = {
        a: [1, 2.5, null, true, { deep: ['\u0000', '\u2028', '"\\'] }],
        ключ: '值',
        empty: {},
      }
      const { seen } = await stage.act(
        alice,
        { ...say(stage, ''), contentType: 'custom', content, mentions: [stage.idOf('bob')] },
        [bob],
      )
      return seen
    },
  },
  {
    name: 'what breaks a rule is rejected with its code, and no seq is spent',
    async run(stage) {
      const [alice, bob] = [await stage.line('alice'), await stage.line('bob')]
      const before = await stage.act(alice, say(stage, 'before'), [bob])
      const bad: [Frame, string][] = [
        [{ ...say(stage, 'x'), to: 'no such id!' }, 'bad_id'],
        [{ ...say(stage, 'x'), contentType: 'system' }, 'not_allowed'],
        [{ ...say(stage, 'x'), content: { text: 5 } }, 'bad_content'],
        [
          { ...say(stage, 'x'), to: null, conversationId: `p2p:${stage.idOf('bob')}:${stage.idOf('carol')}` },
          'not_member',
        ],
        [{ ...say(stage, 'x'), to: null, conversationId: `g:${'0'.repeat(32)}` }, 'not_member'],
      ]
      const answers: unknown[] = []
      for (const [frame, code] of bad) {
        const answer = await stage.tell(alice, frame)
        check(answer.code === code, `answered ${String(answer.code)}, not ${code}`)
        answers.push(stage.plain(answer))
      }
      const late = await stage.tell(alice, say(stage, 'x'), randomUUID())
      check(late.code === 'pack_id_invalid', `a packId that is no UUIDv7: ${String(late.code)}`)
      const after = await stage.act(alice, say(stage, 'after'), [bob])
      check(after.answer.seq === Number(before.answer.seq) + 1, 'a refused command has spent a seq')
      return [answers, after.seen]
    },
  },
  {
    name: 'a recall and an edit are told at once, and history shows what stands now',
    async run(stage) {
      const [alice, bob] = [await stage.line('alice'), await stage.line('bob')]
      const conversationId = chatOf(stage)
      const taken = await stage.act(alice, say(stage, 'taken back'), [bob])
      const mended = await stage.act(alice, say(stage, 'with mistaks'), [bob])
      const at = (frame: Frame) => ({ conversationId, seq: frame.seq })
      const theft = await stage.tell(bob, { type: 'recall', ...at(taken.answer) })
      check(theft.code === 'not_author', `another’s recall is answered ${String(theft.code)}`)
      const recall = await stage.act(alice, { type: 'recall', ...at(taken.answer) }, [bob])
      const edit = await stage.act(
        alice,
        { type: 'edit', ...at(mended.answer), ...textOf('without mistakes') },
        [bob],
      )
      const page = await stage.ask(bob, {
        type: 'history',
        conversationId,
        after: Number(taken.answer.seq) - 1,
      })
      const items = page.items as { seq: number; content?: { text: string } }[]
      const shown = (frame: Frame) => items.find(({ seq }) => seq === frame.seq)?.content
      check(shown(taken.answer) === undefined, 'what was recalled is still in the history')
      check(shown(mended.answer)?.text === 'without mistakes', 'the history shows the text before the edit')
      stage.notes.set('changed from', Number(taken.answer.seq))
      return [recall.seen, edit.seen, stage.plain(page)]
    },
  },
  {
    name: 'sync tells who was away the changes of what he holds',
    async run(stage) {
      const bob = await stage.line('bob')
      const from = stage.note<number>('changed from')
      const sync = (ranges: { from: number; to: number }[], changesUpTo: number) =>
        stage.ask(bob, { type: 'sync', conversationId: chatOf(stage), ranges, changesUpTo })
      const both = await sync([{ from: 1, to: from + 1 }], from + 1)
      check((both.changes as unknown[]).length === 2, 'not both changes were told')
      const none = await sync([{ from: 1, to: from - 1 }], from + 1)
      check((none.changes as unknown[]).length === 0, 'changes of what is not held were told')
      const again = await sync([{ from: 1, to: from + 1 }], Number(both.changesUpTo))
      check((again.changes as unknown[]).length === 0, 'changes were told twice')
      return stage.plain([both, none, again])
    },
  },
  {
    name: 'a packId can be looked up',
    async run(stage) {
      const alice = await stage.line('alice')
      const conversationId = chatOf(stage)
      const packId = stage.note<string>('first packId')
      const known = await stage.ask(alice, { type: 'lookup', conversationId, packId })
      check(known.seq === 1, 'the packId was not found')
      const never = await stage.ask(alice, { type: 'lookup', conversationId, packId: stage.newPackId() })
      check(never.seq === undefined, 'a packId that never was has a seq')
      return stage.plain([known, never])
    },
  },
  {
    name: 'typing is shown to the other side',
    async run(stage) {
      const [alice, bob] = [await stage.line('alice'), await stage.line('bob')]
      alice.send({ type: 'typing', conversationId: chatOf(stage) })
      return stage.plain(await bob.next('userTyping', ({ type }) => type === 'userTyping'))
    },
  },
]
