/**
 * Opens sealed contents by the records of im.keys: written for the checker, from decision 29. Knows whole keys only, as nothing is
 * erased in a run.
 */
import { createDecipheriv, createHash } from 'node:crypto'
import type { Row, Schemas } from './avro.ts'
import type { Raw } from './types.ts'

/** The content of a message's or an edit's row, in clear. Throws where it cannot be opened. */
export type Opener = (row: Row) => Buffer

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

/** `secret`: text of the file that the platform was given. */
export function openerOf(schemas: Schemas, keys: readonly Raw[], secret: string): Opener {
  const wrapping = sha256(secret)
  const roots = new Map<string, Buffer>()
  for (const { value } of keys) {
    const row = value && readable(schemas, value)
    if (!row) continue
    const { id, tree } = row
    const nodes = unsealed('aes-256-gcm', wrapping, tree as Buffer, String(id))
    if (nodes.length !== 17 || nodes[0] !== 0) throw new Error(`${id} is no whole key`)
    roots.set(String(id), nodes.subarray(1))
  }
  return ({ keyId, packId, content }) => {
    if (keyId === null) return content as Buffer
    let seed = roots.get(String(keyId))
    if (!seed) throw new Error(`no key ${String(keyId)}`)
    const made = new Date((packId as Buffer).readUIntBE(0, 6))
    const month = (made.getUTCFullYear() - 1970) * 12 + made.getUTCMonth()
    const path =
      month.toString(16).padStart(3, '0') +
      sha256(packId as Buffer)
        .toString('hex')
        .slice(0, 8)
    for (const digit of path) seed = sha256(seed, digit).subarray(0, 16)
    return unsealed('aes-128-gcm', seed, content as Buffer)
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
