/**
 * Lets so many in at once, so many wait in order, and turns the rest away: a crowd that comes back together must not take all of the
 * time of those who stayed. Knows no clock.
 */
export interface Gate<K> {
  /** Runs `go` now or when its turn comes; at once for whoever is inside. False: too many wait. */
  pass(who: K, go: () => void): boolean
  /** Out again, or gone while waiting: the next one's turn. */
  leave(who: K): void
  inside(): number
  waiting(): number
}

export function createGate<K>(insideMax: number, waitingMax: number): Gate<K> {
  const inside = new Set<K>()
  const waiting = new Map<K, () => void>()
  let letting = false

  /** Whoever is let in may leave at once, and call this again: the loop goes on then, not a call for each who waits. */
  function next(): void {
    if (letting) return
    letting = true
    try {
      letIn()
    } finally {
      letting = false
    }
  }

  function letIn(): void {
    while (inside.size < insideMax) {
      const [first] = waiting
      if (!first) return
      const [who, go] = first
      waiting.delete(who)
      inside.add(who)
      go()
    }
  }

  return {
    pass(who, go) {
      if (inside.has(who)) go()
      else if (inside.size < insideMax && waiting.size === 0) {
        inside.add(who)
        go()
      } else if (waiting.size < waitingMax) waiting.set(who, go)
      else return false
      return true
    },
    leave(who) {
      waiting.delete(who)
      if (inside.delete(who)) next()
    },
    inside: () => inside.size,
    waiting: () => waiting.size,
  }
}
