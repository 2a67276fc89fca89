/** A small run for the chaos checker: topics, history and archive that agree, for faults to be planted in. */
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
import type { ArchiveRow, Entry, FindingKind, Raw } from '../chaos/checker/types.ts'

const codecs = Object.values({ ...commandPayloads, ...eventPayloads, ...records })
export const schemas = schemasOf(codecs.map((codec) => codec.canonical))
export const conv = 'p2p:alice:bob'
export const group = 'g:team'

export interface World {
  readonly commands: Raw[]
  readonly events: Raw[]
  readonly history: Entry[]
  readonly archive: ArchiveRow[]
  readonly archivedRows: Map<string, number>
  readonly deadLetters: Raw[]
}

export const packIdOf = (n: number) => `01890000-0000-7000-8000-${String(n).padStart(12, '0')}`
export const packId = (n: number) => parsePackId(packIdOf(n)) as Buffer
export const content = (text: string) => Buffer.from(JSON.stringify({ type: 'text', text }))
export const message = (text: string) => ({
  contentType: 'text',
  content: content(text),
  keyId: null,
  mentions: [],
  mentionAll: false,
  replyTo: null,
})
export const raw = (topic: string, offset: number, value: Buffer | null): Raw => ({
  topic,
  partition: 0,
  offset,
  time: 1_000 + offset,
  key: null,
  value,
})

export function claim(world: World): void {
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

export interface Step {
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
export function step(
  world: World,
  { stream, sender, n, seq, ordinal, asked, answer, epoch = 0 }: Step,
): Envelope {
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

export function append(world: World, envelope: Envelope): void {
  world.events.push(raw('im.events', world.events.length, seal(records.Envelope, envelope)))
}

let clock = 0
export function say(world: World, entry: Omit<Entry, 't_mono' | 'proc'>): void {
  clock += 1
  world.history.push({ t_mono: clock, proc: 'p', ...entry })
}

export function told(
  world: World,
  op: string,
  n: number,
  dev: string,
  place: string,
  seq: number,
  text?: string,
): void {
  const hash = text === undefined ? {} : { hash: hashOfText(text), detail: text }
  say(world, { dev, op, phase: 'invoke', id: `c${n}`, conv: place, ...hash })
  say(world, { dev, op, phase: 'ok', id: `c${n}`, conv: place, seq, packId: packIdOf(n) })
}

export const emptyWorld = (): World => ({
  commands: [],
  events: [],
  history: [],
  archive: [],
  archivedRows: new Map(),
  deadLetters: [],
})

/** Three messages of a single chat and one in a group that carol joins late, seen and read by all who should. */
export function soundWorld(): World {
  const world = emptyWorld()
  for (const [key, rows] of [
    [`messages ${conv}`, 3],
    [`messages ${group}`, 2],
    [`items ${conv}`, 3],
    [`items ${group}`, 4],
    ['items u:bob', 1],
  ] as const)
    world.archivedRows.set(key, rows)
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
    say(world, { dev, op: 'unread', phase: 'ok', conv: place, n, mentions: 0, mentionsAll: 0, seq })
  for (const user of ['alice', 'bob', 'carol']) say(world, { dev: `${user}/new`, op: 'listed', phase: 'ok' })
  list('alice/new', conv, 1, 3)
  list('bob/new', conv, 1, 3)
  list('alice/new', group, 1, 4)
  list('bob/new', group, 1, 4)
  list('carol/new', group, 1, 4)
  return world
}

export const kindsOf = (world: World, poison: readonly string[] = []): FindingKind[] => {
  const evidence: Evidence = { schemas, ...world, poison }
  return [...new Set(check(evidence).findings.map((finding) => finding.kind))].sort()
}

export const envelopeAt = (world: World, index: number): Envelope =>
  records.Envelope.decode((world.events[index] as Raw & { value: Buffer }).value.subarray(10))
export const rewrite = (world: World, index: number, change: Partial<Envelope>) => {
  const value = seal(records.Envelope, { ...envelopeAt(world, index), ...change })
  world.events[index] = raw('im.events', index, value)
}
export const drop = <T>(list: T[], where: (item: T) => boolean): T => {
  const at = list.findIndex(where)
  if (at < 0) throw new Error('there is nothing to drop')
  return list.splice(at, 1)[0] as T
}
export const entryOf =
  (dev: string, op: string, seq: number, place = conv) =>
  (entry: Entry) =>
    entry.dev === dev && entry.op === op && entry.seq === seq && entry.conv === place
