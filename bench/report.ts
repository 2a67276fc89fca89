/** The bench's tables and its file. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import path from 'node:path'
import { grouped, mb, ms, table } from '../infra/terminal.ts'
import type { IdleMeasurement } from './idle.ts'
import type { Measurement } from './measure.ts'

export interface BenchResult {
  readonly at: string
  readonly machine: string
  readonly durability: string
  readonly connections: number
  readonly textBytes: number
  readonly codec: string
  readonly runs: { readonly name: string; readonly measurement: Measurement }[]
  idle: IdleMeasurement | null
}

export const durabilityEmbedded =
  'single embedded broker, acks=all, no fsync per write: survives any process being killed, not a power loss'
export const durabilityExternal = 'as the external Kafka is set up, acks=all'

export const machine = (): string =>
  `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown CPU'}, ${mb(totalmem())}, Node ${process.version}`

export function latencyTable(result: BenchResult): string {
  return table(
    [
      'run',
      'msg/s',
      'committed p50',
      'p95',
      'p99',
      'received p50',
      'p95',
      'p99',
      'lost',
      'doubled',
      'disorder',
    ],
    result.runs.map(({ name, measurement: m }) => [
      name,
      grouped(m.perSec),
      ...[m.committed, m.received].flatMap((s) => [ms(s.p50Ms), ms(s.p95Ms), ms(s.p99Ms)]),
      m.counts.lost,
      m.counts.doubled,
      m.counts.outOfOrder,
      `${(m.othersCores * 100).toFixed(0)} %`,
    ]),
  )
}

/** CPU seconds per 1,000 messages, and how much of a core that is at this rate. */
export function costTable(measurement: Measurement): string {
  const { processes, perSec } = measurement
  const total = processes.reduce((sum, one) => sum + one.cpuSecPer1000, 0)
  const cores = (cpuSecPer1000: number): string => `${((cpuSecPer1000 * perSec) / 10).toFixed(0)} %`
  return table(
    [`at ${grouped(perSec)} msg/s`, 'CPU s per 1,000', 'of a core', 'RSS'],
    [
      ...processes.map((one) => [
        one.name,
        one.cpuSecPer1000.toFixed(3),
        cores(one.cpuSecPer1000),
        mb(one.rssBytes),
      ]),
      ['all', total.toFixed(3), cores(total), mb(processes.reduce((sum, one) => sum + one.rssBytes, 0))],
    ],
  )
}

export function idleTable(idle: IdleMeasurement): string {
  return table(
    ['idle connections', 'gateway RSS', 'per connection', 'connects/s'],
    [
      [
        `${grouped(idle.connectionsBefore)} to ${grouped(idle.connections)}`,
        `${mb(idle.gatewayBytesBefore)} to ${mb(idle.gatewayBytesAfter)}`,
        `${(idle.bytesPerConnection / 1024).toFixed(1)} KiB`,
        grouped((idle.connections - idle.connectionsBefore) / (idle.connectMs / 1_000)),
      ],
    ],
  )
}

/** Answers the file's path. */
export function writeResult(result: { readonly at: string }, name = 'rates'): string {
  const dir = path.resolve('.longwire/bench')
  mkdirSync(dir, { recursive: true })
  const file = path.join(dir, `${name}-${result.at.replaceAll(':', '-').slice(0, 19)}.json`)
  writeFileSync(file, `${JSON.stringify(result, null, 2)}\n`)
  return path.relative(process.cwd(), file)
}
