/** Keeps a store that is slow or away from holding up its callers: a time limit, a breaker, a limit on what runs at once. */
import {
  BrokenCircuitError,
  BulkheadRejectedError,
  bulkhead,
  ConsecutiveBreaker,
  circuitBreaker,
  handleAll,
  TaskCancelledError,
  TimeoutStrategy,
  timeout,
  wrap,
} from 'cockatiel'
import { Fault } from '../../schemas/ports.ts'

export interface GuardLimits {
  readonly timeoutMs: number
  readonly running: number
  readonly queued: number
  /** Consecutive failures after which the store is left alone for `restMs`. */
  readonly failures: number
  readonly restMs: number
}

export type Guard = <T>(work: () => Promise<T>) => Promise<T>

/** Whatever goes wrong comes out as a Fault: `unavailable`, or the store's own. */
export function guard(store: string, limits: GuardLimits): Guard {
  const policy = wrap(
    bulkhead(limits.running, limits.queued),
    circuitBreaker(handleAll, {
      halfOpenAfter: limits.restMs,
      breaker: new ConsecutiveBreaker(limits.failures),
    }),
    timeout(limits.timeoutMs, TimeoutStrategy.Aggressive),
  )
  return async (work) => {
    try {
      return await policy.execute(() => work())
    } catch (cause) {
      if (cause instanceof Fault) throw cause
      throw new Fault('unavailable', `${store} ${reasonOf(cause)}`, { retriable: true, cause })
    }
  }
}

function reasonOf(cause: unknown): string {
  if (cause instanceof BrokenCircuitError) return 'failed too often and is left alone for a while'
  if (cause instanceof BulkheadRejectedError) return 'has too many reads waiting'
  if (cause instanceof TaskCancelledError) return 'did not answer in time'
  return 'failed'
}
