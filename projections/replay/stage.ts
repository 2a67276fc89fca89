/** One projection's stores, as replay works on them. */
import type { ProjectionName } from '../namespaces/registry.ts'
import type { Sink } from '../projection.ts'
import type { Comparison } from './report.ts'

export interface Stage {
  readonly projection: ProjectionName
  /** Names of what a second version may replace. */
  readonly replaceable: readonly string[]
  /** For people. */
  whereIs(namespace: string): string
  /** Makes what must stand before the first write. May be repeated. */
  prepare(namespace: string): Promise<void>
  sink(namespace: string, options: SinkOptions): StageSink
  /** Next offset of each partition there; of one that has nothing, none. */
  positions(namespace: string): Promise<ReadonlyMap<number, number>>
  compare(active: string, other: string, onProgress: (text: string) => void): Promise<Comparison>
  /** Everything in it, and nothing else. May be repeated. */
  drop(namespace: string): Promise<void>
  /** Consumer group of the projections process for it. */
  group(namespace: string): string
}

export interface SinkOptions {
  /** The records do not begin where their streams do. */
  readonly partial: boolean
  /** Projections of another version, by name. */
  readonly replaced: Readonly<Record<string, unknown>>
}

export interface StageSink {
  readonly sink: Sink
  close(): Promise<void>
}
