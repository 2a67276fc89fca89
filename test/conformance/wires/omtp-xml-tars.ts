/** XML and Tars, by a client that has the published files only. */
import type protobuf from 'protobufjs'
import type { Payload } from './omtp.ts'
import {
  enumOf,
  isOptional,
  loadMessages,
  type MessageOf,
  read,
  recordOf,
  symbolOf,
  written,
} from './omtp-schema.ts'
import { withoutNulls } from './wire.ts'

type Fields = Readonly<Record<string, unknown>>
interface Coding {
  encode(message: protobuf.Type, fields: Fields, type: string): Buffer
  decode(message: protobuf.Type, bytes: Buffer): Fields
}

const filled = (message: protobuf.Type, fields: Fields): [protobuf.Field, unknown][] =>
  [...message.fieldsArray]
    .sort((a, b) => a.id - b.id)
    .map((field): [protobuf.Field, unknown] => [field, fields[field.name] ?? null])
    .filter(([, value]) => value !== null)
    .map(([field, value]) => [field, written(field.name, value)])

const escapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '\r': '&#13;' }
const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

function element(name: string, record: protobuf.Type | null, value: unknown): string {
  if (record) return `<${name}>${elements(record, value as Fields)}</${name}>`
  const text = String(value)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what XML does not have
  if (/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/.test(text))
    return `<${name} enc="base64">${Buffer.from(text).toString('base64')}</${name}>`
  return `<${name}>${text.replace(/[&<>\r]/g, (char) => escapes[char] ?? char)}</${name}>`
}
const elements = (message: protobuf.Type, fields: Fields): string =>
  filled(message, fields)
    .flatMap(([field, value]) =>
      (field.repeated ? (value as unknown[]) : [value]).map((item) =>
        element(field.name, recordOf(field), item),
      ),
    )
    .join('')

interface Node {
  readonly name: string
  readonly encoded: boolean
  readonly children: Node[]
  text: string
}

function parseXml(text: string): Node {
  const top: Node = { name: '', encoded: false, children: [], text: '' }
  const open = [top]
  for (const [, slash, name = '', encoded, piece] of text.matchAll(/<(\/?)(\w+)( enc="base64")?>|([^<]+)/g)) {
    const inner = open.at(-1) ?? top
    if (piece !== undefined) inner.text += piece
    else if (slash === '/') open.pop()
    else {
      const node: Node = { name, encoded: encoded !== undefined, children: [], text: '' }
      inner.children.push(node)
      open.push(node)
    }
  }
  return top
}

function fromXml(message: protobuf.Type, node: Node): Fields {
  const out: Record<string, unknown> = {}
  for (const field of message.fieldsArray) {
    const found = node.children.filter(({ name }) => name === field.name).map((child) => leaf(field, child))
    if (field.repeated) out[field.name] = found
    else if (found.length > 0) out[field.name] = found[0]
  }
  return out
}

