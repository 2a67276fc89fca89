/** What a comparison of two namespaces found. */
export interface Difference {
  /** Kind of key, or table. */
  readonly kind: string
  readonly key: string
  /** First entries that differ; empty: not there. */
  readonly inActive: string
  readonly inOther: string
}

export interface Comparison {
  /** Keys or rows, by kind. */
  readonly kinds: ReadonlyMap<string, { readonly compared: number; readonly different: number }>
  /** The first ones. */
  readonly examples: readonly Difference[]
  /** What was left out, for people. */
  readonly notes: readonly string[]
}

export const differencesIn = ({ kinds }: Comparison): number =>
  [...kinds.values()].reduce((sum, { different }) => sum + different, 0)

export const comparedIn = ({ kinds }: Comparison): number =>
  [...kinds.values()].reduce((sum, { compared }) => sum + compared, 0)
