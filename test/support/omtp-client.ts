/** A bare client of OMTP over TCP or TLS: no retries, no state, everything that came is kept. */
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { ClientFrame, ServerFrame } from '../../schemas/frames.ts'
import { createFraming } from '../../schemas/omtp/framing.ts'
import type { PayloadEncoding } from '../../schemas/omtp/header.ts'
import { PROTOCOL_VERSION } from '../../schemas/protocol.ts'
import { until } from './gateway.ts'
import { clientBytes, serverFrameOf, type Told } from './omtp.ts'

export interface OmtpClient {
  readonly told: Told[]
  readonly socket: Socket
  /** Resolves when the server has ended it. */
  readonly closed: Promise<void>
  isClosed(): boolean
  send(frame: object, packId?: Buffer): void
  raw(bytes: Uint8Array): void
  login(token: string, part?: object): void
  /** The first of this type that was not taken yet, as it came. */
  nextTold(type: ServerFrame['type']): Promise<Told>
  next<T extends ServerFrame['type']>(type: T): Promise<Extract<ServerFrame, { type: T }>>
  close(): void
}

export interface OmtpClientOptions {
  readonly encoding?: PayloadEncoding
  readonly deflate?: boolean
  /** PEM text of the authority: speaks TLS. */
  readonly ca?: string
}

export async function omtpClient(port: number, options: OmtpClientOptions = {}): Promise<OmtpClient> {
  const { encoding = 'json', deflate = false, ca } = options
  const to = { host: '127.0.0.1', port }
  const socket = ca === undefined ? connectTcp(to) : connectTls({ ...to, ca, servername: 'localhost' })
  const framing = createFraming(64 * 1024 * 1024)
  const told: Told[] = []
  const waiting: Told[] = []
  let ended = false
  const closed = new Promise<void>((resolve) => {
    socket.once('close', () => {
      ended = true
      resolve()
    })
  })
  socket.on('data', (chunk: Buffer) => {
    framing.push(chunk, (bytes) => {
      const one = serverFrameOf(bytes)
      told.push(one)
      waiting.push(one)
      return true
    })
  })
  await new Promise<void>((resolve, reject) => {
    socket.once(ca === undefined ? 'connect' : 'secureConnect', () => resolve())
    socket.once('error', reject)
  })
  socket.on('error', () => {})
  const nextTold: OmtpClient['nextTold'] = async (type) => {
    let at = -1
    await until(() => {
      at = waiting.findIndex(({ frame }) => frame.type === type)
      return at >= 0
    })
    return waiting.splice(at, 1)[0] as Told
  }
  const client: OmtpClient = {
    told,
    socket,
    closed,
    isClosed: () => ended,
    send: (frame, packId) =>
      client.raw(clientBytes(frame as ClientFrame, { encoding, deflate, ...(packId ? { packId } : {}) })),
    raw: (bytes) => void socket.write(bytes),
    login(token, part = {}) {
      client.send({
        type: 'login',
        token,
        deviceId: 'd1',
        deviceType: 'test',
        protocol: PROTOCOL_VERSION,
        heartbeatMs: null,
        ...part,
      })
    },
    nextTold,
    next: async (type) => (await nextTold(type)).frame as never,
    close: () => socket.destroy(),
  }
  return client
}
