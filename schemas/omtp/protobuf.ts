/**
 * Payloads in Protocol Buffers (proto3, docs/protocol/*.proto). The library reads and writes the wire; the walk is ours, since
 * frames are refused that its own reflection would take: a field that stands twice, one that does not exist, text that is not UTF-8.
 */
import protobuf from 'protobufjs/minimal.js'
import {
  type FieldShape,
  Malformed,
  type PayloadCodec,
  type PlainShape,
  type RecordShape,
  type Shape,
} from './shape.ts'
import { exact, utf8 } from './text.ts'

type Writer = protobuf.Writer
type Reader = protobuf.Reader
type Value = Readonly<Record<string, unknown>>

const VARINT = 0
const DELIMITED = 2

const defaults: Readonly<Record<PlainShape['kind'], unknown>> = {
  string: '',
  long: 0,
  int: 0,
  boolean: false,
  bytes: Buffer.alloc(0),
}
const isNumber = (shape: Shape): boolean => shape.kind === 'long' || shape.kind === 'int'
const wireTypeOf = ({ kind }: Shape): number =>
  kind === 'long' || kind === 'int' || kind === 'boolean' || kind === 'enum' ? VARINT : DELIMITED

function writeRecord(writer: Writer, record: RecordShape, value: Value): void {
  for (const field of record.fields) writeField(writer, field, value[field.name])
}

function writeField(writer: Writer, { number, shape, optional }: FieldShape, value: unknown): void {
  if (value === null || value === undefined) return
  if (shape.kind === 'list') {
    const items = value as readonly unknown[]
    if (items.length === 0) return
    if (!isNumber(shape.items)) {
      for (const item of items) writeValue(writer, number, shape.items, item)
      return
    }
    writer.uint32((number << 3) | DELIMITED).fork()
    for (const item of items) writer.int64(item as number)
    writer.ldelim()
    return
  }
  // What proto3 has by default is left out, but where its absence would say null.
  if (optional || shape.kind === 'record' || !isDefault(shape, value))
    writeValue(writer, number, shape, value)
}

function isDefault(shape: Shape, value: unknown): boolean {
  if (shape.kind === 'enum') return value === shape.symbols[0]
  if (shape.kind === 'bytes') return (value as Buffer).length === 0
  return value === defaults[shape.kind as PlainShape['kind']]
}

function writeValue(writer: Writer, number: number, shape: Shape, value: unknown): void {
  writer.uint32((number << 3) | wireTypeOf(shape))
  switch (shape.kind) {
    case 'string':
      // The library's own writer gives lone surrogates bytes that are no UTF-8.
      writer.bytes(Buffer.from(value as string, 'utf8'))
      return
    case 'bytes':
      writer.bytes(value as Buffer)
      return
    case 'boolean':
      writer.bool(value as boolean)
      return
    case 'enum':
      writer.int32(shape.symbols.indexOf(value as string))
      return
    case 'record':
      writer.fork()
      writeRecord(writer, shape, value as Value)
      writer.ldelim()
      return
    default:
      writer.int64(value as number)
  }
}

function readRecord(
  reader: Reader,
  end: number,
  record: RecordShape,
  newer: boolean,
): Record<string, unknown> {
  const value: Record<string, unknown> = {}
  while (reader.pos < end) {
    const tag = reader.uint32()
    const field = record.byNumber.get(tag >>> 3)
    if (field) readField(reader, tag & 7, field, value, newer)
    else if (newer) reader.skipType(tag & 7)
    else throw new Malformed(`${record.name} has no field ${tag >>> 3}`)
    if (reader.pos > end) throw new Malformed(`field ${tag >>> 3} of ${record.name} goes beyond its end`)
  }
  for (const field of record.fields) value[field.name] ??= absentValue(record, field)
  return value
}

function readField(
  reader: Reader,
  wireType: number,
  { name, shape }: FieldShape,
  into: Record<string, unknown>,
  newer: boolean,
): void {
  const refuse = (): never => {
    throw new Malformed(`field "${name}" is of another wire type`)
  }
  if (shape.kind !== 'list') {
    if (wireType !== wireTypeOf(shape)) refuse()
    if (into[name] !== undefined) throw new Malformed(`field "${name}" stands twice`)
    into[name] = readValue(reader, shape, newer)
    return
  }
  const items = (into[name] ?? []) as unknown[]
  into[name] = items
  if (wireType === DELIMITED && isNumber(shape.items)) {
    const end = endOf(reader)
    while (reader.pos < end) items.push(readValue(reader, shape.items, newer))
    if (reader.pos > end) throw new Malformed(`field "${name}" goes beyond its end`)
  } else if (wireType === wireTypeOf(shape.items)) items.push(readValue(reader, shape.items, newer))
  else refuse()
}

function readValue(reader: Reader, shape: Shape, newer: boolean): unknown {
  switch (shape.kind) {
    case 'string':
      return utf8(Buffer.from(reader.bytes()))
    case 'bytes':
      return Buffer.from(reader.bytes())
    case 'boolean':
      return reader.bool()
    case 'enum':
      return symbolOf(shape.symbols, integer(reader), newer)
    case 'record':
      return readRecord(reader, endOf(reader), shape, newer)
    default:
      return integer(reader)
  }
}

/** Where the length-delimited value that begins here ends. */
function endOf(reader: Reader): number {
  const end = reader.uint32() + reader.pos
  if (end > reader.len) throw new Malformed('a length goes beyond the payload')
  return end
}

function integer(reader: Reader): number {
  return exact((reader.int64() as unknown as { toNumber(): number }).toNumber())
}

function symbolOf(symbols: readonly string[], index: number, newer: boolean): string {
  const symbol = symbols[index] ?? (newer ? String(index) : undefined)
  if (symbol === undefined) throw new Malformed('an enum has no such value')
  return symbol
}

function absentValue(record: RecordShape, { name, shape, optional }: FieldShape): unknown {
  if (optional) return null
  if (shape.kind === 'list') return []
  if (shape.kind === 'enum') return shape.symbols[0]
  if (shape.kind === 'record') throw new Malformed(`field "${name}" is not there in ${record.name}`)
  return defaults[shape.kind]
}

export const protobufPayload: PayloadCodec = {
  write(frame, value) {
    const writer = protobuf.Writer.create()
    writeRecord(writer, frame.payload, value)
    return Buffer.from(writer.finish())
  },
  read(frame, bytes, newer = false) {
    try {
      return readRecord(protobuf.Reader.create(bytes), bytes.length, frame.payload, newer)
    } catch (error) {
      throw error instanceof Malformed ? error : new Malformed('the bytes are no Protocol Buffers message')
    }
  },
}
