/** How an address is reached: its scheme says by which transport, and in which encoding. One list may hold several kinds. */
import type { Clock } from '../schemas/ports.ts'
import type { ConnectOptions } from './api.ts'
import { jsonCodec } from './codec-json.ts'
import { LongwireError } from './error.ts'
import { withFallback } from './fallback.ts'
import { type Fetch, pollingTransport } from './polling.ts'
import { type OpenTransport, type WebSocketConstructor, webSocketTransport } from './transport.ts'
import type { FrameCodec } from './wire.ts'

export interface Way {
  readonly open: OpenTransport
  readonly codec: FrameCodec
}
/** Called for each attempt. */
export type Ways = (address: string) => Way

export interface WaysDeps {
  readonly clock: Clock
  readonly random: () => number
  /** Null: this runtime has none, and polls nothing. */
  readonly fetch: Fetch | null
}

type Load = (options: ConnectOptions, deps: WaysDeps) => Promise<Ways>

function pollingWay(deps: WaysDeps): Way | null {
  const { fetch } = deps
  return fetch && { open: pollingTransport({ ...deps, fetch }), codec: jsonCodec }
}

const webSocket: Load = async (options, deps) => {
  const Socket = options.WebSocket ?? (globalThis.WebSocket as WebSocketConstructor | undefined)
  if (!Socket)
    throw new LongwireError('bad_call', 'This runtime has no WebSocket: pass one (Node 22 has one).')
  // Avro comes only when asked for, and a browser bundle leaves the file out.
  const codec = options.codec === 'avro' ? (await import('./codec-avro.ts')).avroCodec : jsonCodec
  const way: Way = { open: webSocketTransport(Socket), codec }
  const polling = pollingWay(deps)
  const { clock, fetch } = deps
  return polling && fetch ? withFallback({ webSocket: way, polling, fetch, clock }) : () => way
}

const http: Load = async (_options, deps) => {
  const way = pollingWay(deps)
  if (!way) throw new LongwireError('bad_call', 'This runtime has no fetch.')
  return () => way
}

/** For Node only: a browser bundle leaves the folder out. */
const omtp: Load = async (options) => {
  const { encoding = 'json', compress = false, ca = null } = options.omtp ?? {}
  const [{ omtpTransport }, { omtpCodec }] = await Promise.all([
    import('./node/omtp.ts'),
    import('./node/omtp-codec.ts'),
  ])
  const way: Way = { open: omtpTransport(ca), codec: omtpCodec({ encoding, compress }) }
  return () => way
}

/** By scheme. What a scheme needs is loaded only when an address has it. */
const loaders: Readonly<Record<string, Load>> = {
  ws: webSocket,
  wss: webSocket,
  http,
  https: http,
  omtp,
  omtps: omtp,
}

const schemeOf = (address: string): string => address.slice(0, Math.max(0, address.indexOf('://')))

/** Rejects for an address that this client has no transport for. */
export async function waysFor(options: ConnectOptions, deps: WaysDeps): Promise<Ways> {
  const addresses = typeof options.url === 'string' ? [options.url] : options.url
  const ways = new Map<string, Ways>()
  for (const scheme of new Set(addresses.map(schemeOf))) {
    const load = Object.hasOwn(loaders, scheme) ? loaders[scheme] : undefined
    if (!load)
      throw new LongwireError(
        'bad_call',
        `An address begins with ${Object.keys(loaders).join(':// or ')}://, not ${JSON.stringify(scheme)}.`,
      )
    ways.set(scheme, await load(options, deps))
  }
  return (address) => {
    const way = ways.get(schemeOf(address))
    if (!way) throw new LongwireError('bad_call', 'The list of addresses has changed.')
    return way(address)
  }
}
