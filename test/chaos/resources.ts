/** Memory and open files of the role processes over time, from /proc. */
import { readdirSync, readFileSync } from 'node:fs'
import type { RoleHandle } from './role.ts'

interface Sample {
  readonly atMs: number
  readonly rssMb: number
  readonly fds: number
}

export interface Slope {
  readonly name: string
  /** Of the longest life of this process. */
  readonly livedSec: number
  readonly rssMb: number
  readonly rssMbPerMin: number
  readonly fds: number
  readonly fdsPerMin: number
}

const everyMs = 2_000
/** Start-up is no slope. */
const warmUpMs = 10_000
const samplesMin = 5

export function watchResources(roles: readonly RoleHandle[]): { stop(): Slope[] } {
  const lives = new Map<string, Sample[][]>()
  const pids = new Map<string, number>()
  const timer = setInterval(() => {
    for (const role of roles) {
      if (!role.running) continue
      const list = lives.get(role.name) ?? []
      lives.set(role.name, list)
      if (pids.get(role.name) !== role.pid) list.push([])
      pids.set(role.name, role.pid)
      const sample = sampleOf(role.pid)
      if (sample) list.at(-1)?.push(sample)
    }
  }, everyMs)
  return {
    stop() {
      clearInterval(timer)
      return [...lives].map(([name, list]) => slopeOf(name, list))
    },
  }
}

function sampleOf(pid: number): Sample | null {
  try {
    const rss = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
    return {
      atMs: performance.now(),
      rssMb: Number(rss?.[1] ?? 0) / 1_024,
      fds: readdirSync(`/proc/${pid}/fd`).length,
    }
  } catch {
    return null
  }
}

function slopeOf(name: string, lives: readonly Sample[][]): Slope {
  const longest = lives.reduce((a, b) => (b.length > a.length ? b : a), [])
  const last = longest.at(-1)
  const firstMs = longest[0]?.atMs ?? 0
  const settled = longest.filter((sample) => sample.atMs - firstMs >= warmUpMs)
  const few = settled.length < samplesMin
  return {
    name,
    livedSec: Math.round(((last?.atMs ?? firstMs) - firstMs) / 1_000),
    rssMb: Math.round(last?.rssMb ?? 0),
    rssMbPerMin: few ? 0 : leastSquares(settled.map(({ atMs, rssMb }) => [atMs / 60_000, rssMb])),
    fds: last?.fds ?? 0,
    fdsPerMin: few ? 0 : leastSquares(settled.map(({ atMs, fds }) => [atMs / 60_000, fds])),
  }
}

function leastSquares(points: readonly (readonly [number, number])[]): number {
  const n = points.length
  const meanX = points.reduce((sum, [x]) => sum + x, 0) / n
  const meanY = points.reduce((sum, [, y]) => sum + y, 0) / n
  let above = 0
  let below = 0
  for (const [x, y] of points) {
    above += (x - meanX) * (y - meanY)
    below += (x - meanX) ** 2
  }
  return below === 0 ? 0 : above / below
}
