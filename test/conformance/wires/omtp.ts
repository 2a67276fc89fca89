/** OMTP from what docs/protocol publishes: the tables of types of omtp.md, and omtp.proto. */
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import path from 'node:path'
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import protobuf from 'protobufjs'
import { tars, xml } from './omtp-xml-tars.ts'
import { type Frame, fromJson, type Pipe, type PipeHandlers, type Wire, withoutNulls } from './wire.ts'

const folder = path.resolve(import.meta.dirname, '../../../docs/protocol')
const HEADER_BYTES = 28
const NIL = '00000000-0000-0000-0000-000000000000'
const COMPRESSED = 16
const UNKNOWN_TYPE = 65_000

interface Row {
  readonly type: number
  readonly name: string
  /** What the header's packId is. */
  readonly packId: string
}

function rowsOf(table: string): Row[] {
  const page = readFileSync(path.join(folder, 'omtp.md'), 'utf8')
  const body = page.split(`<!-- table:${table} -->`)[1]?.split('<!-- end -->')[0] ?? ''
  return [...body.matchAll(/^\| (\d+) \| `(\w+)` \| (.*) \|$/gm)].map(([, type, name = '', packId = '']) => ({
    type: Number(type),
    name,
    packId,
  }))
}

export interface Payload {
  readonly flag: number
  encode(type: number, fields: Record<string, unknown>): Buffer
  decode(type: number, bytes: Buffer): Record<string, unknown>
}

const json: Payload = {
  flag: 0,
  encode: (_type, fields) => Buffer.from(JSON.stringify(fields)),
  decode: (_type, bytes) => fromJson(bytes.toString('utf8')),
}

/** Content stands as JSON text, wherever it stands. */
function mapContent(value: unknown, map: (content: unknown) => unknown): unknown {
  if (Array.isArray(value)) return value.map((one) => mapContent(one, map))
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      name,
      name === 'content' ? map(inner) : mapContent(inner, map),
    ]),
  )
}

function protocolBuffers(): Payload {
  const text = readFileSync(path.join(folder, 'omtp.proto'), 'utf8')
  const { root } = protobuf.parse(text, { keepCase: true })
  const messages = new Map(
    [...text.matchAll(/^\/\/ Type (\d+),.*\nmessage (\w+)/gm)].map(([, type, name]) => [
      Number(type),
      root.lookupType(`longwire.omtp.${name}`),
    ]),
  )
  const messageOf = (type: number): protobuf.Type => {
    const message = messages.get(type)
    if (!message) throw new Error(`omtp.proto has no type ${type}`)
    return message
  }
  /** ITEM_KIND_GROUP_SET is groupSet. */
  const plainEnum = (value: unknown): unknown => {
    const named = /^(?:ITEM_KIND|RELATION_STATE)_(\w+)$/.exec(String(value))?.[1]
    return named?.toLowerCase().replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase()) ?? value
  }
  const plain = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(plain)
    if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return value
    return Object.fromEntries(
      Object.entries(value).map(([name, inner]) => [
        name,
        name === 'kind' || name === 'state' ? plainEnum(inner) : plain(inner),
      ]),
    )
  }
  return {
    flag: 1,
    encode(type, fields) {
      const written = mapContent(fields, (content) => JSON.stringify(content)) as Record<string, unknown>
      return Buffer.from(messageOf(type).encode(messageOf(type).fromObject(written)).finish())
    },
    decode(type, bytes) {
      const message = messageOf(type)
      const value = message.toObject(message.decode(bytes), {
        longs: Number,
        enums: String,
        bytes: Buffer,
        defaults: true,
      })
      return withoutNulls(plain(mapContent(value, (content) => JSON.parse(String(content))))) as Record<
        string,
        unknown
      >
    },
  }
}

