/** Up to where what was said in each conversation is to be destroyed: pure. */
import type { Policies, Policy } from '../reads/policy.ts'

export const kinds = ['p2p', 'group'] as const
export type Kind = (typeof kinds)[number]

/** A stream as a stretch of the log has left it. */
export interface StreamEnd {
  readonly stream: string
  /** Seq of the last message or edit in the stretch; 0: none. */
  readonly said: number
  readonly ordinal: number
}

/** Everything said up to this seq or ordinal, this one included. */
export interface Bound {
  readonly stream: string
  readonly by: 'seq' | 'ordinal'
  readonly upTo: number
}

const PREFIXES: Readonly<Record<Kind, string>> = { p2p: 'p2p:', group: 'g:' }

/** By age: a stretch that holds nothing but what is too old. By number: any stretch; each message pushes an older one out. */
export function boundsOf(kind: Kind, policy: Policy, ends: readonly StreamEnd[]): Bound[] {
  const ofKind = ends.filter(({ stream }) => stream.startsWith(PREFIXES[kind]))
  switch (policy.keep) {
    case 'forever':
      return []
    case 'recent':
      return ofKind
        .filter(({ said }) => said > 0)
        .map(({ stream, said }) => ({ stream, by: 'seq', upTo: said }))
    case 'newest':
      return ofKind
        .filter(({ ordinal }) => ordinal > policy.messages)
        .map(({ stream, ordinal }) => ({ stream, by: 'ordinal', upTo: ordinal - policy.messages }))
  }
}

/** Names a policy, so that another one begins with the first event again. */
export function policyText(policy: Policy): string {
  switch (policy.keep) {
    case 'forever':
      return 'forever'
    case 'recent':
      return `recent:${policy.ms}`
    case 'newest':
      return `newest:${policy.messages}`
  }
}

const PERIOD_MS_MIN = 5_000
const PERIOD_MS_MAX = 600_000
/** The pause between turns: readers are held to a policy by themselves, so a tenth of an age is soon enough. */
export function periodMs(policies: Policies): number {
  const ages = kinds.map((kind) => {
    const policy = policies[kind]
    return policy.keep === 'recent' ? policy.ms : Number.POSITIVE_INFINITY
  })
  return Math.min(PERIOD_MS_MAX, Math.max(PERIOD_MS_MIN, Math.min(...ages) / 10))
}
