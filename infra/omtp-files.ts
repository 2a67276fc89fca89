/** What is published of OMTP's payloads: docs/protocol/omtp.proto and omtp.tars, out of the literals that the encodings walk. */
import {
  clientShapes,
  type EnumShape,
  type FieldShape,
  type FrameShape,
  type RecordShape,
  type Shape,
  serverShapes,
} from '../schemas/omtp/shape.ts'
import { clientTypes, serverTypes } from '../schemas/omtp/types.ts'

interface Named {
  readonly records: ReadonlyMap<string, RecordShape>
  readonly enums: ReadonlyMap<string, EnumShape>
}

/** Records and enums inside of frames, each after those that it needs. */
function namedIn(frames: Iterable<FrameShape>): Named {
  const records = new Map<string, RecordShape>()
  const enums = new Map<string, EnumShape>()
  const note = (shape: Shape): void => {
    if (shape.kind === 'list') note(shape.items)
    else if (shape.kind === 'enum') enums.set(shape.name, shape)
    else if (shape.kind === 'record' && !records.has(shape.name)) {
      for (const field of shape.fields) note(field.shape)
      records.set(shape.name, shape)
    }
  }
  for (const { payload } of frames) for (const field of payload.fields) note(field.shape)
  return { records, enums }
}

const frames = (): readonly (readonly [FrameShape, string])[] => [
  ...[...clientShapes.values()].map(
    (frame) => [frame, `${numberOf(clientTypes, frame)}, of the client`] as const,
  ),
  ...[...serverShapes.values()].map(
    (frame) => [frame, `${numberOf(serverTypes, frame)}, of the gateway`] as const,
  ),
]
const numberOf = (table: Readonly<Record<string, number>>, { type }: FrameShape): number => table[type] ?? 0

const headerNote = ({ inHeader }: FrameShape): string =>
  inHeader === null ? '' : ` The header's packId is its ${inHeader === 'id' ? 'request' : 'packId'}.`

const screaming = (name: string): string => name.replace(/(?<=[a-z])(?=[A-Z])/g, '_').toUpperCase()

const protoTypes = { string: 'string', long: 'int64', int: 'int32', boolean: 'bool', bytes: 'bytes' } as const

function protoField({ name, number, shape, optional }: FieldShape): string {
  const inner = shape.kind === 'list' ? shape.items : shape
  const type = inner.kind === 'record' || inner.kind === 'enum' ? inner.name : protoTypes[inner.kind]
  const label = shape.kind === 'list' ? 'repeated ' : optional ? 'optional ' : ''
  return `  ${label}${type} ${name} = ${number};`
}

const protoMessage = (record: RecordShape): string =>
  record.fields.length === 0
    ? `message ${record.name} {}`
    : `message ${record.name} {\n${record.fields.map(protoField).join('\n')}\n}`

const protoEnum = ({ name, symbols }: EnumShape): string =>
  `enum ${name} {\n${symbols.map((symbol, i) => `  ${screaming(name)}_${screaming(symbol)} = ${i};`).join('\n')}\n}`

export function protoFile(): string {
  const all = frames()
  const { records, enums } = namedIn(all.map(([frame]) => frame))
  return [
    '// Payloads of OMTP in Protocol Buffers. Made from the code by `npm run docs:tables`; numbers are frozen.',
    'syntax = "proto3";',
    'package longwire.omtp;',
    ...[...enums.values()].map(protoEnum),
    ...[...records.values()].map(protoMessage),
    ...all.map(([frame, what]) => `// Type ${what}.${headerNote(frame)}\n${protoMessage(frame.payload)}`),
    '',
  ]
    .join('\n\n')
    .replace(/\n+$/, '\n')
}

const tarsTypes = {
  string: 'string',
  long: 'long',
  int: 'int',
  boolean: 'bool',
  bytes: 'vector<byte>',
} as const

function tarsField({ name, number, shape, optional }: FieldShape): string {
  const inner = shape.kind === 'list' ? shape.items : shape
  const type = inner.kind === 'record' || inner.kind === 'enum' ? inner.name : tarsTypes[inner.kind]
  return `    ${number} ${optional ? 'optional' : 'require'} ${shape.kind === 'list' ? `vector<${type}>` : type} ${name};`
}

const tarsStruct = ({ name, fields }: RecordShape): string =>
  `  struct ${name} {\n${fields.map(tarsField).join('\n')}\n  };`
const tarsEnum = ({ name, symbols }: EnumShape): string =>
  `  enum ${name} {\n${symbols.map((symbol, i) => `    ${screaming(name)}_${screaming(symbol)} = ${i}`).join(',\n')}\n  };`

export function tarsFile(): string {
  const all = frames()
  const { records, enums } = namedIn(all.map(([frame]) => frame))
  const parts = [
    ...[...enums.values()].map(tarsEnum),
    ...[...records.values()].map(tarsStruct),
    ...all.map(([frame, what]) => `  // Type ${what}.${headerNote(frame)}\n${tarsStruct(frame.payload)}`),
  ]
  return `// Payloads of OMTP in Tars. Made from the code by \`npm run docs:tables\`; tags are frozen.\nmodule LongwireOmtp {\n\n${parts.join('\n\n')}\n\n};\n`
}

/**
 * What a new .proto file would break for those who hold the old one: a field or a value that is gone, or has another number or
 * type. Empty: nothing.
 */
export function brokenBy(before: string, after: string): string[] {
  const now = linesOf(after)
  return [...linesOf(before)].flatMap(([what, line]) => {
    const then = now.get(what)
    if (then === line) return []
    return [then === undefined ? `${what} is gone` : `${what}: "${line}" has become "${then}"`]
  })
}

/** Every field and value by message and name. */
function linesOf(proto: string): ReadonlyMap<string, string> {
  const lines = new Map<string, string>()
  let within = ''
  for (const raw of proto.split('\n')) {
    const line = raw.trim()
    const opened = /^(?:message|enum) (\w+)/.exec(line)
    if (opened?.[1]) within = opened[1]
    const field = /(\w+) = \d+;$/.exec(line)
    if (field?.[1]) lines.set(`${within}.${field[1]}`, line)
  }
  return lines
}
