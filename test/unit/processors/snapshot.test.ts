import { describe, expect, test } from 'vitest'
import { emptyFold, foldRecord, streamIn } from '../../../processors/fold.ts'
import {
  beginSnapshot,
  completeSnapshots,
  positionOf,
  restoreSnapshot,
} from '../../../processors/snapshot.ts'
import type { GroupState, StreamState } from '../../../processors/state.ts'
import { serializeState } from '../../../processors/state-text.ts'
import { seal } from '../../../schemas/avro.ts'
import { groupStream, newGroupId } from '../../../schemas/ids.ts'
import { limits } from '../../../schemas/limits.ts'
import { records, type SnapshotChunk } from '../../../schemas/records.ts'
import { addMembers, create, packId, send, T0 } from '../../support/commands.ts'
import { claimRecord, eventRecord } from '../../support/events.ts'
import { by, scene } from '../../support/given.ts'

const ID = packId(T0, 42)
const G = groupStream(newGroupId('a', ID))

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
  while (!snapshot.step(1_000));
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

  test('shows the position it began at, whatever changes while a stream is half written', () => {
    const on = scene(G)
    on.say(by('a', create('team', 'é'), { packId: ID }))
    for (let i = 0; i < 2_500; i++) on.say(by('a', send(`${i}`)))
    const before = texts(on.fold)
    const snapshot = beginSnapshot(on.fold, 's')
    snapshot.step(1)
    snapshot.step(1)
    on.say(by('a', addMembers('b')))
    while (!snapshot.step(1)) on.say(by('b', send('on and on')))
    expect(texts(restoreSnapshot(snapshot.finish()))).toEqual(before)
  })

  test('leaves out streams that began after it', () => {
    const fold = folded(3)
    const before = texts(fold)
    const snapshot = beginSnapshot(fold, 's')
    for (let i = 0; !snapshot.step(1); i++)
      foldRecord(fold, eventRecord(4 + i, { epoch: 0, source: 3 + i, stream: `p2p:a:new${i}` }))
    expect(texts(restoreSnapshot(snapshot.finish()))).toEqual(before)
  })

  test('of many streams is cut into slices', () => {
    const fold = folded(4_000)
    const chunks = whole(fold, 's')
    expect(chunks.length).toBeGreaterThan(1)
    expect(texts(restoreSnapshot(chunks))).toEqual(texts(fold))
  })

  describe('of a group of 100,000', () => {
    const fold = emptyFold()
    const group = streamIn(fold.streams, G) as StreamState
    const { members } = group.body as GroupState
    for (let i = 0; i < limits.groupMembersMax; i++) members.add(`a-member-with-a-name-${i}`)
    Object.assign(group.body, { exists: true, large: true })
    Object.assign(group, { seq: 1 })

    test('fits into records, though its own line does not', () => {
      const chunks = whole(fold, 's')
      expect(serializeState(group).length).toBeGreaterThan(limits.recordBytesMax)
      for (const chunk of chunks)
        expect(seal(records.SnapshotChunk, chunk).length).toBeLessThan(limits.recordBytesMax / 2)
      expect(texts(restoreSnapshot(chunks))).toEqual(texts(fold))
    })

    test('is written in turns of about the length asked for', () => {
      const snapshot = beginSnapshot(fold, 's')
      let turns = 1
      while (!snapshot.step(100_000)) turns++
      const length = serializeState(group).length
      expect(turns).toBeGreaterThan(length / 150_000)
      expect(snapshot.finish().reduce((sum, { body }) => sum + body.length, 0)).toBe(length + 1)
    })

    test('shows one position, though it changes meanwhile', () => {
      const before = texts(fold)
      const snapshot = beginSnapshot(fold, 's')
      snapshot.step(100_000)
      fold.beforeChange?.(group)
      members.add('late')
      while (!snapshot.step(100_000));
      members.delete('late')
      expect(texts(restoreSnapshot(snapshot.finish()))).toEqual(before)
    })
  })
})

test('slices that end within a stream are refused', () => {
  const chunks = whole(folded(2), 's').map((chunk) => ({ ...chunk, body: chunk.body.subarray(0, -1) }))
  expect(() => restoreSnapshot(chunks)).toThrow('within a stream')
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
    ['one of another version of the fold', young.map((chunk) => ({ ...chunk, foldVersion: 1 }))],
  ])('%s is left out', (_, chunks) => {
    expect(completeSnapshots(chunks)).toEqual([])
  })
})
