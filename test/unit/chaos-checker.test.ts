/** The checker must find each kind of fault when it is planted in a history that is otherwise sound. */
import { expect, test } from 'vitest'
import { seal } from '../../schemas/avro.ts'
import { type CommandPayload, type DeadLetter, records } from '../../schemas/records.ts'
import { check } from '../chaos/checker/check.ts'
import { hashOfText } from '../chaos/checker/log.ts'
import { parseLine } from '../chaos/checker/raw.ts'
import type { ArchiveRow, Entry, FindingKind } from '../chaos/checker/types.ts'
import {
  append,
  conv,
  drop,
  entryOf,
  envelopeAt,
  group,
  kindsOf,
  message,
  raw,
  rewrite,
  say,
  schemas,
  soundWorld,
  step,
  told,
  type World,
} from '../support/checker-world.ts'

test('a sound history passes, with every part of it compared', () => {
  const world = soundWorld()
  const verdict = check({ schemas, ...world })
  expect(verdict.findings).toEqual([])
  expect(verdict).toMatchObject({ claims: 2, stale: 0, unreadCompared: 5, archiveRows: 8 })
  expect(verdict.sends).toMatchObject({ attempts: 7, ok: 7, fail: 0, info: 0 })
  expect(verdict.devices).toMatchObject({ devices: 3, received: 11, read: 11 })
})

type Plant = (world: World) => void
const plants: [string, FindingKind[], Plant][] = [
  ...(['messages', 'items'] as const).map((table): (typeof plants)[number] => [
    `a row that only the archive's table of ${table} lacks is told`,
    ['archive-missing'],
    (world) => world.archivedRows.set(`${table} ${conv}`, 2),
  ]),
  [
    'a committed send that is not in the log is lost',
    ['lost'],
    (world) => told(world, 'send', 50, 'alice/1', conv, 4, 'nowhere'),
  ],
  [
    'one command as two events is duplicated',
    ['archive-missing', 'duplicated', 'history', 'missing', 'unread'],
    (world) => {
      const asked: CommandPayload = { type: 'SendMessage', ...message('two') }
      const answer = { type: 'MessageSent', ...message('two') } as const
      const epoch = envelopeAt(world, world.events.length - 1).epoch
      step(world, { stream: conv, sender: 'bob', n: 1, seq: 4, ordinal: 4, asked, answer, epoch })
    },
  ],
  [
    'a skipped seq is a gap',
    ['ack-wrong', 'archive-hash', 'gap', 'history', 'missing', 'untrue'],
    (world) => rewrite(world, 3, { seq: 9 }),
  ],
  ['an ordinal out of step is a gap', ['archive-hash', 'gap'], (world) => rewrite(world, 2, { ordinal: 7 })],
  [
    'another text under one seq is a fork',
    ['forked'],
    (world) => {
      const entry = drop(world.history, entryOf('bob/1', 'recv', 3))
      world.history.push({ ...entry, hash: hashOfText('forged') })
    },
  ],
  [
    'a lower seq after a higher one is an inversion',
    ['inversion'],
    (world) => {
      const entry = drop(world.history, entryOf('bob/1', 'recv', 1))
      world.history.push(entry)
    },
  ],
  [
    'a message that a device never saw is missing',
    ['missing'],
    (world) => drop(world.history, entryOf('bob/1', 'recv', 2)),
  ],
  [
    'a message that a device saw twice is told',
    ['seen-twice'],
    (world) => world.history.push(world.history.find(entryOf('bob/1', 'recv', 2)) as Entry),
  ],
  [
    'a message from before the join is trespass',
    ['inversion', 'trespass'],
    (world) =>
      say(world, { dev: 'carol/1', op: 'recv', phase: 'ok', conv: group, seq: 2, hash: hashOfText('early') }),
  ],
  ['a hole in history is told', ['history'], (world) => drop(world.history, entryOf('bob/new', 'read', 2))],
  [
    'a wrong unread count is told',
    ['unread'],
    (world) => {
      const entry = drop(world.history, entryOf('bob/new', 'unread', 3))
      world.history.push({ ...entry, n: 2 })
    },
  ],
  [
    'a conversation that is not listed is told',
    ['unread'],
    (world) => drop(world.history, entryOf('carol/new', 'unread', 4, group)),
  ],
  ['a missing row of the archive is told', ['archive-missing'], (world) => world.archive.splice(3, 1)],
  [
    'a doubled row of the archive is told',
    ['archive-extra'],
    (world) => world.archive.push(world.archive[3] as ArchiveRow),
  ],
  [
    'changed bytes in the archive are told',
    ['archive-hash'],
    (world) => {
      const row = world.archive[3] as ArchiveRow
      const payload = Buffer.from(row.payload)
      payload.writeUInt8(payload.readUInt8(3) ^ 1, 3)
      world.archive[3] = { ...row, payload }
    },
  ],
  [
    'a row filed under another stream is told',
    ['archive-hash'],
    (world) => {
      world.archive[3] = { ...(world.archive[3] as ArchiveRow), stream: conv }
    },
  ],
  [
    'an answer with another seq than the log is told',
    ['ack-reused', 'ack-wrong'],
    (world) => {
      const at = world.history.findIndex((entry) => entry.id === 'c0' && entry.phase === 'ok')
      world.history[at] = { ...(world.history[at] as Entry), seq: 2 }
    },
  ],
  [
    'a refused send that is in the log is told',
    ['aborted'],
    (world) => {
      const at = world.history.findIndex((entry) => entry.id === 'c1' && entry.phase === 'ok')
      world.history[at] = { ...(world.history[at] as Entry), phase: 'fail', code: 'bad_content' }
    },
  ],
  [
    'a send without an outcome is told',
    ['unsettled'],
    (world) => drop(world.history, (entry) => entry.id === 'c1' && entry.phase === 'ok'),
  ],
  [
    'a message that nobody sent is a ghost',
    ['ghost'],
    (world) => {
      drop(world.history, (entry) => entry.id === 'c1' && entry.phase === 'ok')
      drop(world.history, (entry) => entry.id === 'c1' && entry.phase === 'invoke')
    },
  ],
  [
    'a device whose sends were swapped is told',
    ['send-order'],
    (world) => {
      const later = drop(world.history, (entry) => entry.id === 'c2' && entry.phase === 'invoke')
      world.history.unshift(later)
    },
  ],
  [
    'a doubled record of the owner in force is told',
    ['unsound-write'],
    (world) => append(world, envelopeAt(world, world.events.length - 1)),
  ],
  [
    'a command without its record is told',
    ['archive-extra', 'unanswered', 'unread'],
    (world) => world.events.pop(),
  ],
  [
    'a message by an outsider is told',
    ['archive-missing', 'forbidden', 'history', 'missing', 'unread'],
    (world) => {
      const asked: CommandPayload = { type: 'SendMessage', ...message('hello') }
      const answer = { type: 'MessageSent', ...message('hello') } as const
      const epoch = envelopeAt(world, world.events.length - 1).epoch
      step(world, { stream: group, sender: 'mallory', n: 60, seq: 5, ordinal: 3, asked, answer, epoch })
      say(world, { dev: 'mallory/1', op: 'send', phase: 'invoke', id: 'c60', hash: hashOfText('hello') })
      say(world, { dev: 'mallory/1', op: 'send', phase: 'ok', id: 'c60', conv: group, seq: 5 })
      world.archive.pop()
    },
  ],
  [
    'a dead letter is told',
    ['dead-letter'],
    (world) => world.deadLetters.push(raw('im.dead-letters', 0, Buffer.from('x'))),
  ],
  [
    'a record that is no envelope is told',
    ['undecodable'],
    (world) => world.events.push(raw('im.events', world.events.length, Buffer.from('x'))),
  ],
]

