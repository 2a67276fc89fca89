/** OMTP's frames from nothing but docs/protocol/omtp.proto: what is written there must be enough. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import protobuf from 'protobufjs'

export interface MessageOf {
  /** The frame's name, as the page has it. */
  readonly type: string
  readonly message: protobuf.Type
}

const file = (name: string): string =>
  readFileSync(path.resolve(import.meta.dirname, '../../../docs/protocol', name), 'utf8')

/** By the number of the frame's type. */
export function loadMessages(): ReadonlyMap<number, MessageOf> {
  const text = file('omtp.proto')
  const { root } = protobuf.parse(text, { keepCase: true })
  root.resolveAll()
  const page = [...file('omtp.md').matchAll(/^\| (\d+) \| `(\w+)` \|/gm)]
  const names = new Map(page.map(([, number, type = '']) => [Number(number), type]))
  return new Map(
    [...text.matchAll(/^\/\/ Type (\d+),.*\nmessage (\w+)/gm)].map(([, number, message = '']) => [
      Number(number),
      { type: names.get(Number(number)) ?? '', message: root.lookupType(`longwire.omtp.${message}`) },
    ]),
  )
}

export const isOptional = (field: protobuf.Field): boolean => field.options?.proto3_optional === true
export const recordOf = ({ resolvedType }: protobuf.Field): protobuf.Type | null =>
  resolvedType instanceof protobuf.Type ? resolvedType : null
export const enumOf = ({ resolvedType }: protobuf.Field): protobuf.Enum | null =>
  resolvedType instanceof protobuf.Enum ? resolvedType : null

/** `ITEM_KIND_JOIN_REQUESTED` of ItemKind is `joinRequested`. */
export function symbolOf(of: protobuf.Enum, number: number): string {
  const prefix = of.name.replace(/(?<=[a-z])(?=[A-Z])/g, '_').length + 1
  const words = (of.valuesById[number] ?? '').slice(prefix).toLowerCase()
  return words.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase())
}

/** Content stands as JSON text in every encoding but JSON. */
export const written = (name: string, value: unknown): unknown =>
  name === 'content' ? JSON.stringify(value) : value
export const read = (name: string, value: unknown): unknown =>
  name === 'content' && typeof value === 'string' ? JSON.parse(value) : value
