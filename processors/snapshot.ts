/**
 * Snapshots of a fold: only ever of records read back through accept(), never of decided state. All slices show one
 * position: a stream that is about to change is copied first. Losing or rolling back a snapshot costs time, never truth.
 */
import { createHash } from 'node:crypto'
import type { Position } from '../schemas/accept.ts'
import type { SnapshotChunk } from '../schemas/records.ts'
import { emptyFold, type Fold } from './fold.ts'
import { cloneState, type StreamState } from './state.ts'
import { parseState, textOf } from './state-text.ts'

/** Raised whenever `evolve` learns to keep something it did not keep before; older snapshots are then ignored. */
export const FOLD_VERSION = 3
/** Slots rotate, so that a snapshot being written never destroys the newest complete one. */
export const SNAPSHOT_SLOTS = 3
/** A slice is cut at this length, wherever in a stream's line that falls. */
const SLICE_BYTES = 400_000
/** What taking up a stream costs, in bytes of text that could be written instead. */
const STREAM_COST_BYTES = 64
const NEWLINE = 10

export const snapshotKey = (partition: number, slot: number, chunk: number): string =>
  `${partition}/${slot}/${chunk}`

export interface Snapshotter {
  /** Writes about `bytes` more of the text; true when all is written. Its pieces are small, whatever a stream's size. */
  step(bytes: number): boolean
  /** The slices, in order, once step() said true. */
  finish(): SnapshotChunk[]
  /** Lets go of the fold without a result. */
  abandon(): void
}

interface Writing {
  readonly state: StreamState
  readonly pieces: Iterator<string>
}

/** Begins a snapshot of the fold as it is now. One at a time per fold. */
export function beginSnapshot(fold: Fold, id: string): Snapshotter {
  const { position, now } = fold
  // Streams that come later stand behind these in the map.
  let left = fold.streams.size
  const streams = fold.streams.values()
  const taken = new Set<StreamState>()
  /** Copies of streams that changed before their turn. */
  const aside: StreamState[] = []
  const cutter = createCutter()
  let writing: Writing | null = null

  const next = (): Writing | null => {
    const copy = aside.pop()
    if (copy) return { state: copy, pieces: textOf(copy) }
    left--
    const found = streams.next().value
    if (!found || taken.has(found)) return null
    taken.add(found)
    // To copy a large group takes 4 ms at most; to finish its text when it is about to change could take 30.
    const state = found.body.kind === 'group' && found.body.large ? cloneState(found) : found
    return { state, pieces: textOf(state) }
  }
  /** Bytes written. */
  const writePiece = ({ pieces }: Writing): number => {
    const { value, done } = pieces.next()
    if (!done) return cutter.write(value)
    writing = null
    return cutter.write('\n')
  }
  fold.beforeChange = (state) => {
    while (writing?.state === state) writePiece(writing)
    if (taken.has(state)) return
    taken.add(state)
    if (!isBlank(state)) aside.push(cloneState(state))
  }
  const abandon = () => {
    fold.beforeChange = null
  }
  return {
    step(bytes) {
      for (let spent = 0; spent < bytes; ) {
        if (writing) spent += writePiece(writing)
        else {
          if (left === 0 && aside.length === 0) return true
          writing = next()
          spent += STREAM_COST_BYTES
        }
      }
      return false
    },
    finish() {
      abandon()
      const { bodies, hash } = cutter.finish()
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
    },
    abandon,
  }
}

/** True where nothing was folded yet: the record that is about to change it makes it anew. */
const isBlank = ({ seq, broken, answers }: StreamState): boolean =>
  seq === 0 && !broken && answers.order.length === 0

/** Cuts text into slices as it comes, and hashes each when it is full. */
function createCutter() {
  const bodies: Buffer[] = []
  const hash = createHash('sha256')
  let open = Buffer.allocUnsafe(SLICE_BYTES)
  let used = 0
  const close = () => {
    const body = open.subarray(0, used)
    hash.update(body)
    bodies.push(body)
  }
  return {
    /** Bytes written. */
    write(text: string): number {
      const length = Buffer.byteLength(text, 'utf8')
      if (length <= SLICE_BYTES - used) {
        used += open.write(text, used, 'utf8')
        return length
      }
      const bytes = Buffer.from(text, 'utf8')
      for (let at = 0; at < length; ) {
        if (used === SLICE_BYTES) {
          close()
          open = Buffer.allocUnsafe(SLICE_BYTES)
          used = 0
        }
        const copied = bytes.copy(open, used, at)
        used += copied
        at += copied
      }
      return length
    },
    finish() {
      close()
      return { bodies, hash: hash.digest() }
    },
  }
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

/** Throws when the slices are not what a snapshot wrote. */
export function restoreSnapshot(slices: readonly SnapshotChunk[]): Fold {
  const fold = emptyFold(positionOf(slices))
  fold.now = slices[0]?.now ?? 0
  let rest: Buffer = Buffer.alloc(0)
  for (const { body } of slices) {
    const bytes = rest.length > 0 ? Buffer.concat([rest, body]) : body
    let from = 0
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, from)) {
      const state = parseState(bytes.toString('utf8', from, end))
      fold.streams.set(state.stream, state)
      from = end + 1
    }
    rest = bytes.subarray(from)
  }
  if (rest.length > 0) throw new Error('a snapshot ends within a stream')
  return fold
}
