/** `npm run bench -- groups`: what a message costs in groups of very different sizes of which as many members are online. */
import { connect } from '../../client/index.ts'
import { createProgress, grouped, ms } from '../../infra/terminal.ts'
import { durabilityEmbedded, durabilityExternal, machine, writeResult } from '../report.ts'
import { startChild } from '../support/child.ts'
import { type Ends, onPlatform } from '../support/on-platform.ts'
import type { Platform } from '../support/platform.ts'
import { type Cost, costOf, type Scene, type Sending } from './cost.ts'
import type { Answer, Order } from './protocol.ts'
import {
  cpuTable,
  deliveryTable,
  type GroupsResult,
  grown,
  isClean,
  rosterTable,
  writesTable,
} from './report.ts'
import { makeRoster, pageThrough, type Roster } from './rosters.ts'
import { openStores } from './stores.ts'

export interface GroupsFlags {
  readonly sizes: readonly number[]
  readonly online: number
  readonly rate: number
  readonly seconds: number
  readonly bytes: number
}

/** So few that the writes of one message stand alone. */
const FEW = { members: 10, online: 9, messages: 20, perSec: 2 }
const AGAINST = 10_000
const AT_ONCE = 50
const SETTLE_MS = 4_000
const PAGE_SIZES = [100, 500]
const sleep = (msToWait: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, msToWait))

/** Answers the exit code. */
export function benchGroups(flags: GroupsFlags): Promise<number> {
  return onPlatform({ name: 'bench-groups' }, async (platform, ends) => {
    const result = await measure(platform, flags, ends)
    print(result)
    console.log(`  written to ${writeResult(result, 'groups')}`)
    for (const store of grown(result)) console.log(`  ✘ ${store}: a larger roster costs more writes`)
    return grown(result).length === 0 && [...result.costs, ...result.writes].every(isClean) ? 0 : 1
  })
}

async function measure(platform: Platform, flags: GroupsFlags, ends: Ends): Promise<GroupsResult> {
  const prefix = `g${process.pid}-`
  const progress = createProgress(process.stdout)
  const stores = await openStores(platform)
  if (stores) ends.push(() => stores.close())
  const sender = await connect({ url: platform.url, token: await platform.token(`${prefix}owner`) })
  ends.push(() => sender.close({ deadlineMs: 1_000 }))
  const listeners = startChild<Order, Answer>(new URL('./listen-worker.ts', import.meta.url).pathname)
  ends.push(() => listeners.close({ do: 'close' }))
  await listeners.ready

  const rosters: Roster[] = []
  for (const size of [...new Set([FEW.members, AGAINST, ...flags.sizes])].sort((a, b) => a - b)) {
    const roster = await makeRoster(sender, prefix, size, (done) =>
      progress.show(`  ${grouped(done)} of ${grouped(size)} members`),
    )
    rosters.push(roster)
    progress.done(`  a group of ${grouped(size)} in ${(roster.visibleMs / 1_000).toFixed(1)} s`)
  }
  const largest = rosters.at(-1) as Roster
  const paging = []
  for (const pageSize of PAGE_SIZES) paging.push(await pageThrough(sender, largest, pageSize))

  let online = 0
  const goOnline = async (count: number): Promise<void> => {
    if (count <= online) return
    const { url, secret } = platform
    const order = { url, secret, prefix, first: online, count: count - online, atOnce: AT_ONCE }
    const answer = await listeners.ask({ do: 'connect', ...order })
    console.log(
      `  ${grouped(count)} members online${answer.done === 'connected' ? ` in ${ms(answer.ms)}` : ''}`,
    )
    online = count
    await sleep(SETTLE_MS)
  }
  const scene: Scene = { platform, stores, listeners, sender, textBytes: flags.bytes }
  const run = async (roster: Roster, sending: Omit<Sending, 'conversationId' | 'members'>) => {
    const { conversationId, members } = roster
    const cost = await costOf(scene, { ...sending, conversationId, members })
    console.log(
      `  ${grouped(members).padStart(9)} members, ${grouped(cost.online)} online ${isClean(cost) ? '✔' : '✘'}  received ${ms(cost.received.p50Ms)} / ${ms(cost.received.p99Ms)}`,
    )
    return cost
  }

  const writes: Cost[] = []
  await goOnline(FEW.online)
  for (const roster of rosters)
    if (roster.members === FEW.members || roster.members === AGAINST) writes.push(await run(roster, FEW))

  const measured = rosters.filter(({ members }) => flags.sizes.includes(members))
  const sending = { messages: Math.round(flags.rate * flags.seconds), perSec: flags.rate }
  const costs: Cost[] = []
  // The same number online in all of them, so that only the rosters differ; then all that were asked for, in the largest.
  const same = Math.min(flags.online, (measured[0]?.members ?? 1) - 1)
  await goOnline(same)
  // Warm-up: what is compiled on the way is no cost of a message.
  await run(measured[0] as Roster, { ...sending, online: same })
  for (const roster of measured) costs.push(await run(roster, { ...sending, online: same }))
  if (flags.online > same) {
    await goOnline(flags.online)
    costs.push(await run(largest, { ...sending, online: flags.online }))
  }
  return {
    at: new Date().toISOString(),
    machine: machine(),
    durability: process.env.LONGWIRE_KAFKA ? durabilityExternal : durabilityEmbedded,
    gateways: platform.processes().filter(({ name }) => name === 'gateway').length,
    textBytes: flags.bytes,
    ...{ rosters, paging, writes, costs },
  }
}

function print(result: GroupsResult): void {
  console.log(`\n${'─'.repeat(100)}\n  ${result.machine}\n  durability: ${result.durability}`)
  console.log(`  ${result.gateways} gateway, ${result.textBytes}-byte messages\n`)
  console.log(`${rosterTable(result)}\n\n${deliveryTable(result.costs)}\n\n${cpuTable(result.costs)}\n`)
  const few = result.writes.length > 0 ? `\n\n${writesTable(result.writes)}` : ''
  console.log(`${writesTable(result.costs)}${few}\n`)
  if (result.costs.some(({ othersCores }) => othersCores > 0.2))
    console.log(
      '  other processes of this machine took more than a fifth of a core: run it again when it is quiet\n',
    )
}
