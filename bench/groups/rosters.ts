/** Groups of any size: made by import, waited for, and their member lists read through. */
import type { Client } from '../../client/index.ts'
import { hostMs } from '../support/host-clock.ts'
import { createSamples, type Summary } from '../support/samples.ts'

export interface Roster {
  readonly conversationId: string
  readonly members: number
  /** Until the last command was committed. */
  readonly importMs: number
  /** Until read models showed all of them. */
  readonly visibleMs: number
}

export interface Paging {
  readonly members: number
  readonly pageSize: number
  readonly page: Summary
  readonly allMs: number
}

const VISIBLE_MS_MAX = 120_000
const POLL_MS = 50

/** The owner and `<prefix>0` and on, `members` in all. */
export async function makeRoster(
  owner: Client,
  prefix: string,
  members: number,
  progress: (done: number) => void,
): Promise<Roster> {
  const fromMs = hostMs()
  const { conversationId } = await owner.createGroup({ name: `${members} members`, members: [] })
  const users = Array.from({ length: members - 1 }, (_, i) => `${prefix}${i}`)
  await owner.importMembers(conversationId, users, { onProgress: ({ done }) => progress(done) })
  const importMs = hostMs() - fromMs
  for (;;) {
    const group = await owner.group(conversationId)
    if (!group.partial && group.memberCount === members) break
    if (hostMs() - fromMs - importMs > VISIBLE_MS_MAX)
      throw new Error(`only ${group.memberCount} of ${members} members are shown`)
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
  return { conversationId, members, importMs, visibleMs: hostMs() - fromMs }
}

/** Reads the whole list page by page; throws where somebody is missing or twice. */
export async function pageThrough(
  client: Client,
  { conversationId, members }: Roster,
  pageSize: number,
): Promise<Paging> {
  const samples = createSamples()
  const seen = new Set<string>()
  const fromMs = hostMs()
  let entries = 0
  for (let after: string | undefined; ; ) {
    const askedMs = hostMs()
    const page = await client.members(conversationId, { limit: pageSize, ...(after ? { after } : {}) })
    samples.add(hostMs() - askedMs)
    entries += page.members.length
    for (const { userId } of page.members) seen.add(userId)
    if (page.next === null) break
    after = page.next
  }
  if (entries !== members || seen.size !== members)
    throw new Error(`${entries} entries, ${seen.size} different ones, of ${members} members`)
  return { members, pageSize, page: samples.summary(), allMs: hostMs() - fromMs }
}
