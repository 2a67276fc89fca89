/** How an address is reached: its scheme says by which transport, and in which encoding. One list may hold several kinds. */
import type { ConnectOptions } from './api.ts'
import { jsonCodec } from './codec-json.ts'
import { LongwireError } from './error.ts'
import { type OpenTransport, type WebSocketConstructor, webSocketTransport } from './transport.ts'
import type { FrameCodec } from './wire.ts'

export interface Way {
  readonly open: OpenTransport
  readonly codec: FrameCodec
}
/** Called for each attempt. */
export type Ways = (address: string) => Way

type Load = (options: ConnectOptions) => Promise<Way>

const webSocket: Load = async (options) => {
  const Socket = options.WebSocket ?? (globalThis.WebSocket as WebSocketConstructor | undefined)
  if (!Socket)
    throw new LongwireError('bad_call', 'This runtime has no WebSocket: pass one (Node 22 has one).')
  // Avro comes only when asked for, and a browser bundle leaves the file out.
  const codec = options.codec === 'avro' ? (await import('./codec-avro.ts')).avroCodec : jsonCodec
  return { open: webSocketTransport(Socket), codec }
}

/** By scheme. What a scheme needs is loaded only when an address has it. */
const loaders: Readonly<Record<string, Load>> = { ws: webSocket, wss: webSocket }

const schemeOf = (address: string): string => address.slice(0, Math.max(0, address.indexOf('://')))

/** Rejects for an address that this client has no transport for. */
export async function waysFor(options: ConnectOptions): Promise<Ways> {
  const addresses = typeof options.url === 'string' ? [options.url] : options.url
  const ways = new Map<string, Way>()
  for (const scheme of new Set(addresses.map(schemeOf))) {
    const load = Object.hasOwn(loaders, scheme) ? loaders[scheme] : undefined
    if (!load)
      throw new LongwireError(
        'bad_call',
        `An address begins with ${Object.keys(loaders).join(':// or ')}://, not ${JSON.stringify(scheme)}.`,
      )
    ways.set(scheme, await load(options))
  }
  return (address) => {
    const way = ways.get(schemeOf(address))
    if (!way) throw new LongwireError('bad_call', 'The list of addresses has changed.')
    return way
  }
}
