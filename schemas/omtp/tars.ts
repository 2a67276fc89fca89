/**
 * Payloads in Tars: a struct as its members stand one after another, by ascending tag. A head byte holds tag (high half) and
 * type (low half), a tag from 15 on stands in a byte of its own; numbers are big-endian in the fewest bytes that hold them.
 */
import {
  complete,
  type FieldShape,
  Malformed,
  type PayloadCodec,
  type RecordShape,
  type Shape,
} from './shape.ts'
import { exact, utf8 } from './text.ts'

const INT1 = 0
const INT2 = 1
const INT4 = 2
const INT8 = 3
const FLOAT = 4
const DOUBLE = 5
const STRING1 = 6
const STRING4 = 7
const MAP = 8
const LIST = 9
const STRUCT = 10
const STRUCT_END = 11
const ZERO = 12
const BYTES = 13
const TAG_IN_HEAD_MAX = 14
const DEPTH_MAX = 32

type Value = Readonly<Record<string, unknown>>
type Parts = Buffer[]

function head(type: number, tag: number): Buffer {
  return tag <= TAG_IN_HEAD_MAX ? Buffer.from([(tag << 4) | type]) : Buffer.from([0xf0 | type, tag])
}

function writeInt(parts: Parts, tag: number, value: number): void {
  if (value === 0) {
    parts.push(head(ZERO, tag))
    return
  }
  const [type, bytes] =
    value >= -0x80 && value < 0x80
      ? [INT1, 1]
      : value >= -0x8000 && value < 0x8000
        ? [INT2, 2]
        : value >= -0x80000000 && value < 0x80000000
          ? [INT4, 4]
          : [INT8, 8]
  const body = Buffer.alloc(bytes)
  if (bytes === 8) body.writeBigInt64BE(BigInt(value))
  else body.writeIntBE(value, 0, bytes)
  parts.push(head(type, tag), body)
}

function writeString(parts: Parts, tag: number, text: string): void {
  const bytes = Buffer.from(text, 'utf8')
  if (bytes.length <= 0xff) parts.push(head(STRING1, tag), Buffer.from([bytes.length]), bytes)
  else {
    const length = Buffer.alloc(4)
    length.writeUInt32BE(bytes.length)
    parts.push(head(STRING4, tag), length, bytes)
  }
}

function writeValue(parts: Parts, tag: number, shape: Shape, value: unknown): void {
  switch (shape.kind) {
    case 'string':
      writeString(parts, tag, value as string)
      return
    case 'boolean':
      writeInt(parts, tag, value ? 1 : 0)
      return
    case 'enum':
      writeInt(parts, tag, shape.symbols.indexOf(value as string))
      return
    case 'bytes':
      parts.push(head(BYTES, tag), head(INT1, 0))
      writeInt(parts, 0, (value as Buffer).length)
      parts.push(value as Buffer)
      return
    case 'list':
      parts.push(head(LIST, tag))
      writeInt(parts, 0, (value as readonly unknown[]).length)
      for (const item of value as readonly unknown[]) writeValue(parts, 0, shape.items, item)
      return
    case 'record':
      parts.push(head(STRUCT, tag))
      writeRecord(parts, shape, value as Value)
      parts.push(head(STRUCT_END, 0))
      return
    default:
      writeInt(parts, tag, value as number)
  }
}

function writeRecord(parts: Parts, record: RecordShape, value: Value): void {
  for (const { name, number, shape } of record.fields) {
    const member = value[name]
    if (member !== null && member !== undefined) writeValue(parts, number, shape, member)
  }
}

interface Cursor {
  readonly bytes: Buffer
  /** Passes over what it does not know. */
  readonly newer: boolean
  at: number
}

/** The next `count` bytes. */
function slice(cursor: Cursor, count: number): Buffer {
  const { bytes, at } = cursor
  if (count < 0 || count > bytes.length - at) throw new Malformed('a value goes beyond the payload')
  cursor.at += count
  return bytes.subarray(at, at + count)
}

const byte = (cursor: Cursor): number => slice(cursor, 1).readUInt8(0)

function readHead(cursor: Cursor): { type: number; tag: number } {
  const first = byte(cursor)
  const tag = first >> 4
  return { type: first & 0x0f, tag: tag > TAG_IN_HEAD_MAX ? byte(cursor) : tag }
}

