/** `npm run bench -- offline`: what a member of a great group is sent who logs in after missing a little, and after missing a lot. */
import { connect, memoryStore } from '../../client/index.ts'
import { createProgress, grouped, ms, table } from '../../infra/terminal.ts'
import { p2pId } from '../../schemas/ids.ts'
import { durabilityEmbedded, durabilityExternal, machine, writeResult } from '../report.ts'
import { archivedMessages } from '../support/archive.ts'
import { onPlatform } from '../support/on-platform.ts'
import type { Platform } from '../support/platform.ts'
import { type Login, logIn } from './device.ts'
import { openProducer, type Producer } from './produce.ts'

export interface OfflineFlags {
  readonly members: number
  readonly missed: readonly number[]
  readonly chats: number
  readonly bytes: number
}

interface Measured extends Login {
  readonly device: 'new' | 'returning'
  readonly missed: number
}

interface OfflineResult {
  readonly at: string
  readonly machine: string
  readonly durability: string
  readonly members: number
  readonly chats: number
  readonly textBytes: number
  readonly logins: readonly Measured[]
}

const MESSAGES_PER_CHAT = 40
/** A figure grows with what was missed if it is greater by more than this share: chance makes some of it. */
const GROWTH_MAX = 0.25
const TRAILING_MS_MAX = 900_000
const POLL_MS = 250
const sleep = (msToWait: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, msToWait))

/** Answers the exit code. */
export function benchOffline(flags: OfflineFlags): Promise<number> {
  return onPlatform({ name: 'bench-offline' }, async (platform, ends) => {
    if (!platform.stores || !platform.clickhouse) throw new Error('the addresses of the stores are not known')
    const producer = await openProducer(platform.stores.kafka)
    ends.push(() => producer.close())
    const result = await measure(platform, producer, flags)
    print(result)
    console.log(`  written to ${writeResult(result, 'offline')}`)
    return grown(result.logins).length === 0 ? 0 : 1
  })
}

async function measure(platform: Platform, producer: Producer, flags: OfflineFlags): Promise<OfflineResult> {
  const { url, clickhouse } = platform
  const progress = createProgress(process.stdout)
  const prefix = `off${process.pid}-`
  const [owner, away] = [`${prefix}owner`, `${prefix}0`]
  const { conversationId } = await makeGroup(platform, owner, prefix, flags.members, progress)
  for (let chat = 0; chat < flags.chats; chat++) {
    const peer = `${prefix}peer${chat}`
    const said = { conversationId: p2pId(peer, away), sender: peer, count: MESSAGES_PER_CHAT }
    await producer.say({ ...said, textBytes: flags.bytes })
  }

  const token = await platform.token(away)
  const store = memoryStore()
  const device = { url, token, conversationId }
  const logins: Measured[] = []
  // Once before, so that the returning device has been here.
  await logIn({ ...device, store })
  let missed = 0
  let before = 0
  for (const target of [...flags.missed].sort((a, b) => a - b)) {
    const startedMs = performance.now()
    const saying = { conversationId, sender: owner, count: target - missed, textBytes: flags.bytes }
    const text = await producer.say(saying, (done) =>
      progress.show(`  ${grouped(done)} of ${grouped(saying.count)} messages in the log`),
    )
    missed = target
    progress.show(`  ${grouped(missed)} in the log, waiting for the read models`)
    const there = await archivedMessages(
      clickhouse ?? { url: '', database: '' },
      conversationId,
      missed,
      TRAILING_MS_MAX,
    )
    if (there < missed) throw new Error(`only ${there} of ${missed} messages are in the archive`)
    await untilShown(platform, owner, conversationId, text)
    progress.done(
      `  ${grouped(missed)} messages, the last ${grouped(saying.count)} in ${((performance.now() - startedMs) / 1_000).toFixed(1)} s`,
    )
    // Warm-up: what is compiled on the way is no cost of what was missed.
    if (logins.length === 0) await logIn(device)
    for (const kind of ['new', 'returning'] as const) {
      const login = await logIn(kind === 'new' ? device : { ...device, store })
      const missing = kind === 'new' ? missed : missed - before
      if (login.newestText !== text) throw new Error('the newest page does not hold the newest message')
      if (login.unread !== missed) throw new Error(`${login.unread} unread of ${missed}`)
      logins.push({ ...login, device: kind, missed: missing })
      console.log(
        `  ${kind}, ${grouped(missing)} missed: ${grouped(login.bytes)} bytes, ${ms(login.newestPageMs)}`,
      )
    }
    before = missed
  }
  return {
    at: new Date().toISOString(),
    machine: machine(),
    durability: process.env.LONGWIRE_KAFKA ? durabilityExternal : durabilityEmbedded,
    members: flags.members,
    chats: flags.chats,
    textBytes: flags.bytes,
    logins,
  }
}

