/** CPU and memory of processes, from /proc. */
import { readFileSync } from 'node:fs'
import path from 'node:path'

export interface NamedProcess {
  readonly name: string
  readonly pid: number
}

export interface Usage {
  readonly name: string
  readonly cpuSec: number
  readonly rssBytes: number
}

/** Linux counts CPU time in ticks of 10 ms for every architecture that Node runs on. */
const TICKS_PER_SEC = 100

/** The processes of a running platform as its data folder lists them; empty when there is no such list. */
export function platformProcesses(dataDir: string): NamedProcess[] {
  try {
    const entries = JSON.parse(readFileSync(path.join(dataDir, 'run.json'), 'utf8')) as NamedProcess[]
    return entries.map(({ name, pid }) => ({ name, pid }))
  } catch {
    return []
  }
}

/** What each has used since it was started; processes that are gone are left out. */
export function usageOf(processes: readonly NamedProcess[]): Usage[] {
  return processes.flatMap(({ name, pid }) => {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
      // The second field is the command in brackets and may hold spaces; what follows it does not.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      const ticks = Number(fields[11]) + Number(fields[12])
      const rssKb = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
      return [{ name, cpuSec: ticks / TICKS_PER_SEC, rssBytes: Number(rssKb ?? 0) * 1024 }]
    } catch {
      return []
    }
  })
}

/** CPU used between two looks, with the memory of the second. Processes of one name are added up. */
export function usageBetween(before: readonly Usage[], after: readonly Usage[]): Usage[] {
  const sums = new Map<string, Usage>()
  for (const usage of after) {
    const sum = sums.get(usage.name)
    sums.set(usage.name, {
      name: usage.name,
      cpuSec: (sum?.cpuSec ?? 0) + usage.cpuSec,
      rssBytes: (sum?.rssBytes ?? 0) + usage.rssBytes,
    })
  }
  for (const { name, cpuSec } of before) {
    const sum = sums.get(name)
    if (sum) sums.set(name, { ...sum, cpuSec: sum.cpuSec - cpuSec })
  }
  return [...sums.values()]
}

/** CPU seconds that all processes of this machine have used since it was started, the kernel's own work included. */
export function machineCpuSec(): number {
  // user nice system idle iowait irq softirq steal
  const fields = /^cpu +(.*)$/m.exec(readFileSync('/proc/stat', 'utf8'))?.[1]?.split(' ').map(Number) ?? []
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = fields
  return (user + nice + system + irq + softirq + steal) / TICKS_PER_SEC
}
