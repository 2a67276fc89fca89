/**
 * Snapshots of a fold: only ever of records read back through accept(), never of decided state. All slices show one
 * position: a stream that is about to change is copied first. Losing or rolling back a snapshot costs time, never truth.
 */
import { createHash } from 'node:crypto'
import type { Position } from '../schemas/accept.ts'
import type { SnapshotChunk } from '../schemas/records.ts'
import { emptyFold, type Fold } from './fold.ts'
import { parseState, type StreamState, serializeState } from './state.ts'

/** Raised whenever `evolve` learns to keep something it did not keep before; older snapshots are then ignored. */
export const FOLD_VERSION = 1
/** Slots rotate, so that a snapshot being written never destroys the newest complete one. */
export const SNAPSHOT_SLOTS = 3
const CHUNK_BYTES = 400_000

export const snapshotKey = (partition: number, slot: number, chunk: number): string =>
  `${partition}/${slot}/${chunk}`

export interface Snapshotter {
  /** Copies about `streams` more; true when all are copied. */
  step(streams: number): boolean
  /** The finished slices, in order. */
  finish(): SnapshotChunk[]
  /** Lets go of the fold without a result. */
  abandon(): void
}

/** Begins a snapshot of the fold as it is now. One at a time per fold. */
export function beginSnapshot(fold: Fold, id: string): Snapshotter {
  const { position, now } = fold
  const waiting = new Map(fold.streams)
  const texts: string[] = []
  const copy = (state: StreamState) => {
    if (waiting.delete(state.stream)) texts.push(serializeState(state))
  }
  const abandon = () => {
    fold.beforeChange = null
  }
  fold.beforeChange = copy
  return {
    step(streams) {
      let left = streams
      for (const state of waiting.values()) {
        if (left-- === 0) break
        copy(state)
      }
      return waiting.size === 0
    },
    finish() {
      abandon()
      return chunksOf(texts, { id, now, position })
    },
    abandon,
  }
}

function chunksOf(texts: string[], head: { id: string; now: number; position: Position }): SnapshotChunk[] {
  const bodies: Buffer[] = []
  let lines: string[] = []
  let size = 0
  const flush = () => {
    bodies.push(Buffer.from(lines.join('\n'), 'utf8'))
    lines = []
    size = 0
  }
  for (const text of texts) {
    if (size > 0 && size + text.length > CHUNK_BYTES) flush()
    lines.push(text)
    size += text.length
  }
  if (lines.length > 0 || bodies.length === 0) flush()
  const hash = hashOf(bodies)
  const { id, now, position } = head
  return bodies.map((body, chunk) => ({
    id,
    ...position,
    now,
    foldVersion: FOLD_VERSION,
    chunk,
    chunks: bodies.length,
    hash,
    body,
  }))
}

function hashOf(bodies: readonly Buffer[]): Buffer {
  const hash = createHash('sha256')
  for (const body of bodies) hash.update(body)
  return hash.digest()
}

/** Folds that can be rebuilt from these slices, newest first; incomplete, mixed and damaged ones are left out. */
export function completeSnapshots(chunks: readonly SnapshotChunk[]): SnapshotChunk[][] {
  const byId = new Map<string, SnapshotChunk[]>()
  for (const chunk of chunks) {
    if (chunk.foldVersion !== FOLD_VERSION) continue
    const found = byId.get(chunk.id) ?? []
    found[chunk.chunk] = chunk
    byId.set(chunk.id, found)
  }
  const complete = [...byId.values()].filter((slices) => {
    const [first] = slices
    if (!first || slices.length !== first.chunks || slices.includes(undefined as never)) return false
    return hashOf(slices.map((slice) => slice.body)).equals(first.hash)
  })
  return complete.sort(([a], [b]) => {
    const [left, right] = [a as SnapshotChunk, b as SnapshotChunk]
    return right.generation - left.generation || right.offset - left.offset
  })
}

/** The position that a snapshot's fold has reached. */
export function positionOf(slices: readonly SnapshotChunk[]): Position {
  const { generation, offset, epoch, last } = slices[0] as SnapshotChunk
  return { generation, offset, epoch, last }
}

/** Throws when a body is not what serializeState wrote. */
export function restoreSnapshot(slices: readonly SnapshotChunk[]): Fold {
  const fold = emptyFold(positionOf(slices))
  fold.now = slices[0]?.now ?? 0
  for (const slice of slices) {
    if (slice.body.length === 0) continue
    for (const line of slice.body.toString('utf8').split('\n')) {
      const state = parseState(line)
      fold.streams.set(state.stream, state)
    }
  }
  return fold
}
