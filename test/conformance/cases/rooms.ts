import { randomBytes } from 'node:crypto'
import type { ItemLike, Line } from '../line.ts'
import { check, type Stage, textOf } from '../stage.ts'
import type { Frame } from '../wires/wire.ts'
import type { Case } from './case.ts'

const roomOf = (stage: Stage, which: 'room' | 'other room'): string => {
  if (!stage.notes.has(which)) stage.notes.set(which, `conformance-${randomBytes(8).toString('hex')}`)
  return stage.note<string>(which)
}
const say = (room: string, text: string): Frame => ({
  type: 'send',
  conversationId: `r:${room}`,
  ...textOf(text),
})
const join = (stage: Stage, line: Line, roomId: string): Promise<Frame> =>
  stage.ask(line, { type: 'joinRoom', roomId })

/** Messages may come merged. */
async function hears(line: Line, room: string, text: string): Promise<ItemLike> {
  const itemIn = (frame: Frame) =>
    (frame.items as (ItemLike & { content?: { text: string } })[]).find((item) => item.content?.text === text)
  const frame = await line.next(
    `“${text}” in the room`,
    (one) => one.type === 'roomItems' && one.conversationId === `r:${room}` && itemIn(one) !== undefined,
  )
  return itemIn(frame) as ItemLike
}

export const rooms: readonly Case[] = [
  {
    name: 'a live room tells what is said to all who are in it, and its newest to who comes later',
    async run(stage) {
      const [alice, bob, carol] = [
        await stage.line('alice'),
        await stage.line('bob'),
        await stage.line('carol'),
      ]
      const room = roomOf(stage, 'room')
      const entered = [await join(stage, alice, room), await join(stage, bob, room)]
      const said = await stage.tell(alice, say(room, 'welcome'))
      check(said.type === 'committed', `a message is answered ${String(said.code)}`)
      const heard = [await hears(alice, room, 'welcome'), await hears(bob, room, 'welcome')]
      const isThere = ({ items }: Frame) => (items as ItemLike[]).length > 0
      const late = await stage.ask(carol, { type: 'joinRoom', roomId: room, newest: 5 }, isThere)
      carol.send({ type: 'leaveRoom', id: 801 })
      const left = await carol.next('roomResult', (frame) => frame.id === 801)
      return stage.plain([entered, said, heard, late, left])
    },
  },
  {
    name: 'a switch of rooms brings the new room’s messages and none of the old one’s; who left cannot speak there',
    async run(stage) {
      const [alice, bob, carol] = [
        await stage.line('alice'),
        await stage.line('bob'),
        await stage.line('carol'),
      ]
      const [room, other] = [roomOf(stage, 'room'), roomOf(stage, 'other room')]
      await join(stage, carol, other)
      const switched = await join(stage, bob, other)
      bob.taken(({ type }) => type === 'roomItems')
      await stage.tell(alice, say(room, 'not for bob'))
      await hears(alice, room, 'not for bob')
      await stage.tell(carol, say(other, 'for bob'))
      const heard = await hears(bob, other, 'for bob')
      const wrong = bob.taken((frame) => frame.type === 'roomItems' && frame.conversationId === `r:${room}`)
      check(wrong.length === 0, 'a message of the room before came after the switch')
      const out = await stage.tell(bob, say(room, 'still here?'))
      check(out.code === 'not_member', `from outside it is answered ${String(out.code)}`)
      const list = await stage.ask(bob, { type: 'conversations' })
      const ids = (list.conversations as { conversationId: string }[]).map((one) => one.conversationId)
      check(!ids.some((id) => id.startsWith('r:')), 'a room stands in the list of conversations')
      return stage.plain([switched, heard, out])
    },
  },
]