test.each(plants)('%s', (_, kinds, plant) => {
  const world = soundWorld()
  plant(world)
  expect(kindsOf(world)).toEqual(kinds)
})

test('records of an owner that lost the partition count for nothing', () => {
  const world = soundWorld()
  append(world, { ...envelopeAt(world, 3), source: world.commands.length })
  const verdict = check({ schemas, ...world })
  expect(verdict.findings).toEqual([])
  expect(verdict.stale).toBe(1)
})

test('a line of the console consumer gives back every byte', () => {
  const line = 'LogAppendTime:17\tPartition:3\tOffset:42\tg:team\t\\xC3\\x01a\\x5Cb\\x09'
  const expected = Buffer.from([0xc3, 0x01, 0x61, 0x5c, 0x62, 0x09])
  expect(parseLine('t', line)).toMatchObject({ time: 17, partition: 3, offset: 42, value: expected })
  expect(parseLine('t', 'CreateTime:1\tPartition:0\tOffset:0\tnull\tnull').value).toBeNull()
  expect(() => parseLine('t', 'Processed a total of 3 messages')).toThrow()
})

test('rubbish that the run put there is no fault, where a copy of it is among the dead letters; other rubbish is', () => {
  const rubbish = (world: World): string => {
    const value = Buffer.from('rubbish')
    world.events.push(raw('im.events', world.events.length, value))
    return `im.events 0/${world.events.length - 1}`
  }
  const copyOf = (world: World, place: string): void => {
    const [topic = '', at = ''] = place.split(' ')
    const [partition, offset] = at.split('/').map(Number)
    const copy = {
      topic,
      partition,
      offset,
      reason: 'undecodable',
      detail: '',
      value: Buffer.from('rubbish'),
    }
    world.deadLetters.push(
      raw('im.dead-letters', world.deadLetters.length, seal(records.DeadLetter, copy as DeadLetter)),
    )
  }
  const told = soundWorld()
  const poison = [rubbish(told)]
  copyOf(told, poison[0] ?? '')
  expect(check({ schemas, ...told, poison }).findings).toEqual([])
  const uncopied = soundWorld()
  expect(kindsOf(uncopied, [rubbish(uncopied)])).toEqual(['dead-letter'])
  const foreign = soundWorld()
  copyOf(foreign, rubbish(foreign))
  expect(kindsOf(foreign)).toEqual(['dead-letter', 'undecodable'])
})
