/** Where the engines of a data folder answer, as their own folders say. */
import path from 'node:path'
import { readJson } from './run-record.ts'

export interface EngineAddresses {
  /** host:port of every broker. */
  readonly kafka: readonly string[]
  readonly redis: string
  readonly clickhouse: string
}

/** Null where one of them was never started there. */
export function engineAddresses(dataDir: string): EngineAddresses | null {
  const portsOf = (name: string) => readJson<number[]>(path.join(dataDir, name, 'ports.json')) ?? []
  const [kafka, [redis], [clickhouse]] = [portsOf('kafka'), portsOf('redis'), portsOf('clickhouse')]
  if (kafka.length === 0 || redis === undefined || clickhouse === undefined) return null
  return {
    // Each broker has a port for clients and one for the quorum.
    kafka: kafka.filter((_, i) => i % 2 === 0).map((port) => `127.0.0.1:${port}`),
    redis: `redis://127.0.0.1:${redis}`,
    clickhouse: `http://127.0.0.1:${clickhouse}`,
  }
}