function wire(name: string, address: string, payload: Payload, compressed: boolean): Wire {
  const client = new Map(rowsOf('omtp-client-types').map((row) => [row.name, row]))
  const server = new Map(rowsOf('omtp-server-types').map((row) => [row.type, row]))

  function pipeOf(write: (bytes: Buffer) => void, end: () => void, handlers: PipeHandlers) {
    /** Requests by the packId that names their answers. */
    const open = new Map<string, unknown>()
    let rest: Buffer = Buffer.alloc(0)

    function send(frame: Frame): void {
      const row = client.get(frame.type)
      const { type: _, ...fields } = withoutNulls(frame) as Record<string, unknown>
      let packId = NIL
      if (row?.packId.startsWith("the command's")) {
        packId = String(fields.packId)
        delete fields.packId
      } else if (row?.packId.startsWith('any UUID but nil')) {
        packId = randomUUID()
        open.set(packId, fields.id)
        delete fields.id
      } else if (!row) packId = randomUUID()
      const plain = row ? payload.encode(row.type, fields) : Buffer.alloc(0)
      const body = compressed ? deflateRawSync(plain) : plain
      const header = Buffer.alloc(HEADER_BYTES)
      header.writeUInt32BE(HEADER_BYTES + body.length, 0)
      header.writeUInt16BE(row?.type ?? UNKNOWN_TYPE, 4)
      header.writeUInt16BE(1, 6)
      header.writeUInt32BE(payload.flag | (compressed ? COMPRESSED : 0), 8)
      Buffer.from(packId.replaceAll('-', ''), 'hex').copy(header, 12)
      write(Buffer.concat([header, body]))
    }

    function received(bytes: Buffer): void {
      const row = server.get(bytes.readUInt16BE(4))
      if (!row) throw new Error(`omtp.md has no type ${bytes.readUInt16BE(4)}`)
      const flag = bytes.readUInt32BE(8)
      const packId = bytes
        .toString('hex', 12, 28)
        .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
      const body = bytes.subarray(HEADER_BYTES)
      // Before a login could be read the answers are JSON.
      const coding = (flag & 15) === payload.flag ? payload : json
      const fields = coding.decode(row.type, flag & COMPRESSED ? inflateRawSync(body) : body)
      const frame: Record<string, unknown> = { ...fields, type: row.name }
      if (row.packId.startsWith("the command's")) frame.packId = packId
      if (row.name === 'event') frame.item = { packId, ...(fields.item as object) }
      if (open.has(packId)) {
        frame.id = open.get(packId)
        if (row.name !== 'packed' || fields.last === true) open.delete(packId)
      }
      handlers.frame(frame as Frame)
    }

    return {
      pipe: { send, close: end } satisfies Pipe,
      data(bytes: Buffer): void {
        rest = Buffer.concat([rest, bytes])
        while (rest.length >= 4 && rest.length >= rest.readUInt32BE(0)) {
          const length = rest.readUInt32BE(0)
          const frame = rest.subarray(0, length)
          rest = rest.subarray(length)
          received(frame)
        }
      },
    }
  }

  return {
    name,
    open: (handlers) =>
      new Promise((resolve, reject) => {
        const at = address.lastIndexOf(':')
        const socket = connect(Number(address.slice(at + 1)), address.slice(0, at))
        const { pipe, data } = pipeOf(
          (bytes) => void socket.write(bytes),
          () => void socket.destroy(),
          handlers,
        )
        socket.on('data', data)
        socket.once('error', reject)
        socket.once('connect', () => resolve(pipe))
        socket.once('close', () => handlers.ended())
      }),
  }
}

/** `address`: host:port. */
export const omtpJson = (address: string): Wire => wire('omtp-json', address, json, false)
export const omtpDeflated = (address: string): Wire => wire('omtp-json-deflate', address, json, true)
export const omtpProtobuf = (address: string): Wire =>
  wire('omtp-protobuf', address, protocolBuffers(), false)
export const omtpXml = (address: string): Wire => wire('omtp-xml', address, xml(), true)
export const omtpTars = (address: string): Wire => wire('omtp-tars', address, tars(), false)
