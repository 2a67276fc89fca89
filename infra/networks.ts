/** Sets of network addresses, as settings name them. */
import { BlockList, isIP, isIPv6 } from 'node:net'

export interface Networks {
  has(address: string): boolean
}

/** An address, or a network as `10.0.0.0/8`. */
export function isNetwork(text: string): boolean {
  const [address = '', bits, more] = text.split('/')
  const family = isIP(address)
  if (family === 0 || more !== undefined) return false
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128))
}

/** Each entry is one that `isNetwork` takes. */
export function networksOf(networks: readonly string[]): Networks {
  const list = new BlockList()
  for (const network of networks) {
    const [address = '', bits] = network.split('/')
    const family = isIP(address) === 4 ? 'ipv4' : 'ipv6'
    if (bits === undefined) list.addAddress(address, family)
    else list.addSubnet(address, Number(bits), family)
  }
  return {
    has(address) {
      const plain = plainAddress(address)
      const family = isIP(plain)
      return family !== 0 && list.check(plain, family === 4 ? 'ipv4' : 'ipv6')
    },
  }
}

/** One text per address, however a socket library writes it: an IPv4 client of an IPv6 socket has its IPv4 address. */
export function plainAddress(text: string): string {
  const [bare = ''] = text.split('%')
  if (!isIPv6(bare)) return bare
  const short = new URL(`http://[${bare}]`).hostname.slice(1, -1)
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(short)
  if (!mapped) return short
  const [high, low] = [mapped[1], mapped[2]].map((part) => Number.parseInt(part ?? '', 16))
  return [high, low].map((half = 0) => `${half >> 8}.${half & 255}`).join('.')
}
