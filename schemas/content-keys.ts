/**
 * Keys of contents. A user's key is the root of a tree in which every node follows from the one above it by hashing: below the root
 * the months, below a month the messages, each of which is sealed under a leaf of its own. A node that is cut out is replaced by its
 * siblings up to the root: they still give every other leaf, and that one never again. So one message, a month or all of a user can be
 * destroyed in a log that cannot be changed (a puncturable pseudorandom function: Goldreich, Goldwasser, Micali 1986; Boneh, Waters
 * 2013). Pure.
 */
import { createCipheriv, createDecipheriv, createHmac, hash } from 'node:crypto'
import { packIdTime } from './ids.ts'

/** Nodes that are left, by their paths of hexadecimal digits; none contains another. Whole: the root alone, at ''. Empty: destroyed. */
export type KeyTree = ReadonlyMap<string, Buffer>

export const SEED_BYTES = 16
/**
 * Digits of a path that stand for the month since 1970, and for the message within it: 32 bits of a hash. Of a user with 3,000 messages
 * in a month, the destruction of one takes another with it once in a million times.
 */
export const MONTH_DIGITS = 3
const MESSAGE_DIGITS = 8
const PATH_DIGITS = MONTH_DIGITS + MESSAGE_DIGITS
/** A part of the tree with so long a path gets a record of its own when something in it is cut out, so that none grows too large. */
export const PART_DIGITS = MONTH_DIGITS + 1
const DIGITS = [...'0123456789abcdef']
const SCRATCH = Buffer.alloc(SEED_BYTES + 1)

export const wholeTree = (seed: Buffer): KeyTree => new Map([['', seed]])

/** Of the month that a time in ms lies in, UTC; the first digits of the path of each message whose packId was made in it. */
export function monthPath(time: number): string {
  const date = new Date(time)
  const months = (date.getUTCFullYear() - 1970) * 12 + date.getUTCMonth()
  return Math.max(0, months).toString(16).padStart(MONTH_DIGITS, '0').slice(-MONTH_DIGITS)
}

export const messagePath = (packId: Buffer): string =>
  monthPath(packIdTime(packId)) + hash('sha256', packId, 'hex').slice(0, MESSAGE_DIGITS)

/** As a string a hash costs a third of what it does as a Buffer. */
function below(seed: Buffer, path: string): Buffer {
  seed.copy(SCRATCH)
  for (const digit of path) {
    SCRATCH[SEED_BYTES] = digit.charCodeAt(0)
    SCRATCH.write(hash('sha256', SCRATCH, 'binary'), 0, SEED_BYTES, 'latin1')
  }
  return Buffer.from(SCRATCH.subarray(0, SEED_BYTES))
}

/** Null where it is cut out. */
export function seedAt(tree: KeyTree, path: string): Buffer | null {
  for (let length = 0; length <= path.length; length++) {
    const found = tree.get(path.slice(0, length))
    if (found) return below(found, path.slice(length))
  }
  return null
}

/** The tree without what lies at and below `path`. */
export function without(tree: KeyTree, path: string): KeyTree {
  const left = new Map([...tree].filter(([at]) => !at.startsWith(path)))
  const above = [...left.keys()].find((at) => path.startsWith(at))
  if (above === undefined) return left
  let seed = left.get(above) as Buffer
  left.delete(above)
  for (let length = above.length; length < path.length; length++) {
    const taken = path.charAt(length)
    const at = path.slice(0, length)
    for (const digit of DIGITS) if (digit !== taken) left.set(at + digit, below(seed, digit))
    seed = below(seed, taken)
  }
  return left
}

const LENGTH_BYTES = 1

export function encodeTree(tree: KeyTree): Buffer {
  const parts: Buffer[] = []
  for (const [path, seed] of tree) parts.push(Buffer.from([path.length]), Buffer.from(path, 'latin1'), seed)
  return Buffer.concat(parts)
}

/** Throws RangeError on bytes that are no tree. */
export function decodeTree(bytes: Buffer): KeyTree {
  const tree = new Map<string, Buffer>()
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readUInt8(at)
    const end = at + LENGTH_BYTES + length
    if (length > PATH_DIGITS || end + SEED_BYTES > bytes.length) throw new RangeError('no tree of keys')
    at = end + SEED_BYTES
    tree.set(bytes.toString('latin1', end - length, end), bytes.subarray(end, at))
  }
  return tree
}

const NONCE_BYTES = 12
const TAG_BYTES = 16
/** What sealing adds to a content. */
export const SEAL_BYTES = NONCE_BYTES + TAG_BYTES

/**
 * AES-128-GCM under the message's own leaf. The nonce follows from key and content: the same message that is sent again gives the
 * same bytes, so that it is known as a repeat, and another content under a packId that was used never meets the same nonce.
 */
export function sealContent(leaf: Buffer, content: Buffer): Buffer {
  const nonce = createHmac('sha256', leaf).update(content).digest().subarray(0, NONCE_BYTES)
  const cipher = createCipheriv('aes-128-gcm', leaf, nonce)
  return Buffer.concat([nonce, cipher.update(content), cipher.final(), cipher.getAuthTag()])
}

/** Null where the bytes are not what was sealed under this leaf. */
export const openContent = (leaf: Buffer, sealed: Buffer): Buffer | null =>
  opened('aes-128-gcm', leaf, sealed)

/** AES-256-GCM under the platform's secret (32 bytes), with a nonce made as for contents; a tree is bound to its record by `id`. */
export function wrap(secret: Buffer, id: string, tree: KeyTree): Buffer {
  const bytes = encodeTree(tree)
  const nonce = createHmac('sha256', secret)
    .update(id)
    .update('\0')
    .update(bytes)
    .digest()
    .subarray(0, NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', secret, nonce).setAAD(Buffer.from(id))
  return Buffer.concat([nonce, cipher.update(bytes), cipher.final(), cipher.getAuthTag()])
}

/** Null: wrapped under another secret, or for another id. */
export function unwrap(secret: Buffer, id: string, wrapped: Buffer): KeyTree | null {
  const bytes = opened('aes-256-gcm', secret, wrapped, Buffer.from(id))
  return bytes && decodeTree(bytes)
}

function opened(
  algorithm: 'aes-128-gcm' | 'aes-256-gcm',
  key: Buffer,
  sealed: Buffer,
  bound?: Buffer,
): Buffer | null {
  if (sealed.length < SEAL_BYTES) return null
  const end = sealed.length - TAG_BYTES
  const decipher = createDecipheriv(algorithm, key, sealed.subarray(0, NONCE_BYTES))
  decipher.setAuthTag(sealed.subarray(end))
  if (bound) decipher.setAAD(bound)
  const content = Buffer.from(decipher.update(sealed.subarray(NONCE_BYTES, end)))
  try {
    decipher.final()
    return content
  } catch {
    return null
  }
}
