/** Who a client is where balancers stand before the gateway. Their word is taken only from addresses that are configured. */
import { isIP } from 'node:net'
import { type Networks, plainAddress } from '../../infra/networks.ts'

/**
 * By X-Forwarded-For (RFC 7239 names its successor), from the right: what the nearest proxies say that are trusted. Whatever a
 * client wrote itself stands to the left of that.
 */
export function clientAddress(peer: string, forwardedFor: string, trusted: Networks): string {
  let address = plainAddress(peer)
  for (const hop of forwardedFor.split(',').reverse()) {
    if (!trusted.has(address)) return address
    const next = plainAddress(hop.trim())
    if (isIP(next) === 0) return address
    address = next
  }
  return address
}

export type ProxyLine =
  /** Bytes are missing. */
  | { readonly kind: 'more' }
  | { readonly kind: 'bad' }
  /** `address` null: the proxy speaks for itself, as in a health check. `bytes`: length of the line. */
  | { readonly kind: 'line'; readonly address: string | null; readonly bytes: number }
  /** The connection begins with something else. */
  | { readonly kind: 'none' }

/** Longest line of version 1, its end included. */
const V1_BYTES_MAX = 107
const V2_SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex')
const V2_HEADER_BYTES = 16
const V2_BODY_BYTES_MAX = 536

/** The PROXY protocol, versions 1 and 2, as HAProxy has published it ("The PROXY protocol", sections 2.1 and 2.2). */
export function readProxyLine(head: Buffer): ProxyLine {
  if (head.length === 0) return { kind: 'more' }
  if (head[0] === 0x50) return readV1(head)
  if (head[0] === V2_SIGNATURE[0]) return readV2(head)
  return { kind: 'none' }
}

function readV1(head: Buffer): ProxyLine {
  const end = head.subarray(0, V1_BYTES_MAX).indexOf('\r\n')
  if (end < 0) return head.length < V1_BYTES_MAX ? { kind: 'more' } : { kind: 'bad' }
  const [word, protocol, source = ''] = head.toString('latin1', 0, end).split(' ')
  if (word !== 'PROXY') return { kind: 'bad' }
  const bytes = end + 2
  if (protocol === 'UNKNOWN') return { kind: 'line', address: null, bytes }
  const family = protocol === 'TCP4' ? 4 : protocol === 'TCP6' ? 6 : 0
  return family !== 0 && isIP(source) === family ? { kind: 'line', address: source, bytes } : { kind: 'bad' }
}

function readV2(head: Buffer): ProxyLine {
  const known = Math.min(head.length, V2_SIGNATURE.length)
  if (!head.subarray(0, known).equals(V2_SIGNATURE.subarray(0, known))) return { kind: 'bad' }
  if (head.length < V2_HEADER_BYTES) return { kind: 'more' }
  const command = head.readUInt8(12)
  const family = head.readUInt8(13) >> 4
  const bodyBytes = head.readUInt16BE(14)
  if (command >> 4 !== 2 || (command & 15) > 1 || bodyBytes > V2_BODY_BYTES_MAX) return { kind: 'bad' }
  const bytes = V2_HEADER_BYTES + bodyBytes
  if (head.length < bytes) return { kind: 'more' }
  const body = head.subarray(V2_HEADER_BYTES, bytes)
  // LOCAL, or a family that carries no address of a network.
  if ((command & 15) === 0 || family === 0) return { kind: 'line', address: null, bytes }
  if (family === 1 && body.length >= 12)
    return { kind: 'line', address: [...body.subarray(0, 4)].join('.'), bytes }
  if (family === 2 && body.length >= 36) return { kind: 'line', address: ipv6(body), bytes }
  return { kind: 'bad' }
}

function ipv6(body: Buffer): string {
  const parts: string[] = []
  for (let at = 0; at < 16; at += 2) parts.push(body.readUInt16BE(at).toString(16))
  return parts.join(':')
}
