/** What the run and its load process tell each other. */
export interface LoadConfig {
  readonly urls: readonly string[]
  /** user → token */
  readonly tokens: Readonly<Record<string, string>>
  readonly users: number
  readonly groups: number
  readonly ratePerSecond: number
  readonly seed: number
  readonly awayFromMs: number
  readonly historyFile: string
}

export type ToLoad =
  | { readonly kind: 'begin' }
  /** They connect, and wait to speak. */
  | { readonly kind: 'arrive'; readonly users: readonly string[] }
  /** Whoever has arrived says his first words, all at once, and talks like the others from then on. */
  | { readonly kind: 'speak' }
  /** No more commands; those under way go on. */
  | { readonly kind: 'quiet' }
  | { readonly kind: 'final-read'; readonly msMax: number }
  | { readonly kind: 'exit' }

export type FromLoad =
  | { readonly kind: 'connected'; readonly devices: number }
  | { readonly kind: 'begun' }
  | { readonly kind: 'arrived' }
  | { readonly kind: 'stats'; readonly stats: LoadStats }
  | { readonly kind: 'read'; readonly errors: readonly string[] }

export interface LoadStats {
  readonly attempts: number
  readonly ok: number
  readonly fail: number
  readonly pending: number
  readonly received: number
  readonly online: number
  readonly devices: number
  /** (message, device) pairs of single chats that were committed and not seen yet. */
  readonly lacking: number
  readonly reconnects: number
  readonly resends: number
  readonly duplicates: number
  readonly gapsHealed: number
  readonly jumps: number
}
