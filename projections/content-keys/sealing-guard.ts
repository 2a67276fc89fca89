/**
 * Holds a gateway that is cut off from im.keys to sealing nothing: a user's key may have been taken from him meanwhile, and what was
 * sealed under it nobody could open. It asks now and then how far the topic goes, beside the reading of it.
 */
import { type Clock, Fault, type Logger } from '../../schemas/ports.ts'
import { topics } from '../../schemas/topics.ts'
import type { FollowedTopic } from '../follow-topic.ts'
import { createFreshness, maySeal } from './freshness.ts'

export interface SealingGuard {
  /** Resolves after the first answer, or when there was none. */
  readonly asked: Promise<void>
  /** Throws Fault `keys_behind`, which passes. */
  requireFresh(): void
  stop(): void
}

const ASK_MS = 3_000
/** At most so often where somebody waits for it. */
const ASK_AGAIN_MS = 200
/** So many answers in a row, and what they told of is still not read: the reading has stopped, and a new process begins anew. */
const BEHIND_MAX = 15

export function startSealingGuard(options: {
  readonly topic: Pick<FollowedTopic, 'end' | 'readTo'>
  readonly clock: Clock
  readonly logger: Logger
  failed(fault: Fault): void
}): SealingGuard {
  const { topic, clock, logger } = options
  const freshness = createFreshness()
  let askedAt = Number.NEGATIVE_INFINITY
  let behind = 0
  let cancel = (): void => {}

  /** Whether it was answered. */
  async function ask(): Promise<boolean> {
    const at = clock.now()
    askedAt = at
    try {
      const end = await topic.end()
      freshness.ended(end, at, topic.readTo())
      return true
    } catch (err) {
      logger.debug({ err }, 'how far im.keys goes was not told')
      return false
    }
  }

  async function turn(): Promise<void> {
    behind = (await ask()) && freshness.isBehind(topic.readTo()) ? behind + 1 : 0
    if (behind <= BEHIND_MAX) return
    behind = 0
    options.failed(new Fault('keys_stuck', `${topics.keys} is not read any more`, { retriable: true }))
  }

  function askOften(): void {
    cancel = clock.after(ASK_MS, () => {
      void turn()
      askOften()
    })
  }

  askOften()
  return {
    asked: ask().then(() => {}),
    requireFresh() {
      const now = clock.now()
      if (maySeal(freshness.knownTo(topic.readTo()), now)) return
      // A process that was stopped and goes on need not wait for its next turn.
      if (now - askedAt >= ASK_AGAIN_MS) void ask()
      throw new Fault('keys_behind', 'nothing was heard of im.keys for too long to seal contents', {
        retriable: true,
      })
    },
    stop: () => cancel(),
  }
}
