/** Faults of a replay that say what to do are refusals, not services that do not answer: another exit code. */
import { Fault } from '../../schemas/ports.ts'

const REFUSALS = [
  ...['truncated', 'events_truncated', 'outside_log', 'unknown_schema'],
  ...['no_namespace', 'active_namespace', 'leased'],
]

/** What the operator is told; null: it is no refusal. */
export function refusalIn(err: unknown): string | null {
  if (!(err instanceof Fault) || !REFUSALS.includes(err.code)) return null
  const advice = ': wait until it is done, or stop it; one replay of a projection at a time'
  return err.code === 'leased' ? `${err.message}${advice}` : err.message
}
