/** The history of one process: a line per observation, on the host's monotonic clock. */
import { createReadStream, createWriteStream } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Entry } from './checker/types.ts'

export const monotonicUs = (): number => Number(process.hrtime.bigint() / 1_000n)

export interface History {
  add(entry: Omit<Entry, 't_mono' | 'proc'>): void
  close(): Promise<void>
}

export function openHistory(file: string, proc: string): History {
  const out = createWriteStream(file, { flags: 'a', highWaterMark: 1 << 20 })
  return {
    add: (entry) => void out.write(`${JSON.stringify({ t_mono: monotonicUs(), proc, ...entry })}\n`),
    close: () => new Promise((resolve) => out.end(resolve)),
  }
}

export async function readHistory(files: readonly string[]): Promise<Entry[]> {
  const entries: Entry[] = []
  for (const file of files) {
    const lines = createInterface({ input: createReadStream(file), crlfDelay: Infinity })
    for await (const line of lines) if (line !== '') entries.push(JSON.parse(line) as Entry)
  }
  // Stable: lines of one process keep their order where the clock does not tell them apart.
  return entries.sort((a, b) => a.t_mono - b.t_mono)
}