function leaf(field: protobuf.Field, node: Node): unknown {
  const record = recordOf(field)
  if (record) return fromXml(record, node)
  if (node.encoded) return read(field.name, Buffer.from(node.text, 'base64').toString('utf8'))
  if (field.type === 'bytes') return Buffer.from(node.text, 'base64')
  const text = node.text.replace(/&(?:#(\d+)|(\w+));/g, (_, code?: string, name?: string) =>
    code === undefined ? (entities[name ?? ''] ?? '') : String.fromCodePoint(Number(code)),
  )
  if (field.type === 'bool') return text === 'true'
  return /^u?int/.test(field.type) ? Number(text) : read(field.name, text)
}

const xmlCoding: Coding = {
  encode: (message, fields, type) =>
    Buffer.from(`<?xml version="1.0"?><${type}>${elements(message, fields)}</${type}>`),
  decode: (message, bytes) => fromXml(message, parseXml(bytes.toString('utf8')).children[0] as Node),
}

const head = (type: number, tag: number): Buffer =>
  Buffer.from(tag < 15 ? [(tag << 4) | type] : [0xf0 | type, tag])

/** Always in the widest form: any width is to be read. */
function tarsInt(tag: number, value: number): Buffer {
  const body = Buffer.alloc(8)
  body.writeBigInt64BE(BigInt(value))
  return Buffer.concat([head(3, tag), body])
}

function tarsValue(tag: number, field: protobuf.Field, value: unknown): Buffer {
  const record = recordOf(field)
  if (record) return Buffer.concat([head(10, tag), tarsStruct(record, value as Fields), head(11, 0)])
  if (field.type !== 'string') return tarsInt(tag, Number(value))
  const bytes = Buffer.from(String(value))
  const length = Buffer.alloc(4)
  length.writeUInt32BE(bytes.length)
  return Buffer.concat([head(7, tag), length, bytes])
}

const tarsStruct = (message: protobuf.Type, fields: Fields): Buffer =>
  Buffer.concat(
    [...message.fieldsArray]
      .sort((a, b) => a.id - b.id)
      .flatMap((field) => {
        const value = written(field.name, fields[field.name] ?? missing(field))
        if (value === null || value === undefined) return []
        if (!field.repeated) return [tarsValue(field.id, field, value)]
        const items = value as unknown[]
        return [
          head(9, field.id),
          tarsInt(0, items.length),
          ...items.map((item) => tarsValue(0, field, item)),
        ]
      }),
  )

const missing = (field: protobuf.Field): unknown =>
  isOptional(field) ? null : field.repeated ? [] : field.type === 'bool' ? false : null

/** What stands at `at`, and where the next begins. */
function tarsRead(bytes: Buffer, at: number, type: number, field: protobuf.Field | null): [unknown, number] {
  const widths: Readonly<Record<number, number>> = { 0: 1, 1: 2, 2: 4 }
  const width = widths[type]
  if (type === 12) return [0, at]
  if (width !== undefined) return [bytes.readIntBE(at, width), at + width]
  if (type === 3) return [Number(bytes.readBigInt64BE(at)), at + 8]
  if (type === 6 || type === 7) {
    const from = at + (type === 6 ? 1 : 4)
    const end = from + (type === 6 ? bytes.readUInt8(at) : bytes.readUInt32BE(at))
    return [bytes.toString('utf8', from, end), end]
  }
  if (type === 13) {
    const [count, from] = tarsRead(bytes, at + 2, bytes.readUInt8(at + 1) & 0x0f, null)
    return [Buffer.from(bytes.subarray(from, from + (count as number))), from + (count as number)]
  }
  if (type === 9) {
    let [left, next] = tarsRead(bytes, at + 1, bytes.readUInt8(at) & 0x0f, null) as [number, number]
    const items: unknown[] = []
    for (; left > 0; left--) {
      const [item, after] = tarsRead(bytes, next + 1, bytes.readUInt8(next) & 0x0f, field)
      items.push(tarsPlain(field, item))
      next = after
    }
    return [items, next]
  }
  const record = field && recordOf(field)
  if (type !== 10 || !record) throw new Error(`Tars type ${type} is not expected`)
  return tarsFields(record, bytes, at)
}

function tarsPlain(field: protobuf.Field | null, value: unknown): unknown {
  if (!field || Array.isArray(value)) return value
  const symbols = enumOf(field)
  if (symbols) return symbolOf(symbols, value as number)
  return field.type === 'bool' ? value === 1 : read(field.name, value)
}

function tarsFields(message: protobuf.Type, bytes: Buffer, from: number): [Fields, number] {
  const out: Record<string, unknown> = {}
  let at = from
  while (at < bytes.length) {
    const first = bytes.readUInt8(at)
    const wide = first >> 4 === 15
    const tag = wide ? bytes.readUInt8(at + 1) : first >> 4
    at += wide ? 2 : 1
    if ((first & 0x0f) === 11) return [out, at]
    const field = message.fieldsArray.find(({ id }) => id === tag)
    if (!field) throw new Error(`${message.name} has no tag ${tag}`)
    const [value, next] = tarsRead(bytes, at, first & 0x0f, field)
    out[field.name] = tarsPlain(field, value)
    at = next
  }
  return [out, at]
}

const tarsCoding: Coding = {
  encode: (message, fields) => tarsStruct(message, fields),
  decode: (message, bytes) => tarsFields(message, bytes, 0)[0],
}

function payload(flag: number, coding: Coding): Payload {
  const messages = loadMessages()
  const of = (number: number): MessageOf => {
    const found = messages.get(number)
    if (!found) throw new Error(`omtp.proto has no type ${number}`)
    return found
  }
  return {
    flag,
    encode: (number, fields) => coding.encode(of(number).message, fields, of(number).type),
    decode: (number, bytes) =>
      withoutNulls(coding.decode(of(number).message, bytes)) as Record<string, unknown>,
  }
}

export const xml = (): Payload => payload(2, xmlCoding)
export const tars = (): Payload => payload(3, tarsCoding)
