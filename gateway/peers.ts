/**
 * Which gateways live, by their heartbeats in the log, and so which records of the online map count: those of a gateway that fell
 * silent, left or was started anew are ignored at once, though they stand there until they are swept. Pure but for what it keeps.
 */
import type { OnlineEntry } from '../processors/fanout/ports.ts'
import { limits } from '../schemas/limits.ts'
import type { Clock } from '../schemas/ports.ts'

export interface Peers {
  /** A heartbeat came; null: that gateway has left. */
  heard(gateway: string, boot: string | null): void
  /** Whether the connection may be there. */
  lives(entry: Pick<OnlineEntry, 'gateway' | 'boot' | 'expiresAt'>): boolean
}

export function createPeers(options: {
  readonly gatewayId: string
  readonly boot: string
  readonly clock: Pick<Clock, 'now'>
}): Peers {
  const { gatewayId, boot, clock } = options
  const seen = new Map<string, { readonly boot: string | null; readonly at: number }>()
  const silence = limits.gatewaySilenceMsMax
  /** This gateway's own heartbeats show that the log brings them: else everybody would seem to be silent. */
  let flowingSince = 0
  let ownAt = Number.NEGATIVE_INFINITY

  const mayJudge = (now: number): boolean => now - ownAt <= silence && now - flowingSince > silence

  return {
    heard(gateway, of) {
      const now = clock.now()
      seen.set(gateway, { boot: of, at: now })
      if (gateway !== gatewayId) return
      if (now - ownAt > silence) flowingSince = now
      ownAt = now
    },
    lives(entry) {
      const now = clock.now()
      if (entry.expiresAt <= now) return false
      if (entry.gateway === gatewayId) return entry.boot === boot
      const peer = seen.get(entry.gateway)
      // A process that has just been started may be in the map before it is heard of.
      if (peer && entry.boot !== peer.boot) return peer.boot !== null && entry.boot > peer.boot
      return (peer !== undefined && now - peer.at <= silence) || !mayJudge(now)
    },
  }
}
