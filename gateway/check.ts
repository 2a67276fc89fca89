/** What the read models must say before a command is appended: whether a read mark is true, and facts of old messages. */
import type { ReadModels, StreamHeadAnswer } from '../projections/reads.ts'
import type { CodeName } from '../schemas/codes.ts'
import { parseStream } from '../schemas/ids.ts'
import { limits } from '../schemas/limits.ts'
import { Fault, type Logger } from '../schemas/ports.ts'
import type { Target } from '../schemas/records.ts'
import type { Check, Checked } from './session-types.ts'

type Of<K extends Check['of']> = Extract<Check, { of: K }>

const refused = (code: CodeName): Checked => ({ code, target: null })
const asItIs: Checked = { code: null, target: null }
const withFacts = (target: Target): Checked => ({ code: null, target })

/** From here on down facts are looked up, though the fold keeps twice as many: until it decides, the stream goes on. */
const SURELY_KEPT = limits.recentMessagesMax / 2

/** Never rejects: what fails is a code. */
export function createCheck(
  reads: ReadModels,
  log: Logger,
): (user: string, check: Check) => Promise<Checked> {
  async function mark(user: string, { conversationId, seq, ordinal }: Of<'mark'>): Promise<Checked> {
    const { partial, end } = await reads.endFor(user, conversationId)
    if (end && seq <= end.seq && ordinal <= end.ordinal) return asItIs
    if (partial) return refused('unavailable')
    return refused(end ? 'bad_position' : 'not_member')
  }

  async function target(user: string, { conversationId, seq }: Of<'target'>): Promise<Checked> {
    const { partial, head } = await orNull(reads.headOf(conversationId), noHead)
    if (head && seq > head.seq - SURELY_KEPT) return asItIs
    // No head for certain: nothing ever happened there, which the stream itself says best.
    if (!head && !partial) return asItIs
    const found = await orNull(reads.target(user, conversationId, seq), { partial: true, target: null })
    if (found.target) return withFacts(found.target)
    // The stream may still know the message; only where it surely does not, the command would be refused for good.
    if (found.partial)
      return head && seq <= head.seq - limits.recentMessagesMax ? refused('unavailable') : asItIs
    // Whoever is not in the group hears the same of every seq: that he is not.
    return (await isInside(user, conversationId)) ? refused('no_such_message') : asItIs
  }

  async function isInside(user: string, conversationId: string): Promise<boolean> {
    if (parseStream(conversationId)?.kind !== 'group') return true
    return (await reads.membersAmong(conversationId, [user])).has(user)
  }

  return async (user, check) => {
    try {
      return check.of === 'mark' ? await mark(user, check) : await target(user, check)
    } catch (error) {
      if (error instanceof Fault) return refused('unavailable')
      log.error({ err: error, check: check.of }, 'checking a command failed by a defect')
      return refused('internal')
    }
  }
}

const noHead: StreamHeadAnswer = { partial: true, head: null }

/** A store that does not answer knows nothing for certain: recent messages are recalled and edited without it. */
async function orNull<T>(read: Promise<T>, unknown: T): Promise<T> {
  try {
    return await read
  } catch (error) {
    if (error instanceof Fault) return unknown
    throw error
  }
}
