/** Where the key of a token comes from: the development secret, or an issuer's JWKS that is fetched again and again. */
import { limits } from '../../schemas/limits.ts'
import type { Clock, Logger } from '../../schemas/ports.ts'
import { type KeySet, keySetOf, type VerifyKey } from './keys.ts'
import { secretKey } from './mint.ts'

/** `unavailable`: no set has ever come, so nobody can be told from anybody. */
export type KeyAnswer = VerifyKey | 'unknown' | 'unavailable'

export interface KeySource {
  find(kid: string | null): KeyAnswer | Promise<KeyAnswer>
  /** Another one whenever a key may have gone: what was verified before counts no more. */
  version(): number
  /** Ms since the set that is in use was read; 0 for what is never read again. */
  ageMs(): number
  stop(): void
}

export function secretSource(secret: Uint8Array): KeySource {
  const key: VerifyKey = { key: secretKey(secret), algorithms: ['HS256'] }
  return { find: () => key, version: () => 0, ageMs: () => 0, stop() {} }
}

export interface JwksOptions {
  /** The text of the set; rejects when it cannot be had in time. */
  readonly load: () => Promise<string>
  readonly clock: Clock
  readonly random: () => number
  readonly log: Logger
}

const RETRY_MS = 1_000

/**
 * Starts at once and without the set: until it has come, every answer is `unavailable`. A set that cannot be fetched leaves the
 * one before in use. A key id that is not in it makes it be fetched again, but never sooner than jwksUnknownKidMs after the last
 * time, whatever is sent.
 */
export function jwksSource({ load, clock, random, log }: JwksOptions): KeySource {
  let set: KeySet | null = null
  let text = ''
  let version = 0
  let readAt = clock.now()
  let askedAt = 0
  let failures = 0
  let loading: Promise<void> | null = null
  let stopped = false
  let cancel = () => {}

  function fetchSet(): Promise<void> {
    loading ??= read().finally(() => {
      loading = null
    })
    return loading
  }

  async function read(): Promise<void> {
    cancel()
    askedAt = clock.now()
    try {
      adopt(await load())
      failures = 0
    } catch (error) {
      failures += 1
      const { message } = error as Error
      if (failures === 1) log.warn({ reason: message, inUse: set !== null }, 'the key set cannot be read')
    }
    if (!stopped) cancel = clock.after(nextMs(), () => void fetchSet())
  }

  function adopt(given: string): void {
    const next = keySetOf(given)
    if (!next) throw new Error('what came is no JWKS')
    readAt = clock.now()
    if (set && failures > 0) log.info({}, 'the key set can be read again')
    if (set && given === text) return
    set = next
    text = given
    version += 1
    const { byKid, only, unusable } = next
    log.info({ keys: byKid.size || (only ? 1 : 0), unusable }, 'the key set is in use')
  }

  function nextMs(): number {
    const spread = 0.9 + 0.2 * random()
    if (failures === 0) return limits.jwksRefreshMs * spread
    const retryMs = set ? limits.jwksUnknownKidMs : RETRY_MS * 2 ** Math.min(failures - 1, 10)
    return Math.min(limits.jwksUnknownKidMs, retryMs) * spread
  }

  const known = (kid: string | null): KeyAnswer =>
    set ? ((kid === null ? set.only : set.byKid.get(kid)) ?? 'unknown') : 'unavailable'

  void fetchSet()

  return {
    async find(kid) {
      const answer = known(kid)
      if (typeof answer !== 'string') return answer
      if (
        answer === 'unknown' &&
        !loading &&
        (kid === null || clock.now() - askedAt < limits.jwksUnknownKidMs)
      )
        return answer
      // Without any set its timer fetches: a login never does, however many come.
      if (answer === 'unavailable' && !loading) return answer
      await fetchSet()
      return known(kid)
    },
    version: () => version,
    ageMs: () => clock.now() - readAt,
    stop() {
      stopped = true
      cancel()
    },
  }
}
