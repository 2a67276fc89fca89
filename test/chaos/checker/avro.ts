/** Reads Avro binary by the frozen schema texts: written for the checker, from the Avro 1.11 specification. */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'

export type Value = null | boolean | number | string | Buffer | Value[] | { [field: string]: Value }
export type Row = { [field: string]: Value }

type Schema =
  | string
  | Schema[]
  | { type: 'record'; name: string; fields: { name: string; type: Schema }[] }
  | { type: 'array'; items: Schema }
  | { type: 'enum'; name: string; symbols: string[] }
  | { type: 'fixed'; name: string; size: number }

interface Known {
  readonly name: string
  readonly root: Schema
  readonly named: Map<string, Schema>
}

export interface Schemas {
  /** Opens a value that begins with C3 01 and its schema's fingerprint. Throws on anything else. */
  open(bytes: Buffer): { name: string; row: Row }
  /** Decodes a body whose schema is named by 8 bytes of fingerprint. Throws on an unknown one or a misfit. */
  body(fingerprint: Buffer, bytes: Buffer): { name: string; row: Row }
  readonly count: number
}

/** Every `.avsc` text in these folders. */
export function schemasIn(folders: readonly string[]): Schemas {
  const texts = folders.flatMap((folder) =>
    readdirSync(folder)
      .filter((file) => file.endsWith('.avsc'))
      .map((file) => readFileSync(path.join(folder, file), 'utf8').trim()),
  )
  return schemasOf(texts)
}

export function schemasOf(texts: readonly string[]): Schemas {
  const known = new Map<string, Known>()
  for (const text of texts) {
    const root = JSON.parse(text) as Schema
    const named = new Map<string, Schema>()
    collect(root, named)
    const name = typeof root === 'object' && 'name' in root ? root.name : '?'
    known.set(crc64(Buffer.from(text, 'utf8')).toString('hex'), { name, root, named })
  }
  const body = (fingerprint: Buffer, bytes: Buffer) => {
    const found = known.get(fingerprint.toString('hex'))
    if (!found) throw new Error(`no schema ${fingerprint.toString('hex')}`)
    const at = { bytes, pos: 0, named: found.named }
    const row = read(found.root, at) as Row
    if (at.pos !== bytes.length) throw new Error(`${bytes.length - at.pos} bytes behind ${found.name}`)
    return { name: found.name.split('.').at(-1) ?? found.name, row }
  }
  return {
    body,
    count: known.size,
    open(bytes) {
      if (bytes.length < 10 || bytes[0] !== 0xc3 || bytes[1] !== 0x01) throw new Error('no Avro header')
      return body(bytes.subarray(2, 10), bytes.subarray(10))
    },
  }
}

function collect(schema: Schema, named: Map<string, Schema>): void {
  if (typeof schema === 'string') return
  if (Array.isArray(schema)) {
    for (const branch of schema) collect(branch, named)
    return
  }
  if ('name' in schema) named.set(schema.name, schema)
  if (schema.type === 'record') for (const field of schema.fields) collect(field.type, named)
  if (schema.type === 'array') collect(schema.items, named)
}

interface At {
  readonly bytes: Buffer
  pos: number
  readonly named: Map<string, Schema>
}

function read(schema: Schema, at: At): Value {
  if (typeof schema === 'string') return readNamed(schema, at)
  if (Array.isArray(schema)) {
    const branch = schema[zigzag(at)]
    if (branch === undefined) throw new Error('no such branch')
    return read(branch, at)
  }
  switch (schema.type) {
    case 'record': {
      const row: Row = {}
      for (const field of schema.fields) row[field.name] = read(field.type, at)
      return row
    }
    case 'enum': {
      const symbol = schema.symbols[zigzag(at)]
      if (symbol === undefined) throw new Error('no such symbol')
      return symbol
    }
    case 'fixed':
      return take(at, schema.size)
    case 'array':
      return readArray(schema.items, at)
  }
}

function readNamed(name: string, at: At): Value {
  switch (name) {
    case 'null':
      return null
    case 'boolean':
      return take(at, 1)[0] === 1
    case 'int':
    case 'long':
      return zigzag(at)
    case 'double':
      return take(at, 8).readDoubleLE(0)
    case 'bytes':
      return take(at, zigzag(at))
    case 'string':
      return take(at, zigzag(at)).toString('utf8')
  }
  const schema = at.named.get(name)
  if (schema === undefined) throw new Error(`no type ${name}`)
  return read(schema, at)
}

function readArray(items: Schema, at: At): Value[] {
  const out: Value[] = []
  for (let count = zigzag(at); count !== 0; count = zigzag(at)) {
    // A negative count is followed by the block's size in bytes.
    if (count < 0) zigzag(at)
    for (let i = 0; i < Math.abs(count); i++) out.push(read(items, at))
  }
  return out
}

function take(at: At, length: number): Buffer {
  if (length < 0 || at.pos + length > at.bytes.length) throw new Error('bytes end early')
  at.pos += length
  return at.bytes.subarray(at.pos - length, at.pos)
}

function zigzag(at: At): number {
  let value = 0n
  for (let shift = 0n; ; shift += 7n) {
    const byte = BigInt(take(at, 1)[0] ?? 0)
    value |= (byte & 0x7fn) << shift
    if (byte < 0x80n) break
    if (shift > 63n) throw new Error('a number without an end')
  }
  return Number((value >> 1n) ^ -(value & 1n))
}

/** CRC-64-AVRO, little-endian. */
function crc64(bytes: Buffer): Buffer {
  const empty = 0xc15d213aa4d7a795n
  let crc = empty
  for (const byte of bytes) {
    crc ^= BigInt(byte)
    for (let bit = 0; bit < 8; bit++) crc = crc & 1n ? (crc >> 1n) ^ empty : crc >> 1n
  }
  const out = Buffer.alloc(8)
  out.writeBigUInt64LE(crc)
  return out
}
