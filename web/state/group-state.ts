/** A group as this page shows it: read when it is opened, moved on by what is told, read again behind it. */

import type { Client, Group, GroupChange, Member } from '../../client/index.ts'
import { explain } from '../format.ts'
import { groupAfter, membersAfter } from './group-fold.ts'
import { refresher } from './refresh.ts'

export interface GroupState {
  /** Null: not read yet. */
  group(): Group | null
  /** Those pages of members that were read. */
  members(): readonly Member[]
  hasMoreMembers(): boolean
  moreMembers(): Promise<void>
  read(): void
  apply(change: GroupChange): void
  problem(): string
}

const MEMBERS_PAGE = 50

export function createGroupState(client: Client, conversationId: string, changed: () => void): GroupState {
  let group: Group | null = null
  let members: readonly Member[] = []
  let next: string | null = null
  let begun = false
  /** Who asks meanwhile waits for the same page. */
  let running: Promise<void> | null = null
  let problem = ''

  const reading = refresher(async () => {
    try {
      group = await client.group(conversationId)
      problem = ''
    } catch (error) {
      problem = explain(error)
    }
    changed()
    return group?.partial === true && problem === ''
  })

  async function readMembers(): Promise<void> {
    if (begun && next === null) return
    try {
      const page = await client.members(conversationId, { after: next ?? undefined, limit: MEMBERS_PAGE })
      const held = new Set(members.map(({ userId }) => userId))
      members = [...members, ...page.members.filter(({ userId }) => !held.has(userId))]
      next = page.next
      begun = true
      problem = ''
    } catch (error) {
      problem = explain(error)
    }
    changed()
  }

  return {
    group: () => group,
    members: () => members,
    hasMoreMembers: () => !begun || next !== null,
    moreMembers() {
      running ??= readMembers().finally(() => {
        running = null
      })
      return running
    },
    read: () => void reading.now(),
    apply(change) {
      if (group) group = groupAfter(group, change, client.userId)
      if (begun) members = membersAfter(members, change, next === null)
      changed()
      reading.soon()
    },
    problem: () => problem,
  }
}
