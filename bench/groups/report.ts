/** The tables of `npm run bench -- groups`. */
import { grouped, ms, table } from '../../infra/terminal.ts'
import type { Cost, Counts } from './cost.ts'
import type { Paging, Roster } from './rosters.ts'

export interface GroupsResult {
  readonly at: string
  readonly machine: string
  readonly durability: string
  readonly gateways: number
  readonly textBytes: number
  readonly rosters: readonly Roster[]
  readonly paging: readonly Paging[]
  /** A handful online: what one message writes. */
  readonly writes: readonly Cost[]
  readonly costs: readonly Cost[]
}

const some = (value: number): string => (value < 10 ? value.toFixed(2) : grouped(value))
const seconds = (value: number): string => `${(value / 1_000).toFixed(1)} s`

export const isClean = ({ counts }: Cost): boolean =>
  counts.missing + counts.doubled + counts.outOfOrder + counts.refused + counts.closed === 0

/** More than chance may add where only the roster is larger. */
const GROWTH_MAX = 0.25

/** What a message writes more of in the larger of two groups of which as many are online. */
export function grown({ writes }: Pick<GroupsResult, 'writes'>): string[] {
  const [small, large] = [writes[0], writes.at(-1)]
  if (!small || !large) return []
  return (['kafka', 'redisWrites'] as const).filter(
    (store) => total(large[store]) > total(small[store]) * (1 + GROWTH_MAX) + 1,
  )
}

const total = (values: Counts | null): number =>
  Object.values(values ?? {}).reduce((sum, value) => sum + value, 0)

export function rosterTable({ rosters, paging }: GroupsResult): string {
  const made = table(
    ['members', 'imported in', 'shown after', 'members/s'],
    rosters.map(({ members, importMs, visibleMs }) => [
      grouped(members),
      seconds(importMs),
      seconds(visibleMs),
      grouped(members / (visibleMs / 1_000)),
    ]),
  )
  const read = table(
    ['members', 'page of', 'p50', 'p99', 'max', 'all pages'],
    paging.map(({ members, pageSize, page, allMs }) => [
      grouped(members),
      pageSize,
      ms(page.p50Ms),
      ms(page.p99Ms),
      ms(page.maxMs),
      seconds(allMs),
    ]),
  )
  return `${made}\n\n${read}`
}

export function deliveryTable(costs: readonly Cost[]): string {
  return table(
    [
      'members',
      'online',
      'msg/s',
      'committed p50',
      'p99',
      'received p50',
      'p99',
      'max',
      'missing',
      'doubled',
      'disorder',
    ],
    costs.map((cost) => [
      grouped(cost.members),
      grouped(cost.online),
      cost.perSec,
      ms(cost.committed.p50Ms),
      ms(cost.committed.p99Ms),
      ms(cost.received.p50Ms),
      ms(cost.received.p99Ms),
      ms(cost.received.maxMs),
      cost.counts.missing,
      cost.counts.doubled,
      cost.counts.outOfOrder,
    ]),
  )
}

/** Ms of processor time per message, by role. */
export function cpuTable(costs: readonly Cost[]): string {
  const roles = [...new Set(costs.flatMap(({ cpuMs }) => Object.keys(cpuMs)))]
  const served = (cost: Cost): number =>
    Object.entries(cost.cpuMs).reduce((sum, [role, cpu]) => sum + (role === 'listeners' ? 0 : cpu), 0)
  return table(
    [
      'CPU ms per message',
      ...costs.map(({ members, online }) => `${grouped(members)}, ${grouped(online)} online`),
    ],
    [
      ...roles.map((role) => [role, ...costs.map(({ cpuMs }) => some(cpuMs[role] ?? 0))]),
      ['all but listeners', ...costs.map((cost) => some(served(cost)))],
    ],
  )
}

/** Records and writes per message. */
export function writesTable(costs: readonly Cost[]): string {
  const known = costs.filter(({ kafka }) => kafka !== null)
  const topics = [...new Set(known.flatMap(({ kafka }) => Object.keys(kafka ?? {})))].sort()
  const commands = [...new Set(known.flatMap(({ redisWrites }) => Object.keys(redisWrites ?? {})))].sort()
  const row = (name: string, of: (cost: Cost) => number) => [name, ...known.map((cost) => some(of(cost)))]
  const used = ([, ...cells]: readonly string[]): boolean => cells.some((cell) => Number(cell) >= 0.01)
  return table(
    ['per message', ...known.map(({ members, online }) => `${grouped(members)}, ${grouped(online)} online`)],
    [
      row('Kafka records', ({ kafka }) => total(kafka)),
      ...topics.map((topic) => row(`  ${topic}`, ({ kafka }) => kafka?.[topic] ?? 0)).filter(used),
      row('Redis writes', ({ redisWrites }) => total(redisWrites)),
      ...commands.map((name) => row(`  ${name}`, ({ redisWrites }) => redisWrites?.[name] ?? 0)).filter(used),
      row('Redis calls, reads and scripts too', ({ redisCalls }) => redisCalls ?? 0),
    ],
  )
}
