/** Judges a server: each case on each transport, and whether all transports told the same. */
import type { Case } from './cases/case.ts'
import { chat } from './cases/chat.ts'
import { connecting, leaving } from './cases/connecting.ts'
import { people } from './cases/people.ts'
import { reads } from './cases/reads.ts'
import { rooms } from './cases/rooms.ts'
import type { Line } from './line.ts'
import { createStage, type Member, type Role } from './stage.ts'
import type { Wire } from './wires/wire.ts'

export const cases: readonly Case[] = [...connecting, ...chat, ...reads, ...people, ...rooms, ...leaving]

export interface Result {
  readonly name: string
  /** By transport; null: passed. */
  readonly failures: Readonly<Record<string, string | null>>
}

export type Cast = (transport: string) => Promise<Readonly<Record<Role, Member>>>

export interface Options {
  /** Hears of each case as it ends. */
  readonly passed?: (transport: string, name: string, failure: string | null) => void
  /** Tells the server to stop; resolves once it has been told. Then it comes last. */
  readonly drain?: () => unknown
}

export async function conformance(
  wires: readonly Wire[],
  cast: Cast,
  { passed = () => {}, drain }: Options = {},
): Promise<Result[]> {
  const seen = new Map<string, { transport: string; trace: string }>()
  const failures = new Map<string, Record<string, string | null>>(cases.map(({ name }) => [name, {}]))
  for (const wire of wires) {
    const stage = createStage(wire, await cast(wire.name))
    for (const { name, run } of cases) {
      let failure: string | null = null
      try {
        const trace = JSON.stringify(await run(stage))
        const first = seen.get(name)
        if (!first) seen.set(name, { transport: wire.name, trace })
        else if (first.trace !== trace) failure = differenceOf(first, trace)
      } catch (error) {
        failure = error instanceof Error ? error.message : String(error)
      }
      const of = failures.get(name)
      if (of) of[wire.name] = failure
      passed(wire.name, name, failure)
    }
    stage.close()
  }
  const results = [...failures].map(([name, of]) => ({ name, failures: of }))
  return drain ? [...results, await drained(wires, cast, drain)] : results
}

async function drained(wires: readonly Wire[], cast: Cast, drain: () => unknown): Promise<Result> {
  const lines = await Promise.all(
    wires.map(async (wire) => createStage(wire, await cast(wire.name)).line('alice')),
  )
  await drain()
  const judged = wires.map(async ({ name }, i) => {
    try {
      const bye = await (lines[i] as Line).next('bye', ({ type }) => type === 'bye')
      await (lines[i] as Line).ended()
      const isRight = bye.code === 'draining' && typeof bye.reconnectAfterMs === 'number'
      return [name, isRight ? null : `it said ${JSON.stringify(bye)}`]
    } catch (error) {
      return [name, error instanceof Error ? error.message : String(error)]
    }
  })
  return {
    name: 'a server that is told to stop sends each client elsewhere',
    failures: Object.fromEntries(await Promise.all(judged)) as Record<string, string | null>,
  }
}

const AROUND = 60
function differenceOf(first: { transport: string; trace: string }, trace: string): string {
  let at = 0
  while (at < trace.length && trace[at] === first.trace[at]) at += 1
  const part = (text: string): string => text.slice(Math.max(0, at - AROUND), at + AROUND)
  return `not as on ${first.transport}: …${part(trace)}… where that has …${part(first.trace)}…`
}

export function table(results: readonly Result[], transports: readonly string[]): string {
  const width = Math.max(...results.map(({ name }) => name.length))
  const row = (name: string, cells: readonly string[]): string =>
    [name.padEnd(width), ...cells.map((cell, i) => cell.padEnd((transports[i] ?? '').length))].join('  ')
  const lines = [row('case', transports)]
  for (const { name, failures } of results) {
    lines.push(
      row(
        name,
        transports.map((one) => (failures[one] === null ? 'PASS' : 'FAIL')),
      ),
    )
    for (const transport of transports) {
      const why = failures[transport]
      if (why) lines.push(`  ${transport}: ${why}`)
    }
  }
  return lines.join('\n')
}

export const failuresIn = (results: readonly Result[]): number =>
  results.flatMap(({ failures }) => Object.values(failures)).filter((why) => why !== null).length
