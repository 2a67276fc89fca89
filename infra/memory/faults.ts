/** What a test does to appends. Rules apply in the order given, each to its next `count` requests that match. */
export interface AppendFaults {
  /** The records are written; the writer is told that the outcome is unknown. */
  dropResponse(match?: AppendMatch, count?: number): void
  /** The records are written only after `ms`; past the writer's time limit that is a late record of an unknown outcome. */
  delayAppend(ms: number, match?: AppendMatch, count?: number): void
  /** The records are not written; the writer is told that the outcome is unknown. */
  failAppend(match?: AppendMatch, count?: number): void
  /** Requests that a rule has hit: a test whose fault never struck proves nothing. */
  hits(): number
}

export interface AppendMatch {
  readonly client?: string
  readonly topic?: string
  readonly partition?: number
}

export type AppendFate =
  | { readonly kind: 'ok' }
  | { readonly kind: 'drop-response' }
  | { readonly kind: 'delay'; readonly ms: number }
  | { readonly kind: 'fail' }

interface Rule {
  readonly match: AppendMatch
  readonly fate: AppendFate
  left: number
}

export function createAppendFaults(): AppendFaults & {
  fateOf(client: string, topic: string, partition: number): AppendFate
} {
  let rules: Rule[] = []
  let hits = 0
  const add = (fate: AppendFate, match: AppendMatch = {}, left = 1) => {
    rules.push({ match, fate, left })
  }
  return {
    dropResponse: (match, count) => add({ kind: 'drop-response' }, match, count),
    delayAppend: (ms, match, count) => add({ kind: 'delay', ms }, match, count),
    failAppend: (match, count) => add({ kind: 'fail' }, match, count),
    hits: () => hits,
    fateOf(client, topic, partition) {
      const rule = rules.find(
        ({ match }) =>
          (match.client ?? client) === client &&
          (match.topic ?? topic) === topic &&
          (match.partition ?? partition) === partition,
      )
      if (rule === undefined) return { kind: 'ok' }
      hits += 1
      rule.left -= 1
      if (rule.left <= 0) rules = rules.filter((one) => one !== rule)
      return rule.fate
    },
  }
}
