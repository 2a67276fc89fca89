/** Opens sealed contents by the records of im.keys: written for the checker, from decision 29. */
import { createDecipheriv, createHash } from 'node:crypto'
import type { Row, Schemas } from './avro.ts'
import type { Raw } from './types.ts'

/** The content of a message's or an edit's row, in clear; null: it was erased. Throws where it cannot be opened for any other reason. */
export type Opener = (row: Row) => Buffer | null

const sha256 = (...parts: (Buffer | string)[]): Buffer => {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest()
}

function unsealed(cipher: 'aes-128-gcm' | 'aes-256-gcm', key: Buffer, bytes: Buffer, bound = ''): Buffer {
  const decipher = createDecipheriv(cipher, key, bytes.subarray(0, 12))
  decipher.setAuthTag(bytes.subarray(-16))
  if (bound !== '') decipher.setAAD(Buffer.from(bound))
  return Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()])
}

/** Nodes by their paths: those that are left, of which none lies below another. */
type Nodes = ReadonlyMap<string, Buffer>

const seedBytes = 16
/** So much of a path stands in the id of a part of a key, behind a slash: it counts instead of what the whole key holds of it. */
const partDigits = 4

function nodesIn(bytes: Buffer): Nodes {
  const nodes = new Map<string, Buffer>()
  for (let at = 0; at < bytes.length; ) {
    const from = at + 1
    const to = from + bytes.readUInt8(at)
    at = to + seedBytes
    nodes.set(bytes.toString('latin1', from, to), bytes.subarray(to, at))
  }
  return nodes
}

/** Null: it was cut out, and what is left gives it no more. */
function seedAt(nodes: Nodes, path: string): Buffer | null {
  for (let length = 0; length <= path.length; length++) {
    let seed = nodes.get(path.slice(0, length))
    if (!seed) continue
    for (const digit of path.slice(length)) seed = sha256(seed, digit).subarray(0, seedBytes)
    return seed
  }
  return null
}

function pathOf(packId: Buffer): string {
  const made = new Date(packId.readUIntBE(0, 6))
  const month = (made.getUTCFullYear() - 1970) * 12 + made.getUTCMonth()
  return month.toString(16).padStart(3, '0') + sha256(packId).toString('hex').slice(0, 8)
}

/** By the newest record of each key, as compaction leaves them. `secret`: text of the file that the platform was given. */
export function openerOf(schemas: Schemas, keys: readonly Raw[], secret: string): Opener {
  const wrapping = sha256(secret)
  const newest = new Map<string, Row>()
  for (const { value } of keys) {
    const row = value && readable(schemas, value)
    if (row) newest.set(String(row.id), row)
  }
  const left = new Map<string, Nodes>()
  for (const [id, { tree }] of newest)
    left.set(id, tree === null ? new Map() : nodesIn(unsealed('aes-256-gcm', wrapping, tree as Buffer, id)))
  return ({ keyId, packId, content }) => {
    if (keyId === null) return content as Buffer
    const id = String(keyId)
    const whole = left.get(id)
    if (!whole) throw new Error(`no key ${id}`)
    // Auditors alone open what is held. What is destroyed must have nothing left that opens it.
    if (newest.get(id)?.state === 'held') return null
    const path = pathOf(packId as Buffer)
    const seed = seedAt(left.get(`${id}/${path.slice(0, partDigits)}`) ?? whole, path)
    return seed && unsealed('aes-128-gcm', seed, content as Buffer)
  }
}

/** Null: rubbish that the run put there. */
function readable(schemas: Schemas, value: Buffer): Row | null {
  try {
    return schemas.open(value).row
  } catch {
    return null
  }
}

/** Where nothing was sealed. */
export const inClear: Opener = ({ content }) => content as Buffer
