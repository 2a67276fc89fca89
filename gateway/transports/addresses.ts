/**
 * Connections per address, and those among them that have not logged in: the cheap way to exhaust a server. One count for all
 * transports of a gateway.
 */
import { isIPv6 } from 'node:net'

export interface AddressSeat {
  entered(): void
  leave(): void
}

export interface Addresses {
  isFull(address: string): boolean
  take(address: string): AddressSeat
}

/** `openMax`: connections of one address; `pendingMax`: those among them without a login. */
export function createAddresses(openMax: number, pendingMax: number): Addresses {
  const uses = new Map<string, { open: number; pending: number }>()
  return {
    isFull(address) {
      const use = uses.get(networkOf(address))
      return use !== undefined && (use.open >= openMax || use.pending >= pendingMax)
    },
    take(address) {
      const network = networkOf(address)
      const use = uses.get(network) ?? { open: 0, pending: 0 }
      uses.set(network, use)
      use.open += 1
      use.pending += 1
      let pending = true
      let seated = true
      const entered = () => {
        if (pending) use.pending -= 1
        pending = false
      }
      return {
        entered,
        leave() {
          if (!seated) return
          seated = false
          entered()
          use.open -= 1
          if (use.open === 0) uses.delete(network)
        },
      }
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

/** What is counted as one: an IPv4 address, or the /64 that one IPv6 subscriber has all of. */
export function networkOf(address: string): string {
  const plain = plainAddress(address)
  if (!plain.includes(':')) return plain
  const [head = '', tail = ''] = plain.split('::')
  const front = head === '' ? [] : head.split(':')
  const back = tail === '' ? [] : tail.split(':')
  const zeros = Array.from({ length: 8 - front.length - back.length }, () => '0')
  return `${[...front, ...zeros, ...back].slice(0, 4).join(':')}::/64`
}
