/** Longwire's client, for browsers and for Node 22 or newer (any runtime with a global WebSocket, or one that is passed in). */
import type { Client, ConnectOptions } from './api.ts'
import { connectWith } from './client.ts'
import { isBrowser, onWake } from './environment.ts'
import { randomBytes } from './pack-id.ts'
import { sharedClock } from './timers.ts'
import { waysFor } from './transports.ts'

export type * from './api.ts'
export { LongwireError } from './error.ts'
export { type Held, memoryStore, type Saved, type SavedCommand, type Store } from './store.ts'
export { conversationView } from './view.ts'

/** All clients of a process share their timers. */
const clock = sharedClock()

/** Logs in and resolves when online. Rejects when the login is refused, or nothing answered in connectTimeoutMs. */
export async function connect(options: ConnectOptions): Promise<Client> {
  const ways = await waysFor(options, {
    clock,
    random: Math.random,
    // Looked up for each call: a page may replace it.
    fetch: typeof globalThis.fetch === 'function' ? (url, init) => globalThis.fetch(url, init) : null,
  })
  return connectWith(options, {
    clock,
    random: Math.random,
    randomBytes,
    ways,
    deviceType: isBrowser() ? 'web' : 'node',
    onWake,
    report(error) {
      // As if the handler had been called from the event loop: visible, and the client goes on where the runtime lets it.
      setTimeout(() => {
        throw error
      }, 0)
    },
  })
}
