/** A WebSocket by hand: whatever bytes a test wants to send, from whatever address of this machine. */
import { connect, type Socket } from 'node:net'
import type { ServerFrame } from '../../schemas/frames.ts'

export interface RawWebSocket {
  /** Of the answer to the upgrade. */
  readonly status: number
  readonly socket: Socket
  /** Text frames that came whole. */
  readonly frames: ServerFrame[]
  write(bytes: Buffer): void
  /** A text frame as a client must send it. */
  send(frame: object): void
  /** How it ended: the close code that was sent, or null where the connection was cut without one. */
  readonly closed: Promise<number | null>
  close(): void
}

export interface RawOptions {
  readonly path?: string
  readonly localAddress?: string
  readonly headers?: Readonly<Record<string, string>>
}

export function rawWebSocket(port: number, options: RawOptions = {}): Promise<RawWebSocket> {
  const { path = '/ws', localAddress, headers = {} } = options
  const socket = connect({ port, host: '127.0.0.1', ...(localAddress ? { localAddress } : {}) })
  const lines = {
    Host: `127.0.0.1:${port}`,
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    ...headers,
  }
  socket.on('error', () => {})
  socket.write(
    `GET ${path} HTTP/1.1\r\n${Object.entries(lines)
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join('')}\r\n`,
  )
  const frames: ServerFrame[] = []
  let rest: Buffer = Buffer.alloc(0)
  let code: number | null = null
  const closed = new Promise<number | null>((resolve) => socket.once('close', () => resolve(code)))
  return new Promise((resolve, reject) => {
    socket.once('close', () => reject(new Error('it was closed before the answer to the upgrade')))
    let status = 0
    socket.on('data', (bytes) => {
      rest = Buffer.concat([rest, bytes])
      if (status === 0) {
        const end = rest.indexOf('\r\n\r\n')
        if (end < 0) return
        status = Number(rest.toString('latin1').split(' ')[1])
        rest = rest.subarray(end + 4)
        resolve({
          status,
          socket,
          frames,
          write: (data) => void socket.write(data),
          send: (frame) => void socket.write(rawFrame(0x81, Buffer.from(JSON.stringify(frame)))),
          closed,
          close: () => void socket.destroy(),
        })
      }
      if (status === 101) read()
    })
  })

  function read(): void {
    for (let end = endOf(rest); end <= rest.length; end = endOf(rest)) {
      const body = rest.subarray(headOf(rest), end)
      if (rest[0] === 0x81) frames.push(JSON.parse(body.toString()) as ServerFrame)
      if (rest[0] === 0x88 && body.length >= 2) code = body.readUInt16BE(0)
      rest = rest.subarray(end)
    }
  }
}

/** `first`: the byte with FIN, reserved bits and opcode. `declared`: a length other than the body's. */
export function rawFrame(
  first: number,
  body: Buffer,
  { masked = true, declared = BigInt(body.length) }: { masked?: boolean; declared?: bigint } = {},
): Buffer {
  const length = Buffer.alloc(8)
  length.writeBigUInt64BE(declared)
  const bit = masked ? 0x80 : 0
  const head =
    declared < 126n
      ? Buffer.from([first, bit | Number(declared)])
      : declared < 65_536n
        ? Buffer.from([first, bit | 126, ...length.subarray(6)])
        : Buffer.from([first, bit | 127, ...length])
  return Buffer.concat([head, Buffer.alloc(masked ? 4 : 0), body])
}

const headOf = (bytes: Buffer): number => {
  const length = bytes[1] as number
  return length < 126 ? 2 : length === 126 ? 4 : 10
}

/** Where the first frame ends; beyond any number of bytes where that is not known yet. */
function endOf(bytes: Buffer): number {
  if (bytes.length < 2 || bytes.length < headOf(bytes)) return Number.POSITIVE_INFINITY
  const length = bytes[1] as number
  if (length < 126) return 2 + length
  return length === 126 ? 4 + bytes.readUInt16BE(2) : 10 + Number(bytes.readBigUInt64BE(2))
}
