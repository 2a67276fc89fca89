import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { timeIn } from '../../../projections/at/time.ts'
import { difference, isSame, totalOf } from '../../../projections/verify/archive.ts'
import { plainStream } from '../../../projections/verify/conversation.ts'
import { createFindings } from '../../../projections/verify/findings.ts'
import {
  addTo,
  createSeen,
  emptySum,
  recordHash,
  text64,
  textHash,
} from '../../../projections/verify/fingerprints.ts'
import { createFold } from '../../../projections/verify/fold.ts'
import { createSample } from '../../../projections/verify/sample.ts'
import { encodeEventPayload } from '../../../schemas/codec.ts'
import { T0 } from '../../support/commands.ts'
import { claimRecord, eventRecord } from '../../support/events.ts'
import { accepted, target } from '../../support/projections/accepted.ts'

const half = fc.integer({ min: 0, max: 2 ** 32 - 1 })
const hash64 = fc.record({ high: half, low: half })

describe('hashes of records', () => {
  test('are the first eight bytes of SHA-256 over stream, seq and payload, as the archive has them', () => {
    const payload = Buffer.from([1, 2, 255])
    const digest = createHash('sha256').update('g:a 12 ').update(payload).digest()
    const { high, low } = recordHash('g:a', 12, payload)
    expect(text64(high, low)).toBe(digest.readBigUInt64LE(0).toString())
  })

  test('sum and combine as 64-bit numbers do, in any order, and by stretches', () => {
    fc.assert(
      fc.property(fc.array(hash64, { maxLength: 50 }), fc.nat(50), (hashes, cut) => {
        const totalOfSome = (some: typeof hashes) => {
          const sum = emptySum()
          for (const one of some) addTo(sum, one)
          return totalOf(sum, some.length)
        }
        const all = totalOfSome(hashes)
        const big = hashes.map(({ high, low }) => BigInt(text64(high, low)))
        expect(all.sum).toBe(big.reduce((sum, one) => (sum + one) % 2n ** 64n, 0n))
        expect(all.xor).toBe(big.reduce((xor, one) => xor ^ one, 0n))
        expect(isSame(all, totalOfSome([...hashes].reverse()))).toBe(true)
        const rest = difference(all, totalOfSome(hashes.slice(0, cut)))
        expect(isSame(rest, totalOfSome(hashes.slice(cut)))).toBe(true)
      }),
    )
  })
})

describe('what was seen', () => {
  test('is remembered for as many as there is room for, and how many were forgotten is known', () => {
    const seen = createSeen(1_000)
    const of = (i: number) => textHash(`pack ${i}`)
    for (let i = 0; i < 10_000; i++) {
      expect(seen.add(of(i))).toBe(false)
      if (i >= 1_000) expect(seen.add(of(i - 1_000))).toBe(true)
    }
    expect(seen.forgotten()).toBe(8_000)
    expect(seen.add(of(1))).toBe(false)
  })
})

describe('the sample', () => {
  test('is the same streams in whatever order they come, at most as many as asked for', () => {
    const streams = Array.from({ length: 500 }, (_, i) => `p2p:ann:u${i}`)
    const drawn = (order: readonly string[]) => {
      const sample = createSample(50)
      for (const stream of order) {
        const { envelope, payload } = accepted({ stream }, 'MessageSent')
        sample.apply(envelope, payload)
      }
      return [...sample.streams.keys()].sort()
    }
    const some = drawn(streams)
    expect(some.length).toBeGreaterThan(10)
    expect(some.length).toBeLessThanOrEqual(50)
    expect(drawn([...streams].reverse())).toEqual(some)
  })
})

describe('a plain stream', () => {
  test('answers for any moment since: what came after it does not count', () => {
    const stream = plainStream('p2p:ann:bob')
    const put = (seq: number, ordinal: number, ...event: [Parameters<typeof accepted>[1], object?]) => {
      const { envelope, payload } = accepted({ seq, ordinal, sender: 'ann' }, ...event)
      stream.apply(envelope, payload)
    }
    put(1, 1, 'MessageSent', { mentions: ['bob'] })
    put(2, 2, 'MessageSent')
    put(3, 2, 'MessageRecalled', { target: target(1) })
    put(4, 3, 'MessageSent')
    expect(stream.unread('bob', 2, 0)).toEqual({ unread: 2, mentions: 1, mentionsAll: 0 })
    expect(stream.unread('bob', 3, 0)).toEqual({ unread: 1, mentions: 0, mentionsAll: 0 })
    expect(stream.unread('bob', 4, 2)).toMatchObject({ unread: 1 })
    expect(stream.unread('ann', 4, 0)).toMatchObject({ unread: 0 })
    expect(stream.shown(1, 2)[0]).toMatchObject({ kind: 'message', target: null })
    expect(stream.shown(1, 3)[0]).toMatchObject({ content: null, target: 3 })
  })
})