/** Nobody stays connected: what members who are online are sent is another measurement. */
async function makeGroup(
  platform: Platform,
  owner: string,
  prefix: string,
  members: number,
  progress: { show(text: string): void; done(text?: string): void },
): Promise<{ readonly conversationId: string }> {
  const client = await connect({ url: platform.url, token: await platform.token(owner) })
  try {
    const { conversationId } = await client.createGroup({ name: `${members} members`, members: [] })
    const users = Array.from({ length: members - 1 }, (_, i) => `${prefix}${i}`)
    await client.importMembers(conversationId, users, {
      onProgress: ({ done }) => progress.show(`  ${grouped(done)} of ${grouped(members)} members`),
    })
    progress.done(`  a group of ${grouped(members)}`)
    return { conversationId }
  } finally {
    await client.close({ deadlineMs: 2_000 })
  }
}

/** The list shows the newest message. */
async function untilShown(
  platform: Platform,
  user: string,
  conversationId: string,
  text: string,
): Promise<void> {
  const client = await connect({ url: platform.url, token: await platform.token(user) })
  try {
    const until = performance.now() + TRAILING_MS_MAX
    for (;;) {
      const list = await client.conversations()
      const entry = list.find((one) => one.conversationId === conversationId)
      if (entry?.preview?.content?.text === text) return
      if (performance.now() > until) throw new Error('the list does not show the newest message')
      await sleep(POLL_MS)
    }
  } finally {
    await client.close({ deadlineMs: 2_000 })
  }
}

/** Devices whose frames or bytes grew with what was missed. */
function grown(logins: readonly Measured[]): string[] {
  return (['new', 'returning'] as const).filter((device) => {
    const of = logins.filter((login) => login.device === device).sort((a, b) => a.missed - b.missed)
    const [first, last] = [of[0], of.at(-1)]
    if (!first || !last) return false
    return (['bytes', 'frames'] as const).some(
      (figure) => last[figure] > first[figure] * (1 + GROWTH_MAX) + 2,
    )
  })
}

function print({ machine: on, durability, members, chats, textBytes, logins }: OfflineResult): void {
  console.log(`\n${'─'.repeat(100)}\n  ${on}\n  durability: ${durability}`)
  console.log(
    `  a member of a group of ${grouped(members)}, with ${chats} other chats, logs in; ${textBytes}-byte messages, JSON\n`,
  )
  const header = [
    'missed',
    'device',
    'online',
    'newest page',
    'frames',
    'bytes',
    'told',
    'all of it would be',
  ]
  const rows = logins.map(({ missed, device, onlineMs, newestPageMs, frames, bytes, told }) => [
    grouped(missed),
    device,
    ms(onlineMs),
    ms(newestPageMs),
    frames,
    grouped(bytes),
    grouped(told),
    `${grouped((missed * textBytes) / 1_000)} kB of text alone`,
  ])
  console.log(`${table(header, rows)}\n`)
  for (const device of grown(logins))
    console.log(`  ✘ a ${device} device is sent more where more was missed\n`)
}
