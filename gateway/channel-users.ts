/**
 * Which large groups the users of this gateway are in: asked once when a user's first connection is registered, before
 * he may read heads, and again where the answer was not certain or deliveries were lost since.
 */
import type { ReadModels } from '../projections/reads.ts'
import { limits } from '../schemas/limits.ts'
import { type Clock, Fault, type Logger } from '../schemas/ports.ts'
import type { Channels } from './channels.ts'
import type { Counters } from './counters.ts'

export interface ChannelUsers {
  /** After this user's connection was registered. Resolves when events of his groups reach him, at the latest after channelsWaitMsMax. */
  enter(user: string): Promise<void>
  /** His last connection here is gone. */
  leave(user: string): void
  /** He is a member of this group. */
  noteMember(user: string, conversationId: string): void
  /** What let someone in may have been lost: all are asked again, a few at a time. */
  refreshAll(): void
}

export interface ChannelUsersOptions {
  readonly reads: Pick<ReadModels, 'channelsOf'>
  readonly channels: Pick<Channels, 'join' | 'leave'>
  readonly counters: Counters
  readonly clock: Clock
  readonly log: Logger
}

interface UserChannels {
  /** Groups in which he is, or is asked about. */
  readonly conversations: Set<string>
  /** All his groups are among them, as of the losses counted so far. */
  known: boolean
  /** False: it could not be asked. */
  asking: Promise<boolean> | null
  /** Until it is asked again. */
  waitMs: number
}

const ROUND_MS = 1_000
/** While the directory trails, everybody's groups are uncertain: asking on and on would hold it back further. */
const WAIT_MS_MAX = 60_000
const AT_ONCE = 8

export function createChannelUsers(options: ChannelUsersOptions): ChannelUsers {
  const { reads, channels, counters, clock, log } = options
  const users = new Map<string, UserChannels>()
  /** Who is to be asked again, and when. */
  const stale = new Map<string, number>()
  let timed = false
  let losses = 0

  function of(user: string): UserChannels {
    let known = users.get(user)
    if (!known) {
      known = { conversations: new Set(), known: false, asking: null, waitMs: ROUND_MS }
      users.set(user, known)
    }
    return known
  }

  function ask(user: string, mine: UserChannels): Promise<boolean> {
    mine.asking ??= askOnce(user, mine).finally(() => {
      mine.asking = null
    })
    return mine.asking
  }

  /** What is not certain is asked for again. */
  async function askOnce(user: string, mine: UserChannels): Promise<boolean> {
    const lossesBefore = losses
    try {
      counters.channelReads += 1
      const { partial, channels: found } = await reads.channelsOf(user)
      if (users.get(user) !== mine) return true
      mine.known = !partial && losses === lossesBefore
      if (!mine.known) askLater(user, mine)
      await Promise.all(
        found.map((conversationId) => {
          mine.conversations.add(conversationId)
          return channels.join(conversationId, user)
        }),
      )
      return true
    } catch (error) {
      if (!(error instanceof Fault))
        log.error({ err: error }, 'asking for the groups of a user failed by a defect')
      if (users.get(user) === mine) askLater(user, mine)
      return false
    }
  }

  function askLater(user: string, mine: UserChannels): void {
    stale.set(user, clock.now() + mine.waitMs)
    mine.waitMs = Math.min(WAIT_MS_MAX, 2 * mine.waitMs)
    schedule(ROUND_MS)
  }

  function schedule(ms: number): void {
    if (timed) return
    timed = true
    clock.after(ms, () => void askStale())
  }

  async function askStale(): Promise<void> {
    const now = clock.now()
    const due = [...stale].flatMap(([user, at]) => (at <= now ? [user] : []))
    for (let at = 0; at < due.length; at += AT_ONCE) {
      const some = due.slice(at, at + AT_ONCE)
      for (const user of some) stale.delete(user)
      // Where the store does not answer the others need not be tried now.
      if (!(await Promise.all(some.map(askAgain))).includes(true)) break
    }
    timed = false
    if (stale.size > 0) schedule(ROUND_MS)
  }

  async function askAgain(user: string): Promise<boolean> {
    const mine = users.get(user)
    return !mine || mine.known || firstOf(ask(user, mine))
  }

  /** What takes longer goes on by itself. */
  const firstOf = (work: Promise<boolean>): Promise<boolean> =>
    new Promise((resolve) => {
      const cancel = clock.after(limits.channelsWaitMsMax, () => resolve(true))
      void work.then((answered) => {
        cancel()
        resolve(answered)
      })
    })

  return {
    async enter(user) {
      const mine = of(user)
      if (!mine.known) await firstOf(ask(user, mine))
    },
    leave(user) {
      const mine = users.get(user)
      if (!mine) return
      users.delete(user)
      stale.delete(user)
      channels.leave(user, mine.conversations)
    },
    noteMember(user, conversationId) {
      of(user).conversations.add(conversationId)
    },
    refreshAll() {
      losses += 1
      for (const [user, mine] of users) {
        mine.known = false
        mine.waitMs = ROUND_MS
        stale.set(user, clock.now())
      }
      schedule(0)
    },
  }
}
