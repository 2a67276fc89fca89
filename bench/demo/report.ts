/** The table at the end of the demo. */
import type { Summary } from '../support/samples.ts'
import { grouped, ms, table } from '../support/table.ts'
import type { Result } from './audit.ts'

export interface Extras {
  /** Null: the archive's address is not known. */
  readonly archived: number | null
  /** What came again over the wire and was dropped by the clients. */
  readonly wireDuplicates: number
  readonly refusals: ReadonlyMap<string, number>
}

/** What is wrong with a run, in words; empty when everybody got everything once and in order. */
export function faultsOf(result: Result, extras: Extras): string[] {
  const faults: string[] = []
  const must = (count: number, what: string): void => {
    if (count !== 0) faults.push(`${grouped(Math.abs(count))} ${what}`)
  }
  must(result.missing, 'missing')
  must(result.doubled, 'doubled')
  must(result.outOfOrder, 'out of order')
  must(result.altered, 'altered')
  must(result.unsettled, 'sent but never answered')
  for (const [code, count] of extras.refusals) must(count, `refused (${code})`)
  if (extras.archived !== null)
    must(result.committed - extras.archived, 'not in the archive or there in excess')
  return faults
}

export function report(result: Result, extras: Extras): string {
  const { commitMs, receiveMs } = result
  const counts = table(
    ['messages', '', ''],
    [
      ['sent', grouped(result.sent), ''],
      ['committed', grouped(result.committed), share(result.committed, result.sent)],
      ['delivered', grouped(result.received), `of ${grouped(result.expected)} (committed × people)`],
      ['missing', grouped(result.missing), ''],
      ['doubled', grouped(result.doubled), repeats(extras.wireDuplicates)],
      ['out of order', grouped(result.outOfOrder), ''],
      ['altered', grouped(result.altered), ''],
      [
        'rows in ClickHouse',
        extras.archived === null ? 'unknown' : grouped(extras.archived),
        extras.archived === null ? 'set LONGWIRE_CLICKHOUSE or LONGWIRE_DATA' : 'messages of this group',
      ],
    ],
  )
  const row = (name: string, s: Summary) => [name, ms(s.p50Ms), ms(s.p95Ms), ms(s.p99Ms), ms(s.maxMs)]
  const latency = table(
    ['latency', 'p50', 'p95', 'p99', 'max'],
    [row('send → committed', commitMs), row('send → received', receiveMs)],
  )
  return `${counts}\n\n${latency}`
}

const share = (part: number, whole: number): string => (part === whole ? 'all' : `of ${grouped(whole)}`)
const repeats = (count: number): string =>
  count === 0 ? '' : `${grouped(count)} came again over the wire and were dropped`
