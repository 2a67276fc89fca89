/** Connections per address, and those among them that have not logged in: the cheap way to exhaust a server. */

export interface AddressSeat {
  entered(): void
  leave(): void
}

export interface Addresses {
  isFull(address: string): boolean
  take(address: string): AddressSeat
}

export function createAddresses(openMax: number, pendingMax: number): Addresses {
  const uses = new Map<string, { open: number; pending: number }>()
  return {
    isFull(address) {
      const use = uses.get(address)
      return use !== undefined && (use.open >= openMax || use.pending >= pendingMax)
    },
    take(address) {
      const use = uses.get(address) ?? { open: 0, pending: 0 }
      uses.set(address, use)
      use.open += 1
      use.pending += 1
      let pending = true
      const entered = () => {
        if (pending) use.pending -= 1
        pending = false
      }
      return {
        entered,
        leave() {
          entered()
          use.open -= 1
          if (use.open === 0) uses.delete(address)
        },
      }
    },
  }
}
