/**
 * A copy of im.keys in the archive, from which the topic is restored where Kafka's data is lost: without it all contents would be.
 * What a newer version has replaced is merged away, so that a key that was destroyed is not kept here.
 */
import { randomUUID } from 'node:crypto'
import { type Clock, Fault, type Logger } from '../../schemas/ports.ts'
import type { ContentKey } from '../../schemas/records.ts'
import type { ArchivePort } from '../ports.ts'

export interface KeyMirror {
  note(key: ContentKey, value: Buffer): void
  /** Resolves once everything noted so far stands in the archive. Rejects with a Fault where it cannot be written now. */
  flush(): Promise<void>
  stop(): void
}

export interface KeyMirrorOptions {
  readonly clickhouse: ArchivePort & { command(sql: string): Promise<void> }
  readonly clock: Clock
  readonly logger: Logger
}

const KEYS_PER_BLOCK = 10_000
const MERGE_MS = 60_000
const LATE_MS = 2_000

/** `record`: as it stands on im.keys, in base64. Parts that were merged are gone from the disk a minute later. */
export const contentKeyStatements: readonly string[] = [
  `CREATE TABLE IF NOT EXISTS content_keys (
    id String,
    version UInt32,
    record String
  ) ENGINE = ReplacingMergeTree(version) ORDER BY id SETTINGS old_parts_lifetime = 60`,
]

export function createKeyMirror({ clickhouse, clock, logger }: KeyMirrorOptions): KeyMirror {
  const waiting = new Map<string, { version: number; value: Buffer }>()
  let running: Promise<void> = Promise.resolve()
  let replaced = false
  let stopped = false
  let cancel: (() => void) | null = null

  async function insert(): Promise<void> {
    while (waiting.size > 0) {
      const some = [...waiting].slice(0, KEYS_PER_BLOCK)
      const rows = some.map(([id, { version, value }]) => ({ id, version, record: value.toString('base64') }))
      await clickhouse.insert('content_keys', rows, { dedupToken: randomUUID() })
      for (const [id, { version }] of some) if (waiting.get(id)?.version === version) waiting.delete(id)
    }
  }

  /** One at a time; a failure is the failure of whoever waits for it, and what it was about waits on. */
  function flush(): Promise<void> {
    const result = running.then(insert)
    running = result.catch(() => {})
    return result
  }

  async function turn(): Promise<void> {
    try {
      await flush()
      if (replaced) {
        replaced = false
        await clickhouse.command('OPTIMIZE TABLE content_keys FINAL')
      }
    } catch (err) {
      if (!(err instanceof Fault)) throw err
      replaced = true
      logger.warn({ code: err.code, err }, 'keys could not be copied into the archive; trying on')
    }
    if (!stopped) cancel = clock.after(replaced ? MERGE_MS : LATE_MS, () => void turn())
  }
  cancel = clock.after(LATE_MS, () => void turn())

  return {
    note(key, value) {
      waiting.set(key.id, { version: key.version, value })
      if (key.version > 0) replaced = true
    },
    flush: () => (waiting.size === 0 ? Promise.resolve() : flush()),
    stop() {
      stopped = true
      cancel?.()
    },
  }
}
