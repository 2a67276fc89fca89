/** A bare client of the frame protocol on Node's WebSocket: no retries, no state, everything that came is kept. */
import type { Codec } from '../../schemas/avro.ts'
import { fingerprintAt, fingerprintKey, seal } from '../../schemas/avro.ts'
import { type ClientFrame, clientFrames, type ServerFrame, serverFrames } from '../../schemas/frames.ts'
import { PROTOCOL_VERSION } from '../../schemas/protocol.ts'
import { until } from './gateway.ts'

export interface RawClient {
  readonly frames: ServerFrame[]
  readonly closed: Promise<{ code: number; reason: string }>
  isClosed(): boolean
  send(frame: object): void
  raw(data: string | Uint8Array): void
  login(token: string, part?: object): void
  /** The first frame of this type that was not taken yet. */
  next<T extends ServerFrame['type']>(type: T): Promise<Extract<ServerFrame, { type: T }>>
  close(): void
}

export type ServerFrameCodec = Codec<unknown>
const byFingerprint = new Map(
  Object.entries(serverFrames).map(([type, of]) => [
    fingerprintKey(of.fingerprint),
    { type, codec: of as unknown as Codec<Record<string, unknown>> },
  ]),
)

export function decodeServerAvro(bytes: Buffer): ServerFrame {
  const of = byFingerprint.get(fingerprintAt(bytes) ?? '')
  if (!of) throw new Error('unknown frame')
  return { ...of.codec.decode(bytes.subarray(10)), type: of.type } as unknown as ServerFrame
}

export function encodeClientAvro(frame: ClientFrame): Buffer {
  return seal(clientFrames[frame.type] as unknown as Codec<ClientFrame>, frame)
}

let devices = 0

/** Each is a device of its own, unless told otherwise at login. */
export async function rawClient(
  url: string,
  subprotocol: string | null = 'longwire.json',
  headers: Record<string, string> = {},
): Promise<RawClient> {
  const avro = subprotocol === 'longwire.avro'
  const device = ++devices
  const options = { headers, ...(subprotocol === null ? {} : { protocols: [subprotocol] }) }
  // Node's WebSocket takes headers, which the browser's type does not know.
  const socket = new WebSocket(url, options as unknown as string[])
  socket.binaryType = 'arraybuffer'
  const frames: ServerFrame[] = []
  const waiting: ServerFrame[] = []
  let ended = false
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.onclose = ({ code, reason }) => {
      ended = true
      resolve({ code, reason })
    }
  })
  socket.onmessage = ({ data }) => {
    const frame =
      typeof data === 'string'
        ? (JSON.parse(data) as ServerFrame)
        : decodeServerAvro(Buffer.from(data as ArrayBuffer))
    frames.push(frame)
    waiting.push(frame)
  }
  await new Promise<void>((resolve, reject) => {
    socket.onopen = () => resolve()
    socket.onerror = () => reject(new Error('the upgrade was refused'))
  })
  socket.onerror = () => {}
  const client: RawClient = {
    frames,
    closed,
    isClosed: () => ended,
    send(frame) {
      client.raw(avro ? encodeClientAvro(frame as ClientFrame) : JSON.stringify(frame))
    },
    raw: (data) => socket.send(data as string),
    login(token, part = {}) {
      client.send({
        type: 'login',
        token,
        deviceId: `d${device}`,
        deviceType: 'test',
        protocol: PROTOCOL_VERSION,
        heartbeatMs: null,
        proof: null,
        ...part,
      })
    },
    async next(type) {
      let at = -1
      await until(() => {
        at = waiting.findIndex((frame) => frame.type === type)
        return at >= 0
      })
      return waiting.splice(at, 1)[0] as never
    },
    close: () => socket.close(),
  }
  return client
}
