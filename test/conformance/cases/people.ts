import { itemOf } from '../line.ts'
import { check, type Stage, textOf } from '../stage.ts'
import type { Frame } from '../wires/wire.ts'
import type { Case } from './case.ts'

const toGroup = (stage: Stage, text: string): Frame => ({
  type: 'send',
  conversationId: stage.note<string>('group'),
  ...textOf(text),
})

export const people: readonly Case[] = [
  {
    name: 'a group is made, grows, is renamed, loses a member, and tells each change to those concerned',
    async run(stage) {
      const [alice, bob, carol] = await Promise.all([
        stage.line('alice'),
        stage.line('bob'),
        stage.line('carol'),
      ])
      const made = await stage.act(
        alice,
        { type: 'createGroup', name: 'Team', members: [stage.idOf('bob')] },
        [bob],
      )
      const conversationId = String(made.answer.conversationId)
      stage.notes.set('group', conversationId)
      const members = [stage.idOf('carol')]
      const grown = await stage.act(alice, { type: 'addMembers', conversationId, members }, [bob, carol])
      const named = await stage.act(alice, { type: 'setGroup', conversationId, name: 'Crew' }, [bob, carol])
      const said = await stage.act(carol, toGroup(stage, 'hi all'), [alice, bob])
      const seen = await stage.ask(bob, { type: 'group', conversationId }, ({ name }) => name === 'Crew')
      const roster = await stage.ask(bob, { type: 'members', conversationId })
      const theft = await stage.tell(bob, { type: 'dissolveGroup', conversationId })
      check(theft.code === 'not_allowed', `a member’s dissolveGroup is answered ${String(theft.code)}`)
      const left = await stage.act(alice, { type: 'removeMembers', conversationId, members }, [bob, carol])
      const out = await stage.tell(carol, toGroup(stage, 'still here?'))
      check(out.code === 'not_member', `who was removed is answered ${String(out.code)}`)
      const next = await stage.act(alice, toGroup(stage, 'among us'), [bob])
      const { pinned: _p, ...group } = seen
      return [
        made.seen,
        grown.seen,
        named.seen,
        said.seen,
        stage.plain([group, roster, theft]),
        left.seen,
        next.seen,
      ]
    },
  },
  {
    name: 'who was removed is told nothing more',
    async run(stage) {
      const carol = await stage.line('carol')
      const conversationId = stage.note<string>('group')
      carol.send({ type: 'ping', id: 31 })
      await carol.next('pong', (frame) => frame.type === 'pong' && frame.id === 31)
      const heard = carol
        .taken((frame) => frame.type === 'event')
        .filter((frame) => itemOf(frame).conversationId === conversationId)
      check(heard.length === 0, 'an event of the group came after the removal')
      const page = await stage.ask(carol, { type: 'history', conversationId })
      return stage.plain(page)
    },
  },
  {
    name: 'a reaction is told, and counted in the history',
    async run(stage) {
      const [alice, bob] = [await stage.line('alice'), await stage.line('bob')]
      const conversationId = stage.note<string>('group')
      const said = await stage.act(alice, toGroup(stage, 'like me'), [bob])
      const { seq } = said.answer
      const react = { type: 'react', conversationId, seq, emoji: '👍', on: true }
      const told = await stage.act(bob, react, [alice])
      const page = await stage.ask(
        alice,
        { type: 'history', conversationId, limit: 2 },
        ({ reactions }) => (reactions as unknown[]).length > 0,
      )
      return [told.seen, stage.plain(page.reactions)]
    },
  },
  {
    name: 'friends see each other come and go, strangers see nobody',
    async run(stage) {
      const [alice, bob] = [await stage.line('alice'), await stage.line('bob')]
      await stage.act(alice, { type: 'requestFriend', userId: stage.idOf('dave'), note: 'hi' }, [])
      const dave = await stage.online('dave', 'd9')
      await stage.act(dave, { type: 'answerFriend', userId: stage.idOf('alice'), accept: true }, [alice])
      const watch = (line: typeof alice) =>
        stage.ask(line, { type: 'presence', subscribe: [stage.idOf('dave')], unsubscribe: [] })
      const devices = (answer: Frame) => (answer.states as { devices: unknown[] }[])[0]?.devices ?? []
      let friend = await watch(alice)
      for (let tries = 0; devices(friend).length === 0 && tries < 100; tries++) friend = await watch(alice)
      const stranger = await watch(bob)
      check(devices(stranger).length === 0, 'a stranger is shown devices')
      dave.send({ type: 'logout' })
      await dave.ended()
      const gone = await alice.next(
        'presenceChanges',
        (frame) =>
          frame.type === 'presenceChanges' &&
          (frame.changes as { devices: unknown[] }[]).some((change) => change.devices.length === 0),
      )
      return stage.plain([friend, stranger, gone])
    },
  },
]
