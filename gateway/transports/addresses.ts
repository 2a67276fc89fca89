/**
 * Connections per address, and those among them that have not logged in: the cheap way to exhaust a server. One count for all
 * transports of a gateway.
 */
import { plainAddress } from '../../infra/networks.ts'

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
