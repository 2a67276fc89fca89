/**
 * The only importer of avsc: types from literals, single-object encoding (Avro 1.11 specification, "Single-object
 * encoding": C3 01, CRC-64-AVRO fingerprint little-endian, body) and a registry that reads every released writer schema.
 */
import avsc from 'avsc'
import { fingerprintOf } from './fingerprint.ts'

type Primitive = {
  null: null
  boolean: boolean
  int: number
  long: number
  double: number
  bytes: Buffer
  string: string
}

/** TypeScript type of an Avro schema literal written `as const`. */
export type Infer<S> = S extends keyof Primitive
  ? Primitive[S]
  : S extends readonly (infer M)[]
    ? Infer<M>
    : S extends { type: 'record'; fields: readonly (infer F)[] }
      ? { -readonly [K in F as K extends { name: infer N extends string } ? N : never]: InferField<K> }
      : S extends { type: 'array'; items: infer I }
        ? Infer<I>[]
        : S extends { type: 'enum'; symbols: readonly (infer V)[] }
          ? V
          : S extends { type: 'fixed' }
            ? Buffer
            : never
type InferField<F> = F extends { type: infer T } ? Infer<T> : never

export interface Codec<T> {
  readonly name: string
  /** CRC-64-AVRO of the canonical form, 8 bytes little-endian. */
  readonly fingerprint: Buffer
  /** Canonical form, the text that is frozen under schemas/history. */
  readonly canonical: string
  /** Raw Avro binary. Throws on a value outside the schema, a long beyond ±(2^53−1) included. */
  encode(value: T): Buffer
  /** Single-object encoding. Throws as `encode` does. */
  seal(value: T): Buffer
  /** Raw Avro binary written with this very schema. Throws on malformed, truncated or trailing bytes. */
  decode(bytes: Buffer): T
  /** Avro binary written with another released schema. Throws when the two cannot be resolved. */
  decodeFrom(writerCanonical: string, bytes: Buffer): T
  /** Path of the first value outside the schema, or null. */
  invalidAt(value: unknown): string | null
}

const options = { wrapUnions: 'never', omitRecordMethods: true, typeHook: boundedArray } as const

export function codec<const S>(schema: S): Codec<Infer<S>> {
  const type = avsc.Type.forSchema(namedOnce(schema, new Set()) as avsc.Schema, { ...options })
  const canonical = JSON.stringify(type.schema())
  const fingerprint = fingerprintOf(canonical)
  const header = Buffer.concat([MARKER, fingerprint])
  const resolvers = new Map<string, object>()

  /** avsc's errors hold the value, which may be what people wrote; this one says only where it does not fit. */
  function safely(written: () => Buffer, value: unknown): Buffer {
    try {
      return written()
    } catch {
      throw new TypeError(
        `a value does not fit ${type.name ?? 'its schema'} at ${placeOf(value, false) ?? '(unknown)'}`,
      )
    }
  }

  function placeOf(value: unknown, noUndeclaredFields: boolean): string | null {
    let at: string | null = null
    type.isValid(value, {
      noUndeclaredFields,
      errorHook: (path) => {
        at ??= path.join('.') || '(root)'
      },
    })
    return at
  }

  return {
    name: type.name ?? '',
    canonical,
    fingerprint,
    encode: (value) => safely(() => encoded(type, NO_HEADER, value), value),
    seal: (value) => safely(() => encoded(type, header, value), value),
    decode: (bytes) => type.fromBuffer(bytes) as Infer<S>,
    decodeFrom(writerCanonical, bytes) {
      let resolver = resolvers.get(writerCanonical)
      if (!resolver) {
        resolver = type.createResolver(avsc.Type.forSchema(JSON.parse(writerCanonical), { ...options }))
        resolvers.set(writerCanonical, resolver)
      }
      return type.fromBuffer(bytes, resolver as Parameters<typeof type.fromBuffer>[1], false) as Infer<S>
    },
    invalidAt: (value) => placeOf(value, true),
  }
}

const MARKER = Buffer.from([0xc3, 0x01])
const NO_HEADER = Buffer.alloc(0)
const HEADER_BYTES = 10
const scratch = Buffer.allocUnsafeSlow(65_536)

