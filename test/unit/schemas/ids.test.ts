import { describe, expect, test } from 'vitest'
import {
  formatPackId,
  groupStream,
  isId,
  newGroupId,
  p2pId,
  packIdTime,
  parsePackId,
  parseStream,
  partitionOf,
  roomStream,
  userStream,
} from '../../../schemas/ids.ts'

describe('partitionOf agrees with Kafka’s default partitioner', () => {
  // murmur2 of these keys, as the Java client's own tests state it.
  test.each([
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
    ['abc', 479470107],
  ])('%s', (key, murmur2) => {
    for (const partitions of [1, 3, 8, 64, 1_000_003, 2 ** 31])
      expect(partitionOf(key, partitions)).toBe((murmur2 & 0x7fffffff) % partitions)
  })
})

describe('an id', () => {
  test.each(['a', 'A.b_c-9', 'x'.repeat(64), '__proto__', '.'])('%s is one', (id) => {
    expect(isId(id)).toBe(true)
  })

  test.each(['', 'x'.repeat(65), 'a b', 'a:b', 'a\n', 'é', 'a{b}', 7, null, undefined])(
    '%s is none',
    (id) => {
      expect(isId(id)).toBe(false)
    },
  )
})

describe('a stream id', () => {
  test('of two users is the same from both sides, sorted bytewise', () => {
    expect(p2pId('b', 'a')).toBe('p2p:a:b')
    expect(p2pId('a', 'b')).toBe('p2p:a:b')
    expect(p2pId('a', 'B')).toBe('p2p:B:a')
    expect(p2pId('_', 'a')).toBe('p2p:_:a')
  })

  test('is read back as what it was made of', () => {
    expect(parseStream(p2pId('b', 'a'))).toEqual({ kind: 'p2p', users: ['a', 'b'] })
    expect(parseStream(p2pId('a', 'a'))).toEqual({ kind: 'p2p', users: ['a', 'a'] })
    expect(parseStream(groupStream('x'))).toEqual({ kind: 'group', groupId: 'x' })
    expect(parseStream(roomStream('x'))).toEqual({ kind: 'room', roomId: 'x' })
    expect(parseStream(userStream('x'))).toEqual({ kind: 'user', userId: 'x' })
  })

  test.each([
    '',
    'p2p:b:a',
    'p2p:a',
    'p2p:a:b:c',
    'p2p::',
    'g:',
    'g:a:b',
    'u:a b',
    'x:1',
    'a',
    'P2P:a:b',
    ' g:a',
  ])('%j names no stream', (text) => {
    expect(parseStream(text)).toBeNull()
  })
})

describe('a packId', () => {
  const text = '018bcfe5-6800-7000-8000-0000000000ff'

  test('goes to bytes and back, and carries its time', () => {
    const bytes = parsePackId(text) as Buffer
    expect(bytes).toHaveLength(16)
    expect(formatPackId(bytes)).toBe(text)
    expect(packIdTime(bytes)).toBe(0x018bcfe56800)
  })

  test.each([
    text.toUpperCase(),
    text.replace('-7', '-4'),
    text.replace('-8', '-c'),
    text.slice(1),
    `${text}0`,
    `${text}\n`,
    text.replaceAll('-', ''),
    7,
    null,
  ])('%j is refused', (value) => {
    expect(parsePackId(value)).toBeNull()
  })

  test('makes the same group id for its creator at every retry, and another for another', () => {
    const id = parsePackId(text) as Buffer
    const other = parsePackId(text.replace('ff', 'fe')) as Buffer
    expect(newGroupId('a', id)).toBe(newGroupId('a', Buffer.from(id)))
    expect(newGroupId('a', id)).toMatch(/^[0-9a-f]{32}$/)
    expect(new Set([newGroupId('a', id), newGroupId('b', id), newGroupId('a', other)]).size).toBe(3)
    expect(formatPackId(id)).toBe(text)
  })
})