function readInt(cursor: Cursor, type: number): number {
  switch (type) {
    case ZERO:
      return 0
    case INT1:
      return slice(cursor, 1).readInt8(0)
    case INT2:
      return slice(cursor, 2).readInt16BE(0)
    case INT4:
      return slice(cursor, 4).readInt32BE(0)
    case INT8:
      return exact(Number(slice(cursor, 8).readBigInt64BE(0)))
    default:
      throw new Malformed('a number is of another type')
  }
}

/** A count or a length: a number of its own under tag 0. Nothing is as long as that claims before the bytes have shown it. */
function readCount(cursor: Cursor): number {
  const { type, tag } = readHead(cursor)
  if (tag !== 0) throw new Malformed('a length has another tag than 0')
  const count = readInt(cursor, type)
  if (count < 0 || count > cursor.bytes.length - cursor.at)
    throw new Malformed('a length goes beyond the payload')
  return count
}

function readString(cursor: Cursor, type: number): string {
  if (type === STRING1) return utf8(slice(cursor, byte(cursor)))
  if (type !== STRING4) throw new Malformed('a text is of another type')
  return utf8(slice(cursor, slice(cursor, 4).readUInt32BE(0)))
}

function readValue(cursor: Cursor, type: number, shape: Shape): unknown {
  switch (shape.kind) {
    case 'string':
      return readString(cursor, type)
    case 'boolean': {
      const value = readInt(cursor, type)
      if (value !== 0 && value !== 1) throw new Malformed('a boolean is neither 0 nor 1')
      return value === 1
    }
    case 'enum': {
      const index = readInt(cursor, type)
      const symbol = shape.symbols[index] ?? (cursor.newer ? String(index) : undefined)
      if (symbol === undefined) throw new Malformed('an enum has no such value')
      return symbol
    }
    case 'bytes': {
      const of = type === BYTES ? readHead(cursor) : null
      if (of?.type !== INT1 || of.tag !== 0) throw new Malformed('bytes are of another type')
      return Buffer.from(slice(cursor, readCount(cursor)))
    }
    case 'list': {
      if (type !== LIST) throw new Malformed('a list is of another type')
      const items: unknown[] = []
      for (let left = readCount(cursor); left > 0; left--) {
        const of = readHead(cursor)
        if (of.tag !== 0) throw new Malformed('an item has another tag than 0')
        items.push(readValue(cursor, of.type, shape.items))
      }
      return items
    }
    case 'record':
      if (type !== STRUCT) throw new Malformed('a struct is of another type')
      return readRecord(cursor, shape, true)
    default:
      return readInt(cursor, type)
  }
}

/** Goes past a value of whatever type. */
function pass(cursor: Cursor, type: number, depth: number): void {
  if (depth > DEPTH_MAX) throw new Malformed('it is nested too deep')
  const next = (): void => pass(cursor, readHead(cursor).type, depth + 1)
  if (type === STRING1 || type === STRING4) readString(cursor, type)
  else if (type === FLOAT) slice(cursor, 4)
  else if (type === DOUBLE) slice(cursor, 8)
  else if (type === BYTES) {
    readHead(cursor)
    slice(cursor, readCount(cursor))
  } else if (type === LIST) for (let left = readCount(cursor); left > 0; left--) next()
  else if (type === MAP) for (let left = 2 * readCount(cursor); left > 0; left--) next()
  else if (type === STRUCT) {
    for (let member = readHead(cursor).type; member !== STRUCT_END; member = readHead(cursor).type)
      pass(cursor, member, depth + 1)
  } else readInt(cursor, type)
}

/** `inner`: up to the end of the struct; else to the end of the bytes. */
function readRecord(cursor: Cursor, record: RecordShape, inner: boolean): Record<string, unknown> {
  const value: Record<string, unknown> = {}
  let last = 0
  while (inner || cursor.at < cursor.bytes.length) {
    const { type, tag } = readHead(cursor)
    if (inner && type === STRUCT_END) return complete(record, value)
    if (tag <= last) throw new Malformed('tags do not ascend')
    last = tag
    const field: FieldShape | undefined = record.byNumber.get(tag)
    if (field) value[field.name] = readValue(cursor, type, field.shape)
    else if (cursor.newer) pass(cursor, type, 0)
    else throw new Malformed(`${record.name} has no tag ${tag}`)
  }
  return complete(record, value)
}

export const tarsPayload: PayloadCodec = {
  write(frame, value) {
    const parts: Parts = []
    writeRecord(parts, frame.payload, value)
    return Buffer.concat(parts)
  },
  read: (frame, bytes, newer = false) => readRecord({ bytes, at: 0, newer }, frame.payload, false),
}
