/**
 * Frames as the encodings of OMTP walk them: out of the one Avro literal of each frame. A field's number, in Protobuf and in
 * Tars, is its place in the literal plus one; what stands in the header is no field of the payload.
 */
import { clientFrames, serverFrames } from '../frames.ts'

export interface RecordShape {
  readonly kind: 'record'
  readonly name: string
  readonly fields: readonly FieldShape[]
  readonly byNumber: ReadonlyMap<number, FieldShape>
  readonly byName: ReadonlyMap<string, FieldShape>
}
export interface ListShape {
  readonly kind: 'list'
  readonly items: Exclude<Shape, ListShape>
}
export interface EnumShape {
  readonly kind: 'enum'
  readonly name: string
  readonly symbols: readonly string[]
}
export interface PlainShape {
  readonly kind: 'string' | 'long' | 'int' | 'boolean' | 'bytes'
}
export type Shape = RecordShape | ListShape | EnumShape | PlainShape

export interface FieldShape {
  readonly name: string
  readonly number: number
  readonly shape: Shape
  /** Null where absent. */
  readonly optional: boolean
}

export interface FrameShape {
  readonly type: string
  /** The field that the header's packId stands for. */
  readonly inHeader: 'packId' | 'id' | null
  readonly payload: RecordShape
}

type Literal = string | readonly Literal[] | { readonly type: string; readonly [key: string]: unknown }
interface FieldLiteral {
  readonly name: string
  readonly type: Literal
}

/** What an encoding throws for bytes that fit no frame; the message names fields, never values. */
export class Malformed extends Error {
  override readonly name = 'Malformed'
}

/** Values of one encoding. Absent fields are null, absent lists empty. */
export interface PayloadCodec {
  write(frame: FrameShape, value: Readonly<Record<string, unknown>>): Buffer
  /**
   * Throws Malformed. Keeps nothing of `bytes`. `newer`: the writer may know fields and symbols that this reader does not; they are
   * passed over, a symbol as its number. So a client reads a newer gateway; a gateway refuses what it does not know.
   */
  read(frame: FrameShape, bytes: Buffer, newer?: boolean): Record<string, unknown>
}

const plain: ReadonlySet<string> = new Set(['string', 'long', 'int', 'boolean', 'bytes'])

function shapeOf(literal: Literal): Shape {
  if (typeof literal === 'string') {
    if (!plain.has(literal)) throw new Error(`frames hold no ${literal}`)
    return { kind: literal as PlainShape['kind'] }
  }
  const { type, name, items, symbols, fields } = literal as {
    type: Literal
    name: string
    items: Literal
    symbols: readonly string[]
    fields: readonly FieldLiteral[]
  }
  if (type === 'array') {
    const inner = shapeOf(items)
    if (inner.kind === 'list') throw new Error('frames hold no lists of lists')
    return { kind: 'list', items: inner }
  }
  if (type === 'enum') return { kind: 'enum', name, symbols }
  if (type === 'record') return recordOf(name, fields, null)
  return shapeOf(type)
}

function recordOf(name: string, literals: readonly FieldLiteral[], left: string | null): RecordShape {
  const fields = literals
    .map(({ name, type }, place): FieldShape => {
      const branches = Array.isArray(type) ? (type as readonly Literal[]) : [type]
      const optional = branches.includes('null')
      const [branch = 'null', ...others] = branches.filter((each) => each !== 'null')
      if (others.length > 0) throw new Error(`field ${name} has several types`)
      return { name, number: place + 1, shape: shapeOf(branch), optional }
    })
    .filter((field) => field.name !== left)
  return {
    kind: 'record',
    name,
    fields,
    byNumber: new Map(fields.map((field) => [field.number, field])),
    byName: new Map(fields.map((field) => [field.name, field])),
  }
}

type Frames = Readonly<Record<string, { readonly schema: { name: string; fields: readonly unknown[] } }>>

function shapesOf(frames: Frames): ReadonlyMap<string, FrameShape> {
  return new Map(
    Object.entries(frames).map(([type, { schema }]) => {
      const fields = schema.fields as readonly FieldLiteral[]
      const has = (name: string): boolean => fields.some((field) => field.name === name)
      // A lookup has both: it asks about another packId than its own.
      const inHeader = has('id') ? 'id' : has('packId') ? 'packId' : null
      return [type, { type, inHeader, payload: recordOf(schema.name, fields, inHeader) }]
    }),
  )
}

export const clientShapes = shapesOf(clientFrames)
export const serverShapes = shapesOf(serverFrames)

/** What a field is where nothing stands for it; undefined: it must be there. */
export const absent = (field: FieldShape): null | readonly never[] | undefined =>
  field.optional ? null : field.shape.kind === 'list' ? [] : undefined

/** Fills in what may be absent. */
export function complete(record: RecordShape, value: Record<string, unknown>): Record<string, unknown> {
  for (const field of record.fields) {
    if (value[field.name] !== undefined) continue
    const instead = absent(field)
    if (instead === undefined) throw new Malformed(`field "${field.name}" is not there`)
    value[field.name] = instead === null ? null : []
  }
  return value
}
