import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

interface Kind {
  readonly name: string
  readonly include: string[]
  readonly exclude?: string[]
  readonly timeoutMs: number
  /** Files that start services of their own must not run side by side. */
  readonly alone?: boolean
}

/**
 * On a log in memory, with a Redis and a ClickHouse of their own where they need them: what these wait for is deadlines, heartbeats and
 * engines, and two at a time do not disturb each other.
 */
const paired = [
  'test/integration/projections/**/*.test.ts',
  ...[
    ...['abuse', 'channels', 'devices', 'drain', 'gateway', 'half-open', 'omtp-abuse', 'omtp-tls'],
    ...['polling', 'presence', 'public-tls', 'transports'],
  ].map((name) => `test/integration/gateway/${name}.test.ts`),
]

const kinds: Kind[] = [
  { name: 'unit', include: ['test/unit/**/*.test.ts', 'test/tidy.test.ts'], timeoutMs: 20_000 },
  { name: 'property', include: ['test/property/**/*.test.ts'], timeoutMs: 600_000 },
  { name: 'paired', include: paired, timeoutMs: 120_000 },
  {
    name: 'integration',
    include: ['test/integration/**/*.test.ts'],
    exclude: paired,
    timeoutMs: 120_000,
    alone: true,
  },
  { name: 'e2e', include: ['test/e2e/**/*.test.ts'], timeoutMs: 240_000, alone: true },
  { name: 'chaos', include: ['test/chaos/**/*.test.ts'], timeoutMs: 1_800_000, alone: true },
]

export default defineConfig({
  test: {
    reporters: ['default', './test/support/closing-line.ts'],
    // By default one less than there are processors: of two, one would do nothing.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    projects: kinds.map(({ name, include, exclude = [], timeoutMs, alone }, order) => ({
      test: {
        name,
        include,
        exclude,
        environment: 'node',
        testTimeout: timeoutMs,
        hookTimeout: Math.max(timeoutMs, 60_000),
        fileParallelism: !alone,
        // One kind after another; units and properties together.
        sequence: { groupOrder: name === 'unit' ? 1 : order },
      },
    })),
  },
})