describe('the fold', () => {
  const fold = () => {
    const findings = createFindings()
    const of = createFold({
      ...{ partitions: 1, find: findings.find, sample: createSample(10) },
      ...{ commandsFrom: () => 0, packIdsMax: 100 },
    })
    return {
      of,
      found: () => Object.fromEntries(findings.kinds().map((kind) => [kind, findings.first(kind)[0]])),
    }
  }
  const at = { stream: 'p2p:a:b', seq: 1 }

  test('finds a hole of sources, a record of a claim that is not there, and time that goes backwards', () => {
    const hole = fold()
    hole.of.take(0, [claimRecord(0), eventRecord(1, { ...at, source: 1 })])
    expect(hole.found()).toEqual({ hole: 'im.events 0/1: source 1 follows -1' })
    const missed = fold()
    missed.of.take(0, [claimRecord(0), eventRecord(1, { ...at, epoch: 7 }), eventRecord(2, at)])
    expect(Object.keys(missed.found())).toEqual(['missed-claim'])
    const back = fold()
    back.of.take(0, [
      claimRecord(0),
      eventRecord(1, at),
      eventRecord(2, { ...at, seq: 2, source: 1, ordinal: 2, time: T0 - 1 }),
    ])
    expect(back.found()).toEqual({ time: `im.events 0/2: ${T0 - 1} after ${T0}` })
  })

  test('says of a payload of a later release which release to ask', () => {
    const { of, found } = fold()
    of.take(0, [claimRecord(0), eventRecord(1, { ...at, schema: Buffer.from('ffffffff'), ordinal: 0 })])
    expect(found().undecodable).toMatch(/unknown payload schema .*later release\? Run that release's verify/)
  })

  test('counts what a lost owner wrote, and holds nothing against it', () => {
    const { of, found } = fold()
    of.take(0, [claimRecord(0), claimRecord(1), eventRecord(2, at), eventRecord(3, { ...at, epoch: 1 })])
    of.take(0, [eventRecord(4, { ...at, epoch: 1 })])
    expect(found()).toEqual({})
    expect(of.counts).toMatchObject({ claims: 2, stale: 1, accepted: 1, duplicates: 1 })
  })

  test('goes through generations: each has its own sum, and only commands of the one in force are looked for', () => {
    const { of, found } = fold()
    of.take(0, [claimRecord(0), eventRecord(1, at), claimRecord(2, 1, 5)])
    of.take(0, [
      eventRecord(3, {
        ...at,
        generation: 1,
        epoch: 2,
        source: 5,
        seq: 2,
        ordinal: 2,
        ...encodeEventPayload(accepted({}, 'MessageSent').payload as never),
      }),
    ])
    expect(found()).toEqual({})
    const [partition] = of.partitions.values()
    expect(
      partition?.generations.map(({ generation, first, last, sum }) => [generation, first, last, sum.count]),
    ).toEqual([
      [0, 0, 0, 1],
      [1, 5, 5, 1],
    ])
    expect(partition?.answersFrom).toBe(5)
  })
})

describe('a time', () => {
  test.each([
    ['2026-11-22', Date.UTC(2026, 10, 22)],
    ['2026-11-22T08:30', Date.UTC(2026, 10, 22, 8, 30)],
    ['2026-11-22 08:30:01.5', Date.UTC(2026, 10, 22, 8, 30, 1, 500)],
    ['2026-11-22T08:30:00+02:00', Date.UTC(2026, 10, 22, 6, 30)],
    ['1795336202720', 1_795_336_202_720],
  ])('%s is taken as it is meant', (text, ms) => {
    expect(timeIn(text)).toBe(ms)
  })

  test.each(['', 'now', '2026-13-01', '2026-11-22T25:00Z', '22.11.2026', '12'])('%j is refused', (text) => {
    expect(() => timeIn(text)).toThrow(/is no time/)
  })
})
