/** The checker must find each kind of fault when it is planted in a history that is otherwise sound. */
import { expect, test } from 'vitest'
import { seal } from '../../schemas/avro.ts'
import { encodeCommandPayload, encodeEventPayload, sealCommand } from '../../schemas/codec.ts'
import { parsePackId } from '../../schemas/ids.ts'
import {
  type CommandPayload,
  commandPayloads,
  type Envelope,
  type EventPayload,
  eventPayloads,
  records,
} from '../../schemas/records.ts'
import { schemasOf } from '../chaos/checker/avro.ts'
import { check, type Evidence } from '../chaos/checker/check.ts'
import { hashOfText } from '../chaos/checker/log.ts'
import { parseLine } from '../chaos/checker/raw.ts'
import type { ArchiveRow, Entry, FindingKind, Raw } from '../chaos/checker/types.ts'

const codecs = Object.values({ ...commandPayloads, ...eventPayloads, ...records })
const schemas = schemasOf(codecs.map((codec) => codec.canonical))
const conv = 'p2p:alice:bob'
const group = 'g:team'

interface World {
  readonly commands: Raw[]
  readonly events: Raw[]
  readonly history: Entry[]
  readonly archive: ArchiveRow[]
  readonly archivedRows: Map<string, number>
  readonly deadLetters: Raw[]
}

const packIdOf = (n: number) => `01890000-0000-7000-8000-${String(n).padStart(12, '0')}`
const packId = (n: number) => parsePackId(packIdOf(n)) as Buffer
const content = (text: string) => Buffer.from(JSON.stringify({ type: 'text', text }))
const message = (text: string) => ({
  contentType: 'text',
  content: content(text),
  keyId: null,
  mentions: [],
  mentionAll: false,
  replyTo: null,
})
const raw = (topic: string, offset: number, value: Buffer | null): Raw => ({
  topic,
  partition: 0,
  offset,
  time: 1_000 + offset,
  key: null,
  value,
})

function claim(world: World): void {
  const offset = world.events.length
  const { schema, payload } = encodeEventPayload({ type: 'Claim', owner: 'a' })
  const envelope: Envelope = {
    ...blank,
    kind: 'claim',
    epoch: -1,
    source: world.commands.length,
    stream: '',
    schema,
    payload,
  }
  world.events.push(raw('im.events', offset, seal(records.Envelope, envelope)))
}
const blank = { generation: 0, seq: 0, ordinal: 0, time: 0, trace: null, reply: null }

interface Step {
  readonly stream: string
  readonly sender: string
  readonly n: number
  readonly seq: number
  readonly ordinal: number
  readonly asked: CommandPayload
  readonly answer: Record<string, unknown> & { type: EventPayload['type'] }
  readonly epoch?: number
}

/** One command and its one record. */
function step(world: World, { stream, sender, n, seq, ordinal, asked, answer, epoch = 0 }: Step): Envelope {
  const source = world.commands.length
  const command = { stream, packId: packId(n), sender, device: 'd', trace: null, reply: null }
  world.commands.push(raw('im.commands', source, sealCommand({ ...command, ...encodeCommandPayload(asked) })))
  const origin = { packId: packId(n), sender, device: 'd', bodyHash: n }
  const { schema, payload } = encodeEventPayload({ ...origin, ...answer } as unknown as EventPayload)
  const kind = answer.type === 'Rejection' ? 'rejection' : answer.type === 'Repeat' ? 'repeat' : 'event'
  const time = 1_000 + source
  const envelope: Envelope = { ...blank, kind, epoch, source, stream, seq, ordinal, time, schema, payload }
  append(world, envelope)
  world.archive.push({ partition: 0, source, kind, stream, seq, ordinal, payload })
  return envelope
}

function append(world: World, envelope: Envelope): void {
  world.events.push(raw('im.events', world.events.length, seal(records.Envelope, envelope)))
}

let clock = 0
function say(world: World, entry: Omit<Entry, 't_mono' | 'proc'>): void {
  clock += 1
  world.history.push({ t_mono: clock, proc: 'p', ...entry })
}

function told(
  world: World,
  op: string,
  n: number,
  dev: string,
  place: string,
  seq: number,
  text?: string,
): void {
  const hash = text === undefined ? {} : { hash: hashOfText(text) }
  say(world, { dev, op, phase: 'invoke', id: `c${n}`, conv: place, ...hash })
  say(world, { dev, op, phase: 'ok', id: `c${n}`, conv: place, seq, packId: packIdOf(n) })
}

