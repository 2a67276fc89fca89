import { describe, expect, test } from 'vitest'
import { emptyFold, foldRecord } from '../../../processors/fold.ts'
import { T0 } from '../../support/commands.ts'
import { claimRecord, eventRecord } from '../../support/events.ts'

const AB = 'p2p:a:b'

describe('the fold of one partition', () => {
  test('counts each source once, under the claim in force', () => {
    const fold = emptyFold()
    const log = [
      claimRecord(0),
      eventRecord(1, { epoch: 0, source: 0, seq: 1 }),
      eventRecord(2, { epoch: 0, source: 0, seq: 9 }),
      claimRecord(3),
      eventRecord(4, { epoch: 0, source: 1, seq: 9 }),
      eventRecord(5, { epoch: 3, source: 2, seq: 9 }),
      eventRecord(6, { epoch: 3, source: 1, seq: 2 }),
    ]
    const verdicts = log.map((record) => foldRecord(fold, record).verdict)
    expect(verdicts).toEqual(['claim', 'accept', 'duplicate', 'claim', 'stale', 'hole', 'accept'])
    expect(fold.streams.get(AB)?.seq).toBe(2)
    expect(fold.position).toEqual({ generation: 0, offset: 7, epoch: 3, last: 1 })
  })

  test('passes over what is no envelope, and goes on behind it', () => {
    const fold = emptyFold()
    foldRecord(fold, claimRecord(0))
    for (const value of [null, Buffer.alloc(0), Buffer.from('poison')])
      expect(
        foldRecord(fold, { offset: fold.position.offset, key: null, value, timestamp: 0 }),
      ).toMatchObject({
        verdict: 'unreadable',
        envelope: null,
      })
    expect(foldRecord(fold, eventRecord(4, { epoch: 0 })).verdict).toBe('accept')
  })

  test('stops before a record of a claim that it never saw', () => {
    const fold = emptyFold()
    expect(foldRecord(fold, eventRecord(0, { epoch: 4 })).verdict).toBe('missed-claim')
    expect(fold.position.offset).toBe(0)
  })

  test('takes nothing twice when the log is delivered again from before its position', () => {
    const fold = emptyFold()
    const log = [claimRecord(0), eventRecord(1, { epoch: 0, source: 0, seq: 1, ordinal: 1 })]
    for (const record of [...log, ...log]) foldRecord(fold, record)
    expect(fold.streams.get(AB)).toMatchObject({ seq: 1, ordinal: 1, broken: false })
    expect(fold.position).toEqual({ generation: 0, offset: 2, epoch: 0, last: 0 })
  })

  test('holds a clock that never steps back', () => {
    const fold = emptyFold()
    const at = (offset: number, time: number) =>
      foldRecord(fold, eventRecord(offset, { epoch: 0, source: offset - 1, seq: offset, time }))
    foldRecord(fold, claimRecord(0))
    at(1, T0 + 5)
    at(2, T0)
    expect(fold.now).toBe(T0 + 5)
  })

  test('a record whose stream is none changes no state but counts', () => {
    const fold = emptyFold()
    foldRecord(fold, claimRecord(0))
    expect(
      foldRecord(fold, eventRecord(1, { epoch: 0, kind: 'rejection', stream: 'x:1', seq: 0 })).verdict,
    ).toBe('accept')
    expect(fold.streams.size).toBe(0)
    expect(fold.position.last).toBe(0)
  })
})
