/** What the checker finds about erasures: by keys that are left, by what stores and devices show, and by what must not be gone. */
import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import {
  cutMessages,
  destroyUser,
  holdUser,
  type SealedMessage,
} from '../../projections/content-keys/destroy.ts'
import { createKeyRing } from '../../projections/content-keys/ring.ts'
import { seal } from '../../schemas/avro.ts'
import { sealContent, wholeTree, wrap } from '../../schemas/content-keys.ts'
import { type ContentKey, records } from '../../schemas/records.ts'
import { check } from '../chaos/checker/check.ts'
import { openerOf } from '../chaos/checker/keys.ts'
import { hashOfText } from '../chaos/checker/log.ts'
import type { Entry, FindingKind, Raw } from '../chaos/checker/types.ts'
import { content, conv, entryOf, packId, raw, schemas, soundWorld } from '../support/checker-world.ts'

const secretText = 'a secret of 32 bytes or even more'
const secret = createHash('sha256').update(secretText).digest()
const by = { by: 'test', at: 1 }

/** Enough for two to lie in the same part of a key. */
const numbers = Array.from({ length: 60 }, (_, i) => i)

/** Ann's key with some messages under it, and what stands on im.keys after each change. */
function keysOfAnn() {
  const ring = createKeyRing(secret)
  const topic: Raw[] = []
  const write = (keys: readonly ContentKey[]) => {
    for (const key of keys) {
      const value = seal(records.ContentKey, key)
      ring.apply(value)
      topic.push(raw('im.keys', topic.length, value))
    }
  }
  const id = 'ann~1'
  const tree = wrap(secret, id, wholeTree(Buffer.alloc(16, 7)))
  write([{ id, version: 0, state: 'live', heldUntil: null, tree, madeAt: 1, ...by }])
  const messages = numbers.map((n): SealedMessage & { content: Buffer } => ({
    keyId: id,
    packId: packId(n),
    content: sealContent(ring.leaf(id, packId(n)) as Buffer, content(`text ${n}`)),
  }))
  const opened = () => {
    const open = openerOf(schemas, topic, secretText)
    return messages.map((message) => open({ ...message })?.toString() ?? null)
  }
  return { ring, write, topic, messages, opened }
}

const texts = numbers.map((n) => content(`text ${n}`).toString())

test('what is sealed is opened by the keys that are left, and by no held or destroyed one', () => {
  const ann = keysOfAnn()
  expect(ann.opened()).toEqual(texts)
  ann.write(cutMessages(ann.ring, secret, ann.messages.slice(0, 1), by).keys)
  expect(ann.topic.length).toBeGreaterThan(2)
  expect(ann.opened()).toEqual([null, ...texts.slice(1)])
  ann.write(holdUser(ann.ring, 'ann', 9, by))
  expect(ann.opened()).toEqual(texts.map(() => null))
  ann.write(destroyUser(ann.ring, 'ann', null, by))
  expect(ann.opened()).toEqual(texts.map(() => null))
})

test('a part that is left of a destroyed key still opens what it sealed', () => {
  const ann = keysOfAnn()
  const { write, ring, messages } = ann
  write(cutMessages(ring, secret, messages.slice(0, 1), by).keys)
  // As one would that forgets the parts.
  write(destroyUser(ring, 'ann', null, by).filter(({ id }) => !id.includes('/')))
  expect(ann.opened().some((text) => text !== null)).toBe(true)
})

const erased = ['one', 'three', 'early']

/** Alice is erased after all was said and before it is read at the end. */
function erasedWorld({
  gone = erased,
  read = gone,
  at = 'before the reads',
}: {
  gone?: string[]
  read?: string[]
  at?: string
} = {}) {
  const world = soundWorld()
  const { history } = world
  const hashes = new Set(read.map(hashOfText))
  for (const [i, entry] of history.entries())
    if (entry.op === 'read' && hashes.has(String(entry.hash))) history[i] = { ...entry, hash: null }
  const first = at === 'at first' ? 0 : history.findIndex(({ op }) => op === 'readStart')
  const t = (history[first]?.t_mono ?? 0) - 1
  const erase = (phase: Entry['phase'], more: number): Entry => ({
    ...{ t_mono: t + more, proc: 'run', dev: '', op: 'erase', phase, detail: 'alice' },
  })
  history.splice(first, 0, erase('invoke', 0.1), erase('ok', 0.2))
  const open = ({ content }: { content?: unknown }) => {
    const { text } = JSON.parse(String(content)) as { text: string }
    return gone.includes(text) ? null : (content as Buffer)
  }
  return { ...world, open }
}

const judged = (evidence: ReturnType<typeof erasedWorld>, standing: string[] = []) =>
  check({ ...{ schemas, ...evidence }, standing: [{ store: 'Redis', words: new Set(standing) }] })
const kinds = (...args: Parameters<typeof judged>): FindingKind[] => [
  ...new Set(judged(...args).findings.map(({ kind }) => kind)),
]

test('an erasure that takes what was acknowledged before it, and nothing else, passes', () => {
  const verdict = judged(erasedWorld())
  expect(verdict.findings).toEqual([])
  expect(verdict.erasures).toEqual({ ended: 1, gone: 3, later: 0, seen: 6, cut: 0 })
  const later = judged(erasedWorld({ gone: [], at: 'at first' }))
  expect(later.findings).toEqual([])
  expect(later.erasures).toMatchObject({ gone: 0, later: 3 })
})

test('a content that a key still opens, that stands in a store or is read at the end is not erased', () => {
  expect(kinds(erasedWorld({ gone: ['one', 'three'], read: erased }))).toEqual([
    'untrue',
    'erased',
    'unerased',
  ])
  expect(kinds(erasedWorld({ gone: ['one', 'three'] }))).toEqual(['unerased'])
  expect(kinds(erasedWorld(), ['three'])).toEqual(['unerased'])
  expect(kinds(erasedWorld({ read: ['one', 'three'] }))).toEqual(['unerased'])
})

test('a content of another user, or from after the erasure, that is gone is told', () => {
  expect(kinds(erasedWorld({ gone: [...erased, 'two'] }))).toContain('erased')
  expect(kinds(erasedWorld({ read: [...erased, 'two'] }))).toContain('untrue')
  expect(kinds(erasedWorld({ at: 'at first' }))).toEqual(['erased'])
})

test('what a connection from after the erasure is given of it is told', () => {
  const world = erasedWorld()
  const { history } = world
  const at = history.findIndex(entryOf('bob/1', 'recv', 1, conv))
  const recv = history[at] as Entry
  const t_mono = (history.at(-1)?.t_mono ?? 0) + 1
  const again = { proc: 'p', dev: 'bob/1', op: 'reconnect', phase: 'ok', t_mono } as const
  history.splice(at, 1)
  history.push(again, { ...recv, t_mono: t_mono + 1 })
  expect(kinds(world)).toContain('unerased')
})
