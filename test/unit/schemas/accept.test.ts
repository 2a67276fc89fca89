import { describe, expect, test } from 'vitest'
import {
  advance,
  formatPosition,
  type Position,
  parsePosition,
  START,
  type Verdict,
  verdictOf,
} from '../../../schemas/accept.ts'

const at: Position = { generation: 2, offset: 100, epoch: 50, last: 9 }
const event = (generation: number, epoch: number, source: number) =>
  ({ kind: 'event', generation, epoch, source }) as const
const claim = (generation: number, source = 0) => ({ kind: 'claim', generation, epoch: -1, source }) as const

describe('which records count', () => {
  test.each<[string, ReturnType<typeof event>, Verdict]>([
    ['the next source under the claim in force', event(2, 50, 10), 'accept'],
    ['the last source again', event(2, 50, 9), 'duplicate'],
    ['an early source again', event(2, 50, 0), 'duplicate'],
    ['a source above the next one', event(2, 50, 11), 'hole'],
    ['an older claim’s, though its source is the next', event(2, 49, 10), 'stale'],
    ['an older claim’s, whatever its source', event(2, 49, 99), 'stale'],
    ['an older generation’s, though its epoch is greater', event(1, 99, 10), 'stale'],
    ['a claim never seen', event(2, 51, 10), 'missed-claim'],
    ['a claim never seen, though its source came before', event(2, 51, 3), 'missed-claim'],
    ['a generation never opened', event(3, 50, 10), 'missed-claim'],
    ['a generation never opened, of a lower epoch', event(3, 1, 10), 'missed-claim'],
  ])('%s: %j is %s', (_, record, verdict) => {
    expect(verdictOf(at, 100, record)).toBe(verdict)
    for (const kind of ['rejection', 'repeat'] as const)
      expect(verdictOf(at, 100, { ...record, kind })).toBe(verdict)
  })

  test('a claim of this generation or a later one is in force from there on; of an earlier one it is stale', () => {
    expect(verdictOf(at, 100, claim(2))).toBe('claim')
    expect(verdictOf(at, 100, claim(3))).toBe('claim')
    expect(verdictOf(at, 100, claim(1))).toBe('stale')
  })

  test('what lies below the position was judged before', () => {
    expect(verdictOf(at, 99, event(2, 50, 10))).toBe('duplicate')
    expect(verdictOf(at, 99, claim(3))).toBe('duplicate')
  })

  test('before the first claim nothing counts', () => {
    expect(verdictOf(START, 0, event(0, 0, 0))).toBe('missed-claim')
    expect(verdictOf(START, 0, claim(0))).toBe('claim')
  })
})

describe('where a reader stands behind a record', () => {
  test('an accepted one moves the source', () => {
    expect(advance(at, 100, event(2, 50, 10), 'accept')).toEqual({ ...at, offset: 101, last: 10 })
  })

  test.each<Verdict>(['stale', 'duplicate', 'hole'])('a %s one moves the offset only', (verdict) => {
    expect(advance(at, 100, event(2, 50, 12), verdict)).toEqual({ ...at, offset: 101 })
  })

  test('a claim of this generation keeps the source, whatever it says', () => {
    expect(advance(at, 100, claim(2, 77), 'claim')).toEqual({
      generation: 2,
      offset: 101,
      epoch: 100,
      last: 9,
    })
  })

  test('a claim of a later generation begins where it says', () => {
    expect(advance(at, 100, claim(3, 77), 'claim')).toEqual({
      generation: 3,
      offset: 101,
      epoch: 100,
      last: 76,
    })
    expect(advance(START, 0, claim(0, 0), 'claim')).toEqual({ generation: 0, offset: 1, epoch: 0, last: -1 })
  })
})

describe('a stored position', () => {
  test('is read back as it was', () => {
    for (const position of [START, at]) expect(parsePosition(formatPosition(position))).toEqual(position)
  })

  test.each([null, undefined, '', '1.2.3', '1.2.3.4.5', 'a.b.c.d', '1.2.3.x', '1e400.1.1.1'])(
    '%j is none',
    (text) => {
      expect(parsePosition(text)).toBeNull()
    },
  )
})
