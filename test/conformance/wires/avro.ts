/** Avro frames from nothing but the tables of docs/protocol.md: what is written there must be enough. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { type Frame, withoutNulls } from './wire.ts'

interface Field {
  readonly name: string
  readonly type: string
}
type Shape = { readonly fields: readonly Field[] } | { readonly symbols: readonly string[] }

const page = path.resolve(import.meta.dirname, '../../../docs/protocol.md')

function rowsOf(text: string, table: string): string[][] {
  const body = text.split(`<!-- table:${table} -->`)[1]?.split('<!-- end -->')[0] ?? ''
  return body
    .trim()
    .split('\n')
    .slice(2)
    .map((row) => row.split('|').map((cell) => cell.trim()))
    .map(([, ...cells]) => cells)
}

const bare = (cell = ''): string => cell.replaceAll('`', '')
const shapeOf = (cell = ''): Shape =>
  cell.startsWith('`"')
    ? { symbols: [...cell.matchAll(/"(\w+)"/g)].map(([, symbol = '']) => symbol) }
    : {
        fields: [...cell.matchAll(/`(\w+)` ([\w[\]?]+)/g)].map(([, name = '', type = '']) => ({
          name,
          type,
        })),
      }

export function avroFrames(): { encode(frame: Frame): Buffer; decode(bytes: Buffer): Frame } {
  const text = readFileSync(page, 'utf8')
  const records = new Map(rowsOf(text, 'records').map(([name, fields]) => [bare(name), shapeOf(fields)]))
  const framesOf = (table: string) =>
    rowsOf(text, table).map(([type, fields, print]) => ({
      type: bare(type),
      shape: shapeOf(fields) as { fields: readonly Field[] },
      fingerprint: bare(print),
    }))
  const byType = new Map(framesOf('client-frames').map((of) => [of.type, of]))
  const byPrint = new Map(framesOf('server-frames').map((of) => [of.fingerprint, of]))

  function write(out: Buffer[], type: string, value: unknown, name: string): void {
    if (type.endsWith('?')) {
      const absent = value === null || value === undefined
      out.push(long(absent ? 0 : 1))
      if (!absent) write(out, type.slice(0, -1), value, name)
    } else if (type.endsWith('[]')) {
      const list = (value ?? []) as unknown[]
      if (list.length > 0) out.push(long(list.length))
      for (const one of list) write(out, type.slice(0, -2), one, '')
      out.push(long(0))
    } else if (type === 'boolean') out.push(Buffer.from([value === true ? 1 : 0]))
    else if (type === 'int' || type === 'long') out.push(long(value as number))
    else if (type === 'string') {
      // Content stands as JSON text.
      const bytes = Buffer.from(name === 'content' ? JSON.stringify(value) : String(value))
      out.push(long(bytes.length), bytes)
    } else {
      const shape = records.get(type)
      if (!shape || 'symbols' in shape) throw new Error(`the page has no record ${type}`)
      for (const field of shape.fields)
        write(out, field.type, (value as Record<string, unknown>)[field.name], field.name)
    }
  }

  function read(from: Reader, type: string, name: string): unknown {
    if (type.endsWith('?')) return from.long() === 0 ? null : read(from, type.slice(0, -1), name)
    if (type.endsWith('[]')) {
      const list: unknown[] = []
      for (let count = from.long(); count !== 0; count = from.long()) {
        if (count < 0) from.long()
        for (let i = 0; i < Math.abs(count); i++) list.push(read(from, type.slice(0, -2), ''))
      }
      return list
    }
    if (type === 'boolean') return from.bytes(1)[0] === 1
    if (type === 'int' || type === 'long') return from.long()
    if (type === 'bytes') return from.bytes(from.long())
    if (type === 'string') {
      const value = from.bytes(from.long()).toString('utf8')
      return name === 'content' ? JSON.parse(value) : value
    }
    const shape = records.get(type)
    if (!shape) throw new Error(`the page has no record ${type}`)
    if ('symbols' in shape) return shape.symbols[from.long()]
    return Object.fromEntries(shape.fields.map((field) => [field.name, read(from, field.type, field.name)]))
  }

  return {
    encode(frame) {
      const of = byType.get(frame.type)
      // A frame that the page does not have is sent under a fingerprint that it does not have.
      if (!of) return Buffer.from([0xc3, 0x01, 1, 2, 3, 4, 5, 6, 7, 8])
      const out: Buffer[] = [Buffer.from([0xc3, 0x01]), Buffer.from(of.fingerprint, 'hex')]
      for (const field of of.shape.fields) write(out, field.type, frame[field.name], field.name)
      return Buffer.concat(out)
    },
    decode(bytes) {
      if (bytes[0] !== 0xc3 || bytes[1] !== 0x01) throw new Error('not the single-object encoding')
      const of = byPrint.get(bytes.subarray(2, 10).toString('hex'))
      if (!of) throw new Error('a fingerprint that the page does not have')
      const from = reader(bytes.subarray(10))
      const fields = of.shape.fields.map((field) => [field.name, read(from, field.type, field.name)])
      return withoutNulls({ type: of.type, ...Object.fromEntries(fields) }) as Frame
    },
  }
}

/** Zigzag and base 128, up to 2^53. */
function long(value: number): Buffer {
  let rest = value < 0 ? -2n * BigInt(value) - 1n : 2n * BigInt(value)
  const bytes: number[] = []
  while (rest > 127n) {
    bytes.push(Number(rest & 127n) | 128)
    rest >>= 7n
  }
  return Buffer.from([...bytes, Number(rest)])
}

interface Reader {
  long(): number
  bytes(count: number): Buffer
}

function reader(bytes: Buffer): Reader {
  let at = 0
  const next = (): number => {
    const byte = bytes[at++]
    if (byte === undefined) throw new Error('the frame is cut short')
    return byte
  }
  return {
    long() {
      let value = 0n
      for (let shift = 0n; ; shift += 7n) {
        const byte = next()
        value |= BigInt(byte & 127) << shift
        if (byte < 128) return Number(value & 1n ? -(value >> 1n) - 1n : value >> 1n)
      }
    },
    bytes(count) {
      at += count
      if (at > bytes.length) throw new Error('the frame is cut short')
      return bytes.subarray(at - count, at)
    },
  }
}
