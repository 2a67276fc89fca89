/** Asks the operator's service about a login before it is registered. */
import { boundedFetch } from '../infra/bounded-fetch.ts'
import { guard } from '../projections/reads/guard.ts'
import { limits } from '../schemas/limits.ts'
import type { Clock, Logger } from '../schemas/ports.ts'
import { type LoginAnswer, type LoginFacts, loginAnswerOf, signatureOf } from './login-answer.ts'

/** Never rejects. */
export type LoginHook = (login: LoginFacts) => Promise<LoginAnswer>

export type HookOutcome = LoginAnswer['decision'] | 'fallback'

export interface LoginHookOptions {
  readonly url: string
  readonly secret: string
  readonly timeoutMs: number
  /** What counts where the service does not answer, or not as it should. */
  readonly fallback: 'allow' | 'refuse'
  readonly clock: Clock
  readonly log: Logger
  observed(outcome: HookOutcome, ms: number): void
}

const FAILURES_MAX = 10
const REST_MS = 2_000

/** A service that is slow or away is left alone for a while: its logins get the fallback at once, and no pile of requests grows. */
export function createLoginHook(options: LoginHookOptions): LoginHook {
  const { url, secret, timeoutMs, clock, log } = options
  const guarded = guard('the login hook', {
    timeoutMs,
    running: limits.loginHookAtOnceMax,
    queued: limits.loginHookWaitingMax,
    failures: FAILURES_MAX,
    restMs: REST_MS,
  })
  const fallback: LoginAnswer = { decision: options.fallback === 'allow' ? 'allow' : 'unavailable' }
  let failing = false

  async function ask(login: LoginFacts): Promise<LoginAnswer> {
    const body = JSON.stringify(login)
    const atSec = Math.floor(clock.now() / 1000)
    const headers = {
      'content-type': 'application/json',
      'longwire-timestamp': String(atSec),
      'longwire-signature': signatureOf(secret, atSec, body),
    }
    const bounds = { timeoutMs, bytesMax: limits.loginHookBytesMax }
    const answer = loginAnswerOf(await boundedFetch(url, { method: 'POST', headers, body }, bounds))
    if (!answer) throw new Error('the answer is none')
    return answer
  }

  return async (login) => {
    const began = clock.now()
    try {
      const answer = await guarded(() => ask(login))
      if (failing) log.info({}, 'the login hook answers again')
      failing = false
      options.observed(answer.decision, clock.now() - began)
      return answer
    } catch (error) {
      const { message } = error as Error
      if (!failing)
        log.warn({ reason: message, fallback: options.fallback }, 'the login hook does not answer')
      failing = true
      options.observed('fallback', clock.now() - began)
      return fallback
    }
  }
}
