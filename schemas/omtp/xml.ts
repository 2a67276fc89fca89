/**
 * Payloads in XML 1.0: an element named as the frame's type, in it an element for each field; a list is its element again and
 * again. No document type, no instructions, and so no entities but the five and characters by number. Text that XML has no
 * characters for stands as base64 of its UTF-8, in an element with enc="base64".
 */
import { SaxesParser, type SaxesTag } from 'saxes'
import {
  complete,
  type FieldShape,
  type FrameShape,
  Malformed,
  type PayloadCodec,
  type RecordShape,
  type Shape,
} from './shape.ts'
import { exact, utf8 } from './text.ts'

type Value = Readonly<Record<string, unknown>>

const UNFIT = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u
const escapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '\r': '&#13;' }
const escaped = (text: string): string => text.replace(/[&<>\r]/g, (char) => escapes[char] ?? char)
const base64 = (bytes: Buffer): string => bytes.toString('base64')

function element(name: string, shape: Exclude<Shape, { kind: 'list' }>, value: unknown): string {
  if (shape.kind === 'record') return `<${name}>${members(shape, value as Value)}</${name}>`
  if (shape.kind === 'bytes') return `<${name}>${base64(value as Buffer)}</${name}>`
  const text = String(value)
  return UNFIT.test(text)
    ? `<${name} enc="base64">${base64(Buffer.from(text, 'utf8'))}</${name}>`
    : `<${name}>${escaped(text)}</${name}>`
}

const members = (record: RecordShape, value: Value): string =>
  record.fields
    .map(({ name, shape }) => {
      const member = value[name]
      if (member === null || member === undefined) return ''
      if (shape.kind !== 'list') return element(name, shape, member)
      return (member as readonly unknown[]).map((item) => element(name, shape.items, item)).join('')
    })
    .join('')

/** An element that is open. */
interface Open {
  /** Null: the frame itself. */
  readonly field: FieldShape | null
  readonly shape: Exclude<Shape, { kind: 'list' }>
  readonly encoded: boolean
  /** It is unknown, and passed over with all that is in it. */
  readonly unknown: boolean
  /** Of a record. */
  readonly value: Record<string, unknown>
  text: string
}

function readFrame(frame: FrameShape, text: string, newer: boolean): Record<string, unknown> {
  const parser = new SaxesParser({ position: false })
  const open: Open[] = []
  let root: Record<string, unknown> | null = null
  const refuse = (message: string) => (): never => {
    throw new Malformed(message)
  }
  parser.on('error', refuse('this is not well-formed XML'))
  parser.on('doctype', refuse('a document type is not taken'))
  parser.on('processinginstruction', refuse('an instruction is not taken'))
  parser.on('xmldecl', ({ encoding, version }) => {
    if (version !== '1.0' || (encoding !== undefined && encoding.toUpperCase() !== 'UTF-8'))
      throw new Malformed('this is not XML 1.0 in UTF-8')
  })
  parser.on('text', (piece) => addText(open.at(-1), piece))
  parser.on('cdata', (piece) => addText(open.at(-1), piece))
  parser.on('opentag', (tag) => {
    open.push(opened(frame, open.at(-1), tag, newer))
  })
  parser.on('closetag', () => {
    const closed = open.pop()
    const outer = open.at(-1)
    if (closed?.unknown) return
    if (closed && outer) keep(outer, closed, newer)
    else if (closed) root = complete(frame.payload, closed.value)
  })
  parser.write(text).close()
  if (!root) throw new Malformed('there is no element')
  return root
}

function opened(frame: FrameShape, outer: Open | undefined, tag: SaxesTag, newer: boolean): Open {
  const { name, attributes } = tag
  const fresh = { encoded: false, unknown: false, value: {}, text: '' }
  const field = outer?.shape.kind === 'record' && !outer.unknown ? outer.shape.byName.get(name) : undefined
  if (outer && !field) {
    if (!newer || (!outer.unknown && outer.shape.kind !== 'record'))
      throw new Malformed('there is an element that is no field')
    return { ...fresh, field: null, shape: outer.shape, unknown: true }
  }
  const encoded = isEncoded(attributes as Readonly<Record<string, string>>)
  if (!field) {
    if (name !== frame.type || encoded) throw new Malformed('the element is of another type than the frame')
    return { ...fresh, field: null, shape: frame.payload }
  }
  const shape = field.shape.kind === 'list' ? field.shape.items : field.shape
  if (encoded && shape.kind !== 'string') throw new Malformed(`field "${field.name}" has an attribute`)
  return { ...fresh, field, shape, encoded }
}

function isEncoded(attributes: Readonly<Record<string, string>>): boolean {
  const names = Object.keys(attributes)
  if (names.length === 0) return false
  if (names.length > 1 || attributes.enc !== 'base64') throw new Malformed('there is no such attribute')
  return true
}

function addText(to: Open | undefined, piece: string): void {
  if (to?.unknown) return
  if (to && to.shape.kind !== 'record') to.text += piece
  else if (!/^[\t\n\r ]*$/.test(piece)) throw new Malformed('there is text between elements')
}

function keep({ value }: Open, inner: Open, newer: boolean): void {
  const { field } = inner
  if (!field) return
  const read = readValue(inner, newer)
  if (field.shape.kind === 'list') {
    const items = (value[field.name] ?? []) as unknown[]
    items.push(read)
    value[field.name] = items
    return
  }
  if (value[field.name] !== undefined) throw new Malformed(`field "${field.name}" stands twice`)
  value[field.name] = read
}

function readValue({ shape, text, encoded, value, field }: Open, newer: boolean): unknown {
  switch (shape.kind) {
    case 'record':
      return complete(shape, value)
    case 'string':
      return encoded ? utf8(fromBase64(text)) : text
    case 'bytes':
      return fromBase64(text)
    case 'boolean':
      if (text !== 'true' && text !== 'false') throw new Malformed(`field "${field?.name}" is no boolean`)
      return text === 'true'
    case 'enum':
      if (!newer && !shape.symbols.includes(text))
        throw new Malformed(`field "${field?.name}" has no such value`)
      return text
    default:
      if (!/^(0|-?[1-9]\d{0,15})$/.test(text))
        throw new Malformed(`field "${field?.name}" is no whole number`)
      return exact(Number(text))
  }
}

function fromBase64(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64')
  if (base64(bytes) !== text) throw new Malformed('this is no base64')
  return bytes
}

export const xmlPayload: PayloadCodec = {
  write: (frame, value) =>
    Buffer.from(`<${frame.type}>${members(frame.payload, value)}</${frame.type}>`, 'utf8'),
  read(frame, bytes, newer = false) {
    const text = utf8(bytes)
    try {
      return readFrame(frame, text, newer)
    } catch (error) {
      throw error instanceof Malformed ? error : new Malformed('this is no XML')
    }
  },
}