/** Three messages of a single chat and one in a group that carol joins late, seen and read by all who should. */
function soundWorld(): World {
  const world: World = {
    commands: [],
    events: [],
    history: [],
    archive: [],
    archivedRows: new Map([
      [`messages ${conv}`, 3],
      [`messages ${group}`, 2],
      [`items ${conv}`, 3],
      [`items ${group}`, 4],
      ['items u:bob', 1],
    ]),
    deadLetters: [],
  }
  const devices = ['alice/1', 'bob/1', 'carol/1']
  for (const dev of devices) say(world, { dev, op: 'watch', phase: 'ok' })
  claim(world)
  const texts = ['one', 'two', 'three']
  texts.forEach((text, i) => {
    const sender = i === 1 ? 'bob' : 'alice'
    const asked: CommandPayload = { type: 'SendMessage', ...message(text) }
    const answer = { type: 'MessageSent', ...message(text) } as const
    step(world, { stream: conv, sender, n: i, seq: i + 1, ordinal: i + 1, asked, answer })
    told(world, 'send', i, `${sender}/1`, conv, i + 1, text)
  })
  const create = { name: 'team', members: ['alice', 'bob'] }
  step(world, {
    ...{ stream: group, sender: 'alice', n: 10, seq: 1, ordinal: 0 },
    asked: { type: 'CreateGroup', ...create },
    answer: { type: 'GroupCreated', ...create },
  })
  told(world, 'createGroup', 10, 'alice/1', group, 1)
  step(world, {
    ...{ stream: group, sender: 'alice', n: 11, seq: 2, ordinal: 1 },
    asked: { type: 'SendMessage', ...message('early') },
    answer: { type: 'MessageSent', ...message('early') },
  })
  told(world, 'send', 11, 'alice/1', group, 2, 'early')
  step(world, {
    ...{ stream: group, sender: 'alice', n: 12, seq: 3, ordinal: 1 },
    asked: { type: 'AddMembers', members: ['carol'] },
    answer: { type: 'MembersAdded', members: ['carol'] },
  })
  told(world, 'addMembers', 12, 'alice/1', group, 3)
  claim(world)
  const epoch = world.events.length - 1
  step(world, {
    ...{ stream: group, sender: 'bob', n: 13, seq: 4, ordinal: 2, epoch },
    asked: { type: 'SendMessage', ...message('late') },
    answer: { type: 'MessageSent', ...message('late') },
  })
  told(world, 'send', 13, 'bob/1', group, 4, 'late')
  step(world, {
    ...{ stream: 'u:bob', sender: 'bob', n: 14, seq: 1, ordinal: 0, epoch },
    asked: { type: 'MarkRead', conversationId: conv, seq: 1, ordinal: 1 },
    answer: { type: 'ReadMarked', conversationId: conv, seq: 1, ordinal: 1 },
  })
  const seen = (dev: string, op: string, place: string, seq: number, text: string) =>
    say(world, { dev, op, phase: 'ok', conv: place, seq, hash: hashOfText(text) })
  for (const [suffix, op] of [
    ['1', 'recv'],
    ['new', 'read'],
  ] as const) {
    for (const user of ['alice', 'bob']) {
      const dev = `${user}/${suffix}`
      if (op === 'read')
        for (const place of [conv, group]) say(world, { dev, op: 'readStart', phase: 'ok', conv: place })
      for (const [i, text] of texts.entries()) seen(dev, op, conv, i + 1, text)
      seen(dev, op, group, 2, 'early')
      seen(dev, op, group, 4, 'late')
    }
    const dev = `carol/${suffix}`
    if (op === 'read') say(world, { dev, op: 'readStart', phase: 'ok', conv: group })
    seen(dev, op, group, 4, 'late')
  }
  const list = (dev: string, place: string, n: number, seq: number) =>
    say(world, { dev, op: 'unread', phase: 'ok', conv: place, n, seq })
  for (const user of ['alice', 'bob', 'carol']) say(world, { dev: `${user}/new`, op: 'listed', phase: 'ok' })
  list('alice/new', conv, 1, 3)
  list('bob/new', conv, 1, 3)
  list('alice/new', group, 1, 4)
  list('bob/new', group, 1, 4)
  list('carol/new', group, 1, 4)
  return world
}

const kindsOf = (world: World): FindingKind[] => {
  const evidence: Evidence = { schemas, ...world }
  return [...new Set(check(evidence).findings.map((finding) => finding.kind))].sort()
}

const envelopeAt = (world: World, index: number): Envelope =>
  records.Envelope.decode((world.events[index] as Raw & { value: Buffer }).value.subarray(10))
const rewrite = (world: World, index: number, change: Partial<Envelope>) => {
  const value = seal(records.Envelope, { ...envelopeAt(world, index), ...change })
  world.events[index] = raw('im.events', index, value)
}
const drop = <T>(list: T[], where: (item: T) => boolean): T => {
  const at = list.findIndex(where)
  expect(at).toBeGreaterThanOrEqual(0)
  return list.splice(at, 1)[0] as T
}
const entryOf =
  (dev: string, op: string, seq: number, place = conv) =>
  (entry: Entry) =>
    entry.dev === dev && entry.op === op && entry.seq === seq && entry.conv === place

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
    ['archive-missing', 'history', 'missing', 'outsider', 'unread'],
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
