/** The table at the end of the demo. */

import { grouped, ms, table } from '../../infra/terminal.ts'
import type { Summary } from '../support/samples.ts'
import type { Result } from './audit.ts'
import type { Plan } from './plan.ts'
import type { Script } from './script.ts'
import type { Checks } from './verify.ts'

export interface Extras {
  /** Null: the archive's address is not known. */
  readonly archived: number | null
  /** What came again over the wire and was dropped by the clients. */
  readonly wireDuplicates: number
  readonly refusals: ReadonlyMap<string, number>
  readonly checks: Checks
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
  must(result.behind, 'edits and recalls not told')
  must(result.resurrected, 'texts back after their recall')
  const { checks } = extras
  must(checks.unreadWrong, 'unread counts wrong')
  must(checks.mentionsWrong, 'mention counts wrong')
  must(checks.mentionsAllWrong, 'counts of @all wrong')
  must(checks.previewsWrong, 'previews wrong')
  must(checks.pagesWrong, 'messages wrong in pages')
  must(checks.foundRecalled, 'recalled texts found')
  must(checks.notFound, 'living texts not found')
  for (const [code, count] of extras.refusals) must(count, `refused (${code})`)
  if (extras.archived !== null)
    must(result.committed - extras.archived, 'not in the archive or there in excess')
  return faults
}

/** What was done beside the talking. */
export function countsOf({ turns, people }: Script, plan: Plan): string {
  const { readers } = plan
  const named = turns.filter(({ mention }) => mention !== null).length
  const reactions = [...plan.reactions.values()].reduce((sum, list) => sum + list.length, 0)
  return [
    `${grouped(named)} mentions, ${grouped(plan.toAll.size)} to all, ${grouped(plan.edits.size)} edits, ${grouped(plan.recalls.size)} recalls, ${grouped(reactions)} reactions`,
    `of ${grouped(people.length)} people ${grouped(readers.close)} follow closely, ${grouped(readers.seldom)} seldom, ${grouped(readers.never)} never`,
  ].join('; ')
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
  const { checks } = extras
  const asked = `of ${grouped(checks.people)} people, as the server counts and as recounted`
  const changes = table(
    ['changes and counts', '', ''],
    [
      ['edited', grouped(result.edited), ''],
      ['recalled', grouped(result.recalled), ''],
      ['changes not told', grouped(result.behind), ''],
      ['texts back after a recall', grouped(result.resurrected), ''],
      ['unread', grouped(checks.unreadSum), asked],
      ['  wrong counts', grouped(checks.unreadWrong), ''],
      ['mentions unread', grouped(checks.mentionsSum), ''],
      ['  wrong counts', grouped(checks.mentionsWrong), ''],
      ['@all unread', grouped(checks.mentionsAllSum), ''],
      ['  wrong counts', grouped(checks.mentionsAllWrong), ''],
      ['wrong previews', grouped(checks.previewsWrong), 'recalled text, or not the current one'],
      ['wrong in pages', grouped(checks.pagesWrong), `all history, read by ${grouped(checks.readers)}`],
      ['recalled and found', grouped(checks.foundRecalled), `${grouped(checks.searches)} searches`],
      ['living and not found', grouped(checks.notFound), ''],
    ],
  )
  const row = (name: string, s: Summary) => [name, ms(s.p50Ms), ms(s.p95Ms), ms(s.p99Ms), ms(s.maxMs)]
  const latency = table(
    ['latency', 'p50', 'p95', 'p99', 'max'],
    [row('send → committed', commitMs), row('send → received', receiveMs)],
  )
  return `${counts}\n\n${changes}\n\n${latency}`
}

const share = (part: number, whole: number): string => (part === whole ? 'all' : `of ${grouped(whole)}`)
const repeats = (count: number): string =>
  count === 0 ? '' : `${grouped(count)} came again over the wire and were dropped`
