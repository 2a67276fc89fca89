/**
 * A WebSocket for load processes: what browsers' interface asks for and no more, at a fraction of the processor time of the
 * runtime's own, so that the load leaves the machine to what is measured. For our gateway only: plain ws://, no
 * extensions, no fragmented messages.
 */
import { randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import type { WebSocketConstructor } from '../../client/transport.ts'

type Handler<E> = ((event: E & never) => unknown) | null

const CONNECTING = 0
const OPEN = 1
const CLOSED = 3
const TEXT = 1
const BINARY = 2
const CLOSE = 8
const PING = 9
const PONG = 10
const READ_BYTES = 65_536
const HANDSHAKE_BYTES_MAX = 16_384

/** All sockets of a process read into one buffer: what stays behind of a frame is copied. */
const readBuffer = Buffer.allocUnsafeSlow(READ_BYTES)
const nothing = Buffer.alloc(0)

interface Lean {
  binaryType: string
  readyState: number
  onopen: Handler<object>
  onmessage: Handler<{ data: unknown }>
  onclose: Handler<object>
  onerror: Handler<object>
  send(data: never): void
  /** Reads nothing more. */
  pause(): void
  close(code?: number): void
}

/** A client's frame. The mask is zero: it protects proxies, and there is none here. */
function frame(opcode: number, payload: string | Uint8Array): Buffer {
  const bytes = typeof payload === 'string' ? Buffer.byteLength(payload) : payload.length
  const extended = bytes < 126 ? 0 : bytes < 65_536 ? 2 : 8
  const head = 2 + extended + 4
  const out = Buffer.allocUnsafe(head + bytes)
  out[0] = 0x80 | opcode
  if (extended === 0) out[1] = 0x80 | bytes
  else if (extended === 2) {
    out[1] = 0x80 | 126
    out.writeUInt16BE(bytes, 2)
  } else {
    out[1] = 0x80 | 127
    out.writeBigUInt64BE(BigInt(bytes), 2)
  }
  out.writeUInt32BE(0, head - 4)
  if (typeof payload === 'string') out.write(payload, head, 'utf8')
  else out.set(payload, head)
  return out
}

function handshake(url: URL, protocol: string): string {
  return [
    `GET ${url.pathname} HTTP/1.1`,
    `Host: ${url.host}`,
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
    `Sec-WebSocket-Protocol: ${protocol}`,
    '\r\n',
  ].join('\r\n')
}

function open(address: string, protocol: string): Lean {
  const url = new URL(address)
  let rest: Buffer = nothing
  let ended = false
  const self: Lean = {
    binaryType: 'arraybuffer',
    readyState: CONNECTING,
    onopen: null,
    onmessage: null,
    onclose: null,
    onerror: null,
    send: (data: string | Uint8Array) =>
      void socket.write(frame(typeof data === 'string' ? TEXT : BINARY, data)),
    pause: () => void socket.pause(),
    close() {
      if (ended) return
      if (self.readyState === OPEN) socket.write(frame(CLOSE, nothing))
      socket.end()
      self.readyState = CLOSED
    },
  }
  const end = (event: 'close' | 'error'): void => {
    if (ended) return
    ended = true
    self.readyState = CLOSED
    socket.destroy()
    if (event === 'error') self.onerror?.({} as never)
    self.onclose?.({} as never)
  }
  const socket: Socket = connect({
    host: url.hostname,
    port: Number(url.port),
    noDelay: true,
    onread: {
      buffer: readBuffer,
      callback: (count) => {
        take(readBuffer.subarray(0, count))
        return true
      },
    },
  })
  socket.on('connect', () => socket.write(handshake(url, protocol)))
  socket.on('error', () => end('error'))
  socket.on('close', () => end('close'))
  // With onread nothing flows through the stream, but its end must be noticed.
  socket.on('end', () => end('close'))

  function take(chunk: Buffer): void {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    let at = 0
    if (self.readyState === CONNECTING) {
      const headEnd = bytes.indexOf('\r\n\r\n')
      if (headEnd < 0 && bytes.length <= HANDSHAKE_BYTES_MAX) {
        rest = Buffer.from(bytes)
        return
      }
      if (headEnd < 0 || !bytes.toString('latin1', 0, 12).endsWith(' 101')) {
        end('error')
        return
      }
      at = headEnd + 4
      self.readyState = OPEN
      self.onopen?.({} as never)
    }
    while (!ended) {
      const used = takeFrame(bytes, at)
      if (used === 0) break
      at += used
    }
    rest = at === bytes.length ? nothing : Buffer.from(bytes.subarray(at))
  }

  /** Answers how many bytes it took; 0: the frame is not there yet. */
  function takeFrame(bytes: Buffer, at: number): number {
    if (bytes.length < at + 2) return 0
    const opcode = (bytes[at] ?? 0) & 0x0f
    const short = (bytes[at + 1] ?? 0) & 0x7f
    const from = at + 2 + (short < 126 ? 0 : short === 126 ? 2 : 8)
    if (bytes.length < from) return 0
    const length =
      short < 126 ? short : short === 126 ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2))
    const to = from + length
    if (bytes.length < to) return 0
    if (opcode === TEXT) self.onmessage?.({ data: bytes.toString('utf8', from, to) } as never)
    else if (opcode === BINARY) self.onmessage?.({ data: copied(bytes, from, to) } as never)
    else if (opcode === PING) socket.write(frame(PONG, bytes.subarray(from, to)))
    else if (opcode === CLOSE) end('close')
    return to - at
  }

  return self
}

const copied = (bytes: Buffer, from: number, to: number): ArrayBuffer =>
  Uint8Array.prototype.slice.call(bytes, from, to).buffer as ArrayBuffer

/** To be passed to the client as `WebSocket`. */
export const LeanSocket = function (this: unknown, address: string, protocol: string) {
  return open(address, protocol)
} as unknown as WebSocketConstructor
