/** What the replay command says. Pure. */

import type { RebuildProgress, RebuildResult } from './rebuild.ts'
import { type Comparison, comparedIn, differencesIn } from './report.ts'
import { boundText, type Window } from './window.ts'

const grouped = (n: number): string => Math.round(n).toLocaleString('en-US')
const seconds = (ms: number): string =>
  ms < 90_000 ? `${(ms / 1_000).toFixed(ms < 10_000 ? 1 : 0)} s` : `${(ms / 60_000).toFixed(1)} min`

/** Progress with rate and time left, by what was done since the first call. */
export function progressText(now: () => number): (progress: RebuildProgress) => string {
  let first: { readonly at: number; readonly done: number } | null = null
  return ({ done, total }) => {
    first ??= { at: now(), done }
    const elapsedMs = now() - first.at
    const perSec = elapsedMs > 0 ? ((done - first.done) * 1_000) / elapsedMs : 0
    const share = total === 0 ? 100 : Math.floor((100 * done) / total)
    const left = perSec > 0 ? `, ${seconds(((total - done) / perSec) * 1_000)} left` : ''
    return `  ${grouped(done)} of ${grouped(total)} records (${share} %), ${grouped(perSec)}/s${left}`
  }
}

export function resultText({ applied, done, elapsedMs, undecodable }: RebuildResult): string {
  const rate = elapsedMs > 0 ? ` (${grouped((applied * 1_000) / elapsedMs)} events/s)` : ''
  const unread = undecodable > 0 ? `; ${grouped(undecodable)} that nobody can read` : ''
  return `  built: ${grouped(applied)} events in ${seconds(elapsedMs)}${rate}, the log is at ${grouped(done)} records${unread}`
}

export function comparisonLines(comparison: Comparison, what: 'keys' | 'rows'): string[] {
  const differences = differencesIn(comparison)
  const lines = [
    `  compared: ${grouped(comparedIn(comparison))} ${what}, ${differences === 0 ? 'all equal' : `${grouped(differences)} different`}`,
  ]
  for (const [kind, { compared, different }] of comparison.kinds)
    if (different > 0) lines.push(`    ${kind}: ${grouped(different)} of ${grouped(compared)}`)
  for (const { kind, key, inActive, inOther } of comparison.examples) {
    lines.push(
      `    ${kind} ${key}`,
      `      read now: ${inActive || 'nothing'}`,
      `      built:    ${inOther || 'nothing'}`,
    )
  }
  for (const note of comparison.notes) lines.push(`    ${note}`)
  return lines
}

export const windowText = ({ from, until }: Window): string =>
  [from && `from ${boundText(from)}`, until && `until ${boundText(until)}`].filter(Boolean).join(' ')
