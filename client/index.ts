/** Longwire's client, for browsers and for Node 22 or newer (any runtime with a global WebSocket, or one that is passed in). */
import type { Client, ConnectOptions } from './api.ts'

export type * from './api.ts'
export { LongwireError } from './error.ts'
export { memoryStore, type Saved, type SavedCommand, type Store } from './store.ts'

/** Logs in and resolves when online. Rejects when the login is refused, or nothing answered in connectTimeoutMs. */
export async function connect(options: ConnectOptions): Promise<Client> {
  throw new Error(`not there yet: ${String(options.url)}`)
}
