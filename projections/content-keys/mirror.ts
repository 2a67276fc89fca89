/**
 * A copy of im.keys in the archive, from which the topic is restored where Kafka's data is lost: without it all contents would be.
 * What a newer version has replaced is merged away, so that a key that was destroyed is not kept here.
 */
import { randomUUID } from 'node:crypto'
import { open } from '../../schemas/avro.ts'
import { history } from '../../schemas/codec.ts'
import { type Clock, Fault, type Logger, type LogStore } from '../../schemas/ports.ts'
import { type ContentKey, records } from '../../schemas/records.ts'
import { topics } from '../../schemas/topics.ts'
import { hasTable } from '../archived.ts'
import type { ArchivePort } from '../ports.ts'
import { scan } from '../scan.ts'

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

const ROWS_PER_PAGE = 5_000

/** Writes what the archive has of im.keys back into the topic, as far as that does not know it. Answers how many there were. */
export async function restoreContentKeys(
  store: LogStore,
  clickhouse: Pick<ArchivePort, 'query'>,
): Promise<number> {
  // What it holds is in clear.
  if (!(await hasTable(clickhouse, 'content_keys'))) return 0
  const standing = new Map<string, number>()
  await scan({
    ...{ store, topic: topics.keys, partitions: 1, compacted: true },
    take(_, batch) {
      for (const { value } of batch) {
        const key = value && open(records.ContentKey, value, history)
        if (key) standing.set(key.id, Math.max(key.version, standing.get(key.id) ?? 0))
      }
    },
  })
  const appender = await store.appender('keys')
  let written = 0
  try {
    for (let after = ''; ; ) {
      const rows = await clickhouse.query<{ id: string; newest: number; record: string }>(
        `SELECT id, max(version) AS newest, argMax(content_keys.record, version) AS record FROM content_keys
         WHERE id > {after:String} GROUP BY id ORDER BY id LIMIT ${ROWS_PER_PAGE}`,
        { after },
      )
      const missing = rows.filter(({ id, newest }) => Number(newest) > (standing.get(id) ?? -1))
      for (let at = 0; at < missing.length; at += KEYS_PER_REQUEST)
        await appender.appendBatch(
          topics.keys,
          0,
          missing
            .slice(at, at + KEYS_PER_REQUEST)
            .map(({ id, record }) => ({ key: id, value: Buffer.from(record, 'base64') })),
        )
      written += missing.length
      const last = rows.at(-1)
      if (!last || rows.length < ROWS_PER_PAGE) return written
      after = last.id
    }
  } finally {
    await appender.close()
  }
}

/** Small enough for one request, though some may be large. */
const KEYS_PER_REQUEST = 500
