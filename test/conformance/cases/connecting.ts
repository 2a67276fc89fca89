import type { Line } from '../line.ts'
import { check, loginOf, type Stage, textOf } from '../stage.ts'
import type { Frame } from '../wires/wire.ts'
import type { Case } from './case.ts'

async function refused(stage: Stage, first: Frame, code: string): Promise<unknown> {
  const line = await stage.bare()
  line.send(first)
  const bye = await line.next('bye', ({ type }) => type === 'bye')
  check(bye.code === code, `it was answered ${String(bye.code)}, not ${code}`)
  await line.ended()
  return stage.plain(bye)
}

/** Nothing was closed: a ping is answered. */
async function alive(line: Line): Promise<void> {
  line.send({ type: 'ping', id: 77 })
  await line.next('pong', (frame) => frame.type === 'pong' && frame.id === 77)
}

async function errorTo(stage: Stage, frame: Frame): Promise<unknown> {
  const line = await stage.line('alice')
  line.send(frame)
  const error = await line.next(`error to ${frame.type}`, ({ type }) => type === 'error')
  await alive(line)
  return stage.plain(error)
}

export const connecting: readonly Case[] = [
  {
    name: 'a first frame that is no login is refused',
    run: (stage) => refused(stage, { type: 'ping', id: 1 }, 'not_logged_in'),
  },
  {
    name: 'a command recorded from another session is refused without a login',
    run: (stage) =>
      refused(
        stage,
        { type: 'send', packId: stage.newPackId(), to: stage.idOf('bob'), ...textOf('x') },
        'not_logged_in',
      ),
  },
  {
    name: 'a token that is none is refused',
    run: (stage) => refused(stage, loginOf('nonsense'), 'token_invalid'),
  },
  {
    name: 'a protocol version that is none is refused',
    run: (stage) => refused(stage, { ...loginOf(stage.tokenOf('alice')), protocol: 99 }, 'unsupported'),
  },
  {
    name: 'a login is answered by welcome',
    async run(stage) {
      const line = await stage.bare()
      line.send({ ...loginOf(stage.tokenOf('alice'), 'first'), heartbeatMs: 60_000 })
      const welcome = await line.next('welcome', ({ type }) => type === 'welcome')
      check(welcome.userId === stage.idOf('alice'), 'welcome names another user')
      check(welcome.heartbeatMs === 60_000, 'the heartbeat asked for was not granted')
      check(Math.abs(Number(welcome.serverTime) - Date.now()) < 86_400_000, 'serverTime is no time')
      line.send({ type: 'logout' })
      await line.ended()
      return stage.plain({ ...welcome, recallWindowMs: null, editWindowMs: null })
    },
  },
  {
    name: 'a heartbeat is answered',
    async run(stage) {
      const line = await stage.line('alice')
      line.send({ type: 'ping', id: 5 })
      return stage.plain(await line.next('pong', (frame) => frame.type === 'pong' && frame.id === 5))
    },
  },
  {
    name: 'a second login on one connection is refused, and nothing is closed',
    run: (stage) => errorTo(stage, loginOf(stage.tokenOf('bob'))),
  },
  {
    name: 'a frame that does not exist is refused, and nothing is closed',
    run: (stage) => errorTo(stage, { type: 'launch' }),
  },
  {
    name: 'a device that connects again takes the place of its old connection',
    async run(stage) {
      const old = await stage.online('dave', 'same')
      const young = await stage.online('dave', 'same')
      const bye = await old.next('bye', ({ type }) => type === 'bye')
      await old.ended()
      await alive(young)
      young.send({ type: 'logout' })
      await young.ended()
      return stage.plain(bye.code)
    },
  },
]

export const leaving: readonly Case[] = [
  {
    name: 'a logout ends the connection and nothing is heard on it any more',
    async run(stage) {
      const line = await stage.line('carol')
      line.taken(() => true)
      line.send({ type: 'logout' })
      await line.ended()
      return stage.plain(line.taken(({ type }) => type !== 'pong'))
    },
  },
]