/** avsc's own `toBuffer` gives every value memory of its own, cleared; from the pool it costs a fraction. */
function encoded(type: avsc.Type, header: Buffer, value: unknown): Buffer {
  header.copy(scratch)
  const end = type.encode(value, scratch, header.length)
  // Negative: it did not fit.
  return end >= 0 ? Buffer.from(scratch.subarray(0, end)) : Buffer.concat([header, type.toBuffer(value)])
}

interface Tap {
  readonly buf: Buffer
  readonly pos: number
  readLong(): number
  skipLong(): void
}
type ArrayReader = { readonly itemsType: { _read(tap: Tap): unknown } }

/**
 * avsc believes the count that an array begins with and looks for the end of the bytes only afterwards: five bytes could
 * ask for memory without end. An item takes a byte at least, so a count above the bytes left is refused before.
 */
function boundedArray(schema: unknown, opts: unknown): avsc.Type | undefined {
  if (typeof schema !== 'object' || (schema as { type?: unknown } | null)?.type !== 'array') return undefined
  const ArrayType = avsc.types.ArrayType as unknown as new (schema: unknown, opts: unknown) => avsc.Type
  return Object.create(new ArrayType(schema, opts), { _read: { value: readArray } }) as avsc.Type
}

function readArray(this: ArrayReader, tap: Tap): unknown[] {
  const items: unknown[] = []
  for (;;) {
    let count = tap.readLong()
    if (count === 0) return items
    if (count < 0) {
      count = -count
      tap.skipLong()
    }
    if (count > tap.buf.length - tap.pos) throw new RangeError('an array is longer than its bytes')
    for (let i = 0; i < count; i++) items.push(this.itemsType._read(tap))
  }
}

/** Avro wants a named type defined at its first use and named afterwards; our literals share definitions freely. */
function namedOnce(schema: unknown, seen: Set<string>): unknown {
  if (Array.isArray(schema)) return schema.map((branch) => namedOnce(branch, seen))
  if (typeof schema !== 'object' || schema === null) return schema
  const { name, type } = schema as { name?: string; type?: unknown }
  const named = typeof name === 'string' && (type === 'record' || type === 'enum' || type === 'fixed')
  if (named && seen.has(name)) return name
  if (named) seen.add(name)
  return Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, namedOnce(value, seen)]))
}

/** Single-object encoding of one value. */
export function seal<T>(of: Codec<T>, value: T): Buffer {
  return of.seal(value)
}

/** Why bytes could not be read; the record itself is never in the message. */
export class Undecodable extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause })
    this.name = 'Undecodable'
  }
}

/** Opens a single-object encoded value written with `of` or one of its released predecessors. Throws Undecodable. */
export function open<T>(of: Codec<T>, bytes: Buffer, history: ReadonlyMap<string, string>): T {
  if (bytes.length < HEADER_BYTES || bytes[0] !== 0xc3 || bytes[1] !== 0x01)
    throw new Undecodable('no single-object header')
  return decodeWith(of, bytes.subarray(2, HEADER_BYTES), bytes.subarray(HEADER_BYTES), history)
}

/** Decodes raw Avro bytes whose writer is named by its fingerprint. Throws Undecodable. */
export function decodeWith<T>(
  of: Codec<T>,
  fingerprint: Buffer,
  body: Buffer,
  history: ReadonlyMap<string, string>,
): T {
  try {
    if (fingerprint.equals(of.fingerprint)) return of.decode(body)
    const writer = history.get(fingerprintKey(fingerprint))
    if (writer) return of.decodeFrom(writer, body)
  } catch (cause) {
    throw new Undecodable(`bytes do not fit ${of.name}`, cause)
  }
  throw new Undecodable(`unknown schema ${fingerprint.toString('hex')}`)
}

/** Fingerprint of a single-object encoded value, or null where there is no header. */
export function fingerprintAt(bytes: Buffer): string | null {
  return bytes.length < HEADER_BYTES || bytes[0] !== 0xc3 || bytes[1] !== 0x01
    ? null
    : bytes.toString('latin1', 2, HEADER_BYTES)
}

/** Map key of a fingerprint. */
export function fingerprintKey(fingerprint: Buffer): string {
  return fingerprint.toString('latin1', 0, 8)
}

/** A map key as people read it. */
export const fingerprintHex = (key: string): string => Buffer.from(key, 'latin1').toString('hex')
