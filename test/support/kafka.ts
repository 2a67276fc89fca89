import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { ensureKafkaJars } from '../../infra/embedded/engines.ts'
import { startKafka } from '../../infra/embedded/kafka.ts'
import { noRunRecord } from '../../infra/embedded/run-record.ts'
import type { Clock, Logger } from '../../schemas/ports.ts'

export interface TestKafka {
  readonly brokers: readonly string[]
  stop(): Promise<void>
}

/** A broker of its own in a folder of its own; or the one that LONGWIRE_TEST_KAFKA names, to save its start. */
export async function startTestKafka(): Promise<TestKafka> {
  const running = process.env.LONGWIRE_TEST_KAFKA
  if (running) return { brokers: running.split(','), stop: async () => undefined }
  const dir = mkdtempSync(path.join(tmpdir(), 'longwire-kafka-'))
  const engines = process.env.LONGWIRE_ENGINES ?? path.resolve('.longwire/engines')
  const lib = await ensureKafkaJars(engines, () => undefined)
  const cluster = await startKafka({ dir, lib, nodes: 1, record: noRunRecord })
  return {
    brokers: cluster.brokers,
    async stop() {
      await cluster.stop()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

export const realClock: Clock = {
  now: () => Date.now(),
  after(ms, fn) {
    const timer = setTimeout(fn, ms)
    return () => clearTimeout(timer)
  },
}

export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} }
