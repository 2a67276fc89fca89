/** Sets of network addresses, as settings name them. */
import { BlockList, isIP } from 'node:net'

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

const MAPPED = /^(?:::ffff:|0{4}:0{4}:0{4}:0{4}:0{4}:ffff:)(.+)$/i

/** An IPv4 address in IPv6 clothes is the IPv4 address. */
export function plainAddress(address: string): string {
  const inner = MAPPED.exec(address)?.[1]
  if (inner === undefined) return address
  if (isIP(inner) === 4) return inner
  const [high, low] = inner.split(':').map((part) => Number.parseInt(part, 16))
  if (high === undefined || low === undefined || Number.isNaN(high + low)) return address
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`
}
