import { describe, expect, test } from 'vitest'
import { emptyFold, foldRecord } from '../../../processors/fold.ts'
import {
  beginSnapshot,
  completeSnapshots,
  positionOf,
  restoreSnapshot,
} from '../../../processors/snapshot.ts'
import { serializeState } from '../../../processors/state-text.ts'
import type { SnapshotChunk } from '../../../schemas/records.ts'
import { claimRecord, eventRecord } from '../../support/events.ts'

function folded(streams: number) {
  const fold = emptyFold()
  foldRecord(fold, claimRecord(0))
  for (let i = 0; i < streams; i++)
    foldRecord(fold, eventRecord(i + 1, { epoch: 0, source: i, stream: `p2p:a:b${i}`, seq: 1, ordinal: 1 }))
  return fold
}
const texts = (fold: ReturnType<typeof emptyFold>) => [...fold.streams.values()].map(serializeState).sort()
const whole = (fold: ReturnType<typeof emptyFold>, id: string) => {
  const snapshot = beginSnapshot(fold, id)
  while (!snapshot.step(3));
  return snapshot.finish()
}

describe('a snapshot', () => {
  test('restores the fold it was taken of', () => {
    const fold = folded(20)
    const restored = restoreSnapshot(whole(fold, 's'))
    expect(texts(restored)).toEqual(texts(fold))
    expect(restored).toMatchObject({ position: fold.position, now: fold.now })
  })

  test('of nothing restores nothing', () => {
    expect(restoreSnapshot(whole(emptyFold(), 's')).streams.size).toBe(0)
  })

  test('shows one position, though the fold goes on while it is taken', () => {
    const fold = folded(10)
    const before = texts(fold)
    const { position } = fold
    const snapshot = beginSnapshot(fold, 's')
    for (let i = 0; !snapshot.step(1); i++)
      foldRecord(
        fold,
        eventRecord(11 + i, {
          epoch: 0,
          source: 10 + i,
          stream: `p2p:a:b${9 - (i % 10)}`,
          seq: 2,
          ordinal: 2,
        }),
      )
    const restored = restoreSnapshot(snapshot.finish())
    expect(texts(restored)).toEqual(before)
    expect(restored.position).toEqual(position)
    expect(fold.beforeChange).toBeNull()
  })

  test('of many streams is cut into slices', () => {
    const fold = folded(4_000)
    const chunks = whole(fold, 's')
    expect(chunks.length).toBeGreaterThan(1)
    expect(texts(restoreSnapshot(chunks))).toEqual(texts(fold))
  })
})

describe('of what stands on the topic', () => {
  const old = whole(folded(4_000), 'old')
  const young = whole(folded(4_001), 'young')

  test('the newest complete one comes first', () => {
    expect(completeSnapshots([...young, ...old]).map((slices) => slices[0]?.id)).toEqual(['young', 'old'])
    expect(positionOf(young).offset).toBe(4_002)
  })

  test('a later generation is newer, whatever its offset', () => {
    const next = whole(folded(1), 'next').map((chunk) => ({ ...chunk, generation: 1 }))
    expect(completeSnapshots([...young, ...next])[0]?.[0]?.id).toBe('next')
  })

  test.each<[string, SnapshotChunk[]]>([
    ['a slot that holds slices of two', [...young.slice(0, 1), ...old.slice(1)]],
    ['one whose last slice is missing', young.slice(0, -1)],
    ['one whose first slice is missing', young.slice(1)],
    ['a damaged one', young.map((chunk) => ({ ...chunk, body: Buffer.from(chunk.body).fill(32, 0, 1) }))],
    ['one of another version of the fold', young.map((chunk) => ({ ...chunk, foldVersion: 0 }))],
  ])('%s is left out', (_, chunks) => {
    expect(completeSnapshots(chunks)).toEqual([])
  })
})
