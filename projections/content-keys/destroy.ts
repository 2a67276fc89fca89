/** What is to be written on im.keys so that contents cannot be opened any more. Pure. */
import {
  encodeTree,
  type KeyTree,
  messagePath,
  PART_DIGITS,
  seedAt,
  without,
  wrap,
} from '../../schemas/content-keys.ts'
import type { ContentKey } from '../../schemas/records.ts'
import { isPart, type KeyRing, partId } from './ring.ts'

export interface SealedMessage {
  readonly keyId: string
  readonly packId: Buffer
}

export interface Written {
  /** Who does it, and when in ms. */
  readonly by: string
  readonly at: number
}

/** A record must fit into the log: some 450 messages at random in one sixteenth of a user's month. */
export const TREE_BYTES_MAX = 900_000

export interface Cut {
  /** To be written in this order: a part counts instead of what it was a part of, which is cut behind it. */
  readonly keys: readonly ContentKey[]
  /** For which there is no room: they stay as they are. */
  readonly left: readonly SealedMessage[]
}

/** Cuts messages out of the keys that seal them; what is destroyed already is passed over. */
export function cutMessages(
  ring: KeyRing,
  secret: Buffer,
  messages: readonly SealedMessage[],
  written: Written,
): Cut {
  const parts = new Map<string, { keyId: string; path: string; tree: KeyTree; cuts: number }>()
  const roots = new Map<string, KeyTree>()
  const left: SealedMessage[] = []
  for (const message of messages) {
    const { keyId, packId } = message
    const root = ring.get(keyId)
    if (!root || root.state === 'destroyed') continue
    const path = messagePath(packId)
    const id = partId(keyId, path)
    const of = path.slice(0, PART_DIGITS)
    const part = parts.get(id) ?? { keyId, path: of, tree: partTree(ring, keyId, id, of), cuts: 0 }
    parts.set(id, part)
    const tree = without(part.tree, path)
    if (tree.size === part.tree.size && seedAt(part.tree, path) === null) continue
    if (encodeTree(tree).length > TREE_BYTES_MAX) left.push(message)
    else Object.assign(part, { tree, cuts: part.cuts + 1 })
  }
  const keys: ContentKey[] = []
  for (const [id, { keyId, path, tree, cuts }] of parts) {
    const root = roots.get(keyId) ?? ring.tree(keyId)
    const rest = without(root, path)
    // Cut behind a part that was written before, where its writer died in between.
    if (seedAt(root, path) !== null) roots.set(keyId, rest)
    if (cuts > 0) keys.push(next(ring, secret, id, keyId, tree, written))
  }
  for (const [keyId, tree] of roots) keys.push(next(ring, secret, keyId, keyId, tree, written))
  return { keys, left }
}

function partTree(ring: KeyRing, keyId: string, id: string, path: string): KeyTree {
  if (ring.get(id)) return ring.tree(id)
  const seed = seedAt(ring.tree(keyId), path)
  return new Map(seed ? [[path, seed]] : [])
}

function next(
  ring: KeyRing,
  secret: Buffer,
  id: string,
  keyId: string,
  tree: KeyTree,
  written: Written,
): ContentKey {
  const root = ring.get(keyId) as ContentKey
  const version = (ring.get(id)?.version ?? -1) + 1
  const { state, heldUntil, madeAt } = root
  return { id, version, state, heldUntil, tree: wrap(secret, id, tree), madeAt, ...written }
}

/** Nobody but an auditor reads what this user has written so far, and he only until then (ms). What he writes later has another key. */
export const holdUser = (ring: KeyRing, user: string, until: number, written: Written): ContentKey[] =>
  keysOf(ring, user)
    .filter((key) => key.state === 'live' && !isPart(key.id))
    .map((key) => ({ ...key, version: key.version + 1, state: 'held', heldUntil: until, ...written }))

/** Nobody reads it ever again. `due`: only what was held until then (ms); its parts go with it. */
export function destroyUser(ring: KeyRing, user: string, due: number | null, written: Written): ContentKey[] {
  const all = keysOf(ring, user)
  const gone = new Set(
    all
      .filter(
        ({ id, state, heldUntil }) => !isPart(id) && state !== 'destroyed' && isDue(state, heldUntil, due),
      )
      .map(({ id }) => id),
  )
  return all
    .filter(({ id, tree }) => tree !== null && gone.has(isPart(id) ? id.slice(0, id.indexOf('/')) : id))
    .map((key) => ({
      ...key,
      version: key.version + 1,
      state: 'destroyed',
      heldUntil: null,
      tree: null,
      ...written,
    }))
}

const isDue = (state: ContentKey['state'], heldUntil: number | null, due: number | null): boolean =>
  due === null || (state === 'held' && (heldUntil ?? 0) <= due)

const keysOf = (ring: KeyRing, user: string): ContentKey[] =>
  ring.ofUser(user).map((id) => ring.get(id) as ContentKey)
