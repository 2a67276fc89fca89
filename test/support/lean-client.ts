/** A WebSocket for crowds: logs in, can be ended in every way there is, and looks at nothing but what it is told of its login. */
import { connect, type Socket } from 'node:net'
import { PROTOCOL_VERSION } from '../../schemas/protocol.ts'

export interface LeanClient {
  readonly user: string
  /** Resolves when it is in, or gone. */
  readonly settled: Promise<void>
  /** It was let in and neither side has ended it. */
  isIn(): boolean
  logout(): void
  /** Closes the socket in order, without a word of the protocol. */
  end(): void
  /** As when the process is killed. */
  destroy(): void
}

const TEXT = 1

/** Zero mask: it protects proxies, and there is none here. */
function frame(payload: string): Buffer {
  const bytes = Buffer.byteLength(payload)
  const extended = bytes < 126 ? 0 : 2
  const out = Buffer.alloc(2 + extended + 4 + bytes)
  out[0] = 0x80 | TEXT
  out[1] = 0x80 | (extended === 0 ? bytes : 126)
  if (extended > 0) out.writeUInt16BE(bytes, 2)
  out.write(payload, 2 + extended + 4)
  return out
}

export function leanClient(
  port: number,
  login: { user: string; token: string; deviceId: string; deviceType: string },
): LeanClient {
  const { user, ...rest } = login
  const { promise: settled, resolve } = Promise.withResolvers<void>()
  let heard = ''
  let state: 'opening' | 'in' | 'out' = 'opening'
  const out = (): void => {
    state = 'out'
    resolve()
  }
  const socket: Socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => {
    socket.write(
      [
        'GET /ws HTTP/1.1',
        'Host: localhost',
        'Upgrade: websocket',
        'Connection: Upgrade',
        'Sec-WebSocket-Version: 13',
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
        'Sec-WebSocket-Protocol: longwire.json',
        '\r\n',
      ].join('\r\n'),
    )
  })
  socket.on('data', (bytes: Buffer) => {
    if (heard === '')
      socket.write(frame(JSON.stringify({ type: 'login', protocol: PROTOCOL_VERSION, ...rest })))
    heard = (heard + bytes.toString('latin1')).slice(-2_000)
    if (heard.includes('"type":"bye"')) {
      out()
      socket.end()
    } else if (state === 'opening' && heard.includes('"type":"welcome"')) {
      state = 'in'
      resolve()
    }
  })
  socket.on('error', () => socket.destroy())
  socket.on('end', () => socket.end())
  socket.on('close', out)
  return {
    user,
    settled,
    isIn: () => state === 'in',
    logout() {
      socket.write(frame(JSON.stringify({ type: 'logout' })))
      out()
    },
    end() {
      out()
      socket.end()
    },
    destroy() {
      out()
      socket.resetAndDestroy()
    },
  }
}
