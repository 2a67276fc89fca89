/** Tables and worked bytes of docs/protocol/omtp.md. */
import type { ClientFrame, Item, ServerFrame } from '../schemas/frames.ts'
import {
  FLAG_DEFLATE,
  flagOf,
  frameBytes,
  NIL,
  type PayloadEncoding,
  payloadEncodings,
  uuidBytes,
} from '../schemas/omtp/header.ts'
import { payloadCodecs } from '../schemas/omtp/payloads.ts'
import { clientShapes, type FrameShape, serverShapes } from '../schemas/omtp/shape.ts'
import { clientTypes, serverTypes } from '../schemas/omtp/types.ts'

const packIdNotes = {
  packId: "the command's packId: a UUIDv7, the same for each retry",
  id: 'any UUID but nil that no open request of this connection has; the answer carries it',
  none: 'not looked at',
} as const
const answerNotes = { packId: "the command's packId", id: "the request's packId", none: 'nil' } as const
const ownNotes: Readonly<Record<string, string>> = {
  login: 'any; welcome, or a bye instead of it, carries it',
  welcome: "the login's packId",
  bye: "nil; before the welcome the login's packId",
  event: "the message's or change's own packId",
  error: "the request's packId; nil where there was none",
}

const row = (
  number: number,
  { type, inHeader }: FrameShape,
  notes: Readonly<Record<string, string>>,
): string => `| ${number} | \`${type}\` | ${ownNotes[type] ?? notes[inHeader ?? 'none']} |`

function typeTable(
  shapes: ReadonlyMap<string, FrameShape>,
  numbers: Readonly<Record<string, number>>,
  notes: Readonly<Record<string, string>>,
): string {
  const rows = [...shapes.values()]
    .map((shape) => [numbers[shape.type] ?? 0, shape] as const)
    .sort(([a], [b]) => a - b)
    .map(([number, shape]) => row(number, shape, notes))
  return ['| type | frame | packId in the header |', '|--:|---|---|', ...rows].join('\n')
}

export const clientTypeTable = (): string => typeTable(clientShapes, clientTypes, packIdNotes)
export const serverTypeTable = (): string => typeTable(serverShapes, serverTypes, answerNotes)

export const flagTable = (): string =>
  [
    '| bits | value | meaning |',
    '|---|--:|---|',
    ...payloadEncodings.map((encoding, i) => `| 0–3 | ${i} | the payload is ${names[encoding]} |`),
    `| 4 | ${FLAG_DEFLATE} | the payload is compressed: raw DEFLATE (RFC 1951) |`,
    '| all others | 0 | reserved; a frame that sets one is refused (`unsupported`) |',
  ].join('\n')

const names = { json: 'JSON', protobuf: 'Protocol Buffers', xml: 'XML', tars: 'Tars' } as const

const packId = '01a1fc24-b54a-75f3-b771-e4905f3d577a'
const item: Item = {
  conversationId: 'p2p:alice:bob',
  seq: 7,
  ordinal: 5,
  kind: 'message',
  time: 1_800_000_000_000,
  senderId: 'alice',
  packId,
  contentType: 'text',
  content: '{"text":"hi"}',
  mentions: [],
  mentionAll: false,
  replyTo: null,
  targetSeq: null,
  members: [],
  name: null,
  readConversationId: null,
  readSeq: null,
  readOrdinal: null,
  on: null,
  key: null,
  value: null,
  until: null,
}
/** Worked out in the page, in each encoding. */
export const examples: readonly (ClientFrame | ServerFrame)[] = [
  {
    type: 'login',
    token: 'TOKEN',
    deviceId: 'd1',
    deviceType: 'phone',
    protocol: 1,
    heartbeatMs: null,
    proof: null,
  },
  {
    type: 'send',
    packId,
    to: 'bob',
    conversationId: null,
    contentType: 'text',
    content: '{"text":"hi"}',
    mentions: [],
    mentionAll: false,
    replyTo: null,
  },
  { type: 'event', item },
]

function exampleBytes(frame: ClientFrame | ServerFrame, encoding: PayloadEncoding): Buffer {
  const shape = clientShapes.get(frame.type) ?? serverShapes.get(frame.type)
  const number = { ...clientTypes, ...serverTypes }[frame.type]
  if (!shape) throw new Error(`no frame ${frame.type}`)
  const named = frame.type === 'send' ? frame.packId : frame.type === 'event' ? frame.item.packId : null
  const fields = frame as unknown as Record<string, unknown>
  const payload =
    encoding === 'json'
      ? Buffer.from(
          JSON.stringify(
            asJson(Object.fromEntries(shape.payload.fields.map(({ name }) => [name, fields[name]]))),
          ),
        )
      : payloadCodecs[encoding].write(shape, fields)
  return frameBytes(number, flagOf(encoding, false), named === null ? NIL : uuidBytes(named), payload)
}

/** Without nulls, and content as JSON itself. */
function asJson(value: unknown, name = ''): unknown {
  if (name === 'content' && typeof value === 'string') return JSON.parse(value)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, entry]) => entry !== null)
      .map(([key, entry]) => [key, asJson(entry, key)]),
  )
}

function worked(frame: ClientFrame | ServerFrame, encoding: PayloadEncoding): string {
  const bytes = exampleBytes(frame, encoding)
  const hex = (from: number, to: number): string =>
    bytes.toString('hex', from, to).replace(/(?<=^(?:..)+)(?=.)/g, ' ')
  const rows: string[] = []
  for (let at = 28; at < bytes.length; at += 24) {
    const part = bytes.subarray(at, at + 24)
    rows.push(`${hex(at, at + part.length).padEnd(72)}${part.toString('latin1').replace(/[^ -~]/g, '.')}`)
  }
  const { length } = bytes
  return [
    `\`${frame.type}\` in ${names[encoding]}, ${length} bytes:`,
    '',
    '```',
    `${hex(0, 4)}  Length ${length}`,
    `${hex(4, 6)}  type  ${hex(6, 8)}  version  ${hex(8, 12)}  flag`,
    `${hex(12, 28)}  packId`,
    ...rows,
    '```',
  ].join('\n')
}

export const exampleTable = (): string =>
  examples.flatMap((frame) => payloadEncodings.map((encoding) => worked(frame, encoding))).join('\n\n')
