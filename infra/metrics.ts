import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

type MetricType = 'counter' | 'gauge' | 'histogram'
type MetricRow = {
  readonly type: MetricType
  readonly help: string
  readonly labels?: readonly string[]
  readonly buckets?: readonly number[]
}

const latencyMsBuckets = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000] as const

/**
 * Every metric there is; nothing else may name one. Labels are few-valued by rule: never a user, a
 * conversation or a connection id.
 */
export const metricTable = {
  longwire_process_info: {
    type: 'gauge',
    help: 'Always 1; the process is in the labels',
    labels: ['role', 'id'],
  },
  longwire_faults_total: { type: 'counter', help: 'Operational faults by code', labels: ['code'] },
  longwire_role_total: {
    type: 'counter',
    help: 'Running totals of a processor or projection, by name',
    labels: ['what'],
  },
  longwire_role_level: {
    type: 'gauge',
    help: 'Levels of a processor or projection, by name',
    labels: ['what'],
  },
  longwire_gateway_closed_total: {
    type: 'counter',
    help: 'Connections ended, by code of the table (or logout, lost)',
    labels: ['code'],
  },
  longwire_gateway_token_refused_total: {
    type: 'counter',
    help: 'Tokens refused, by reason',
    labels: ['reason'],
  },
  longwire_gateway_login_hook_total: {
    type: 'counter',
    help: 'What the login hook said, or fallback where it did not',
    labels: ['outcome'],
  },
  longwire_gateway_login_hook_ms: {
    type: 'histogram',
    help: 'From a question to the login hook to its answer, or to the fallback',
    buckets: latencyMsBuckets,
  },
  longwire_gateway_append_ms: {
    type: 'histogram',
    help: 'From a command frame to its acknowledgement by the log',
    buckets: latencyMsBuckets,
  },
  longwire_gateway_delivery_ms: {
    type: 'histogram',
    help: 'From the broker time of a command to the push of its event',
    buckets: latencyMsBuckets,
  },
  longwire_event_loop_lag_ms: {
    type: 'histogram',
    help: 'Event-loop lag samples',
    buckets: latencyMsBuckets,
  },
} as const satisfies Record<string, MetricRow>

type Table = typeof metricTable
type NamesOf<T extends MetricType> = {
  [K in keyof Table]: Table[K]['type'] extends T ? K : never
}[keyof Table]
type LabelsOf<N extends keyof Table> = Table[N] extends { labels: readonly (infer L extends string)[] }
  ? Record<L, string>
  : Record<string, never>

/** Labels come first and are required exactly when the row in the table has them. */
type LabelArgs<N extends keyof Table> = Table[N] extends { labels: readonly string[] }
  ? [labels: LabelsOf<N>]
  : []

export interface Metrics {
  inc<N extends NamesOf<'counter'>>(name: N, by: number, ...labels: LabelArgs<N>): void
  set<N extends NamesOf<'gauge'>>(name: N, value: number, ...labels: LabelArgs<N>): void
  observe<N extends NamesOf<'histogram'>>(name: N, value: number, ...labels: LabelArgs<N>): void
  /** All metrics in the Prometheus text form. */
  render(): Promise<string>
  contentType: string
}

/** One registry per process. `processMetrics` adds Node's own (CPU, RSS, file descriptors). */
export function createMetrics(options: { processMetrics?: boolean } = {}): Metrics {
  const registry = new Registry()
  const counters = new Map<string, Counter>()
  const gauges = new Map<string, Gauge>()
  const histograms = new Map<string, Histogram>()
  for (const [name, row] of Object.entries(metricTable) as [string, MetricRow][]) {
    const base = { name, help: row.help, labelNames: [...(row.labels ?? [])], registers: [registry] }
    if (row.type === 'counter') counters.set(name, new Counter(base))
    else if (row.type === 'gauge') gauges.set(name, new Gauge(base))
    else histograms.set(name, new Histogram({ ...base, buckets: [...(row.buckets ?? latencyMsBuckets)] }))
  }
  if (options.processMetrics) collectDefaultMetrics({ register: registry })
  return {
    inc: (name, by, ...labels) => counters.get(name)?.inc((labels[0] ?? {}) as Record<string, string>, by),
    set: (name, value, ...labels) =>
      gauges.get(name)?.set((labels[0] ?? {}) as Record<string, string>, value),
    observe: (name, value, ...labels) =>
      histograms.get(name)?.observe((labels[0] ?? {}) as Record<string, string>, value),
    render: () => registry.metrics(),
    contentType: registry.contentType,
  }
}
