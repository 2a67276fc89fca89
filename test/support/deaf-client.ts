/** A client on a bare socket that can stop reading, while it goes on to send: what it is sent then stays with the gateway. */
import { connect } from 'node:net'
import type { ServerFrame } from '../../schemas/frames.ts'

export interface DeafClient {
  readonly frames: ServerFrame[]
  send(frame: object): void
  /** Bytes as they are, behind no header. */
  raw(bytes: Buffer): void
  pause(): void
  resume(): void
  /** Whether the other side has ended it, as far as was read. */
  readonly closed: boolean
  close(): void
}

/** After the upgrade; rejects where there is none. Of `longwire.json`, from a gateway whose messages are never fragmented. */
export async function deafClient(url: string): Promise<DeafClient> {
  const { hostname, port, pathname } = new URL(url)
  const socket = connect(Number(port), hostname)
  const frames: ServerFrame[] = []
  let rest: Buffer = Buffer.alloc(0)
  socket.on('error', () => {})
  socket.write(
    [
      `GET ${pathname} HTTP/1.1`,
      'Host: x',
      'Upgrade: websocket',
      'Connection: Upgrade',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Protocol: longwire.json',
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    ].join('\r\n'),
  )
  let closed = false
  socket.on('close', () => {
    closed = true
  })
  await new Promise<void>((resolve, reject) => {
    socket.once('data', (bytes) =>
      bytes.toString().startsWith('HTTP/1.1 101') ? resolve() : reject(new Error('no upgrade')),
    )
    socket.once('close', () => reject(new Error('closed')))
  })
  socket.on('data', (bytes) => {
    rest = Buffer.concat([rest, bytes])
    for (let end = endOf(rest); end <= rest.length; end = endOf(rest)) {
      const message = rest.subarray(headOf(rest), end).toString()
      if ((rest[0] as number) === 0x81) frames.push(JSON.parse(message) as ServerFrame)
      rest = rest.subarray(end)
    }
  })
  return {
    frames,
    send: (frame) => void socket.write(masked(JSON.stringify(frame))),
    raw: (bytes) => void socket.write(bytes),
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    get closed() {
      return closed
    },
    close: () => void socket.destroy(),
  }
}

/** One masked text frame, as a client must send it. */
function masked(text: string): Buffer {
  const body = Buffer.from(text)
  const header = Buffer.from([0x81, 0x80 | 126, body.length >> 8, body.length & 0xff, 0, 0, 0, 0])
  return Buffer.concat([header, body])
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
