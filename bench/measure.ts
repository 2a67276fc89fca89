/** One run at one rate: what was counted, how late it was, what it cost. */
import type { LoadPool } from './load/pool.ts'
import type { RunTally } from './load/protocol.ts'
import type { Platform } from './support/platform.ts'
import { machineCpuSec, type Usage, usageBetween, usageOf } from './support/processes.ts'
import { type Summary, summarise } from './support/samples.ts'

export interface Measurement {
  readonly perSec: number
  readonly seconds: number
  readonly counts: Omit<RunTally, 'committedMs' | 'receivedMs'>
  readonly committed: Summary
  readonly received: Summary
  /** Nothing lost, doubled, refused or out of order, and p99 of both under a second. */
  readonly ok: boolean
  /** Cores that whatever else runs on this machine took meanwhile: above some 0.1 the figures say little. */
  readonly othersCores: number
  readonly processes: readonly (Usage & { readonly cpuSecPer1000: number })[]
}

export interface Bench {
  readonly platform: Platform
  readonly load: LoadPool
  readonly textBytes: number
}

const P99_MS_MAX = 1_000
const DRAIN_MS_MAX = 20_000

export async function measure(bench: Bench, perSec: number, seconds: number): Promise<Measurement> {
  const processes = [...bench.platform.processes(), ...bench.load.processes()]
  const before = usageOf(processes)
  const machineBefore = machineCpuSec()
  const fromMs = performance.now()
  const tally = await bench.load.run({
    perSec,
    seconds,
    textBytes: bench.textBytes,
    drainMsMax: DRAIN_MS_MAX,
  })
  const usage = usageBetween(before, usageOf(processes))
  const ours = usage.reduce((sum, one) => sum + one.cpuSec, 0)
  const elapsedSec = (performance.now() - fromMs) / 1_000
  const othersCores = Math.max(0, machineCpuSec() - machineBefore - ours) / elapsedSec
  const { committedMs, receivedMs, ...counts } = tally
  const committed = summarise(committedMs)
  const received = summarise(receivedMs)
  const clean =
    counts.lost + counts.unanswered + counts.doubled + counts.outOfOrder + counts.refused === 0 &&
    counts.sent === counts.due
  return {
    perSec,
    seconds,
    counts,
    committed,
    received,
    ok: clean && committed.p99Ms < P99_MS_MAX && received.p99Ms < P99_MS_MAX,
    othersCores,
    processes: usage.map((one) => ({
      ...one,
      cpuSecPer1000: (one.cpuSec / Math.max(1, counts.sent)) * 1_000,
    })),
  }
}
