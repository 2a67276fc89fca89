/** Keys of contents, folded from im.keys. Pure. */
import { open } from '../../schemas/avro.ts'
import { history } from '../../schemas/codec.ts'
import {
  type KeyTree,
  MONTH_DIGITS,
  messagePath,
  PART_DIGITS,
  seedAt,
  unwrap,
  wholeTree,
} from '../../schemas/content-keys.ts'
import { Fault } from '../../schemas/ports.ts'
import { type ContentKey, records } from '../../schemas/records.ts'

/** Nothing opens it any more; or no record of such a key was read. */
export type NoLeaf = 'destroyed' | 'unknown'

export interface KeyRing {
  /** The key, where the record changes something. Throws Undecodable on a record that cannot be read. */
  apply(value: Buffer): ContentKey | null
  get(id: string): ContentKey | undefined
  /** The id under which this user's contents are sealed; null: he has no live key. */
  newest(user: string): string | null
  /** Ids of this user's keys, parts of trees included. */
  ofUser(user: string): string[]
  /**
   * The key that seals the message with this packId. `held`: also where it is held for auditors. Throws Fault `wrong_keys_secret`
   * where the secret is not the one under which the key was wrapped.
   */
  leaf(keyId: string, packId: Buffer, held?: boolean): Buffer | NoLeaf
  /** The nodes that are left of this record. Throws as `leaf` does. */
  tree(id: string): KeyTree
  /** Throws as `leaf` does, where there is any key. */
  check(): void
  all(): Iterable<ContentKey>
  size(): number
}

const MARK = '~'
/** Ids of users hold no such mark. */
export const userOf = (id: string): string => id.slice(0, id.indexOf(MARK))
export const keyIdOf = (user: string, suffix: string): string => user + MARK + suffix
export const partId = (keyId: string, path: string): string => `${keyId}/${path.slice(0, PART_DIGITS)}`
export const isPart = (id: string): boolean => id.includes('/')
const pathOf = (part: string): string => part.slice(part.indexOf('/') + 1)

const TREES_MAX = 50_000
const MONTHS_MAX = 100_000

/**
 * `secret`: 32 bytes. `partsFrom`: parts of the months before this path are not kept: of whatever was cut into then, nothing is opened.
 */
export function createKeyRing(secret: Buffer, partsFrom: () => string = () => ''): KeyRing {
  const byId = new Map<string, ContentKey>()
  const byUser = new Map<string, string[]>()
  /** Unwrapped; the one that was unwrapped first goes first. */
  const trees = new Map<string, KeyTree>()
  /** Nodes of months, below which most of what is asked for lies; until anything is cut out. */
  const months = new Map<string, KeyTree>()

  function treeOf(id: string): KeyTree {
    const known = trees.get(id)
    if (known) return known
    const wrapped = byId.get(id)?.tree ?? null
    const tree = wrapped === null ? new Map<string, Buffer>() : unwrap(secret, id, wrapped)
    if (!tree)
      throw new Fault(
        'wrong_keys_secret',
        'the keys of contents were wrapped under another secret: LONGWIRE_KEYS_SECRET_FILE must name the file that was in use then',
        { retriable: false },
      )
    if (trees.size >= TREES_MAX) trees.delete(trees.keys().next().value as string)
    trees.set(id, tree)
    return tree
  }

  function monthOf(keyId: string, path: string): KeyTree | null {
    const name = `${keyId}/${path}`
    const known = months.get(name)
    if (known) return known
    const seed = seedAt(treeOf(keyId), path)
    if (!seed) return null
    if (months.size >= MONTHS_MAX) months.delete(months.keys().next().value as string)
    const tree = wholeTree(seed)
    months.set(name, tree)
    return tree
  }

  return {
    apply(value) {
      const key = open(records.ContentKey, value, history)
      const known = byId.get(key.id)
      if (known && known.version >= key.version) return null
      if (isPart(key.id) && pathOf(key.id) < partsFrom()) return null
      byId.set(key.id, key)
      trees.delete(key.id)
      if (known) months.clear()
      if (!known) {
        const user = userOf(key.id)
        const ids = byUser.get(user)
        if (ids) ids.push(key.id)
        else byUser.set(user, [key.id])
      }
      return key
    },
    get: (id) => byId.get(id),
    newest(user) {
      let oldest: ContentKey | null = null
      for (const id of byUser.get(user) ?? []) {
        const key = byId.get(id) as ContentKey
        if (key.state !== 'live' || isPart(id)) continue
        if (!oldest || key.madeAt < oldest.madeAt || (key.madeAt === oldest.madeAt && id < oldest.id))
          oldest = key
      }
      return oldest?.id ?? null
    },
    ofUser: (user) => [...(byUser.get(user) ?? [])],
    leaf(keyId, packId, held = false) {
      const root = byId.get(keyId)
      if (!root) return 'unknown'
      if (root.state === 'destroyed' || (root.state === 'held' && !held)) return 'destroyed'
      const path = messagePath(packId)
      const part = partId(keyId, path)
      if (byId.has(part)) return seedAt(treeOf(part), path) ?? 'destroyed'
      const month = monthOf(keyId, path.slice(0, MONTH_DIGITS))
      const seed = month
        ? seedAt(month, path.slice(MONTH_DIGITS))
        : // Something in this month was cut out.
          seedAt(treeOf(keyId), path)
      return seed ?? 'destroyed'
    },
    tree: treeOf,
    check() {
      for (const { id, tree } of byId.values())
        if (tree) {
          treeOf(id)
          return
        }
    },
    all: () => byId.values(),
    size: () => byId.size,
  }
}
