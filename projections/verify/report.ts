/** A report as text: what was looked at, and the first of each kind that was wrong. */
import { type FindingKind, findingKinds } from './findings.ts'
import type { Report } from './verify.ts'

const n = (value: number): string => value.toLocaleString('en-US')

export const totalFindings = ({ findings }: Report): number =>
  findings.reduce((sum, of) => sum + of.total(), 0)

export const countOf = ({ findings }: Report, kind: FindingKind): number =>
  findings.reduce((sum, of) => sum + of.count(kind), 0)

/** What each line of the report rests on. */
const lines: readonly { name: string; kinds: readonly FindingKind[]; of: (report: Report) => string }[] = [
  {
    name: 'log',
    kinds: ['undecodable', 'hole', 'missed-claim', 'misplaced', 'time'],
    of: ({ counts: c, partitions }) =>
      `${n(c.records)} records in ${partitions} partitions: ${n(c.accepted)} accepted (${n(c.events)} events, ${n(c.rejections)} rejections, ${n(c.repeats)} repeats), ${n(c.claims)} claims, ${n(c.stale)} stale, ${n(c.duplicates)} twice`,
  },
  { name: 'seqs', kinds: ['gap'], of: ({ streams }) => `${n(streams)} streams, each from 1 without a gap` },
  {
    name: 'packIds',
    kinds: ['doubled'],
    of: ({ counts, forgotten }) =>
      `${n(counts.events)} events, none under two seqs${forgotten > 0 ? ` (of ${n(forgotten)} only the newer ones were compared: see --pack-ids)` : ''}`,
  },
  {
    name: 'commands',
    kinds: ['unanswered', 'altered'],
    of: ({ commands }) => `${n(commands)} that are kept, each with its one record`,
  },
  { name: 'read models', kinds: ['behind'], of: () => 'have come to the end of the log' },
  {
    name: 'archive',
    kinds: ['archive-missing', 'archive-extra', 'archive-bytes'],
    of: ({ archived }) => `${n(archived)} records, equal to the log by count and hash`,
  },
  {
    name: 'items',
    kinds: ['archive-tables'],
    of: ({ portions, portionsAll }) =>
      portionsAll === 0
        ? 'not looked at: only with all partitions'
        : `items and messages fit the archived events (${portions} of ${portionsAll} portions)`,
  },
  {
    name: 'unread',
    kinds: ['unread'],
    of: ({ pairs, pairsAll }) => `${n(pairs)} counts of ${n(pairsAll)} recounted from the log`,
  },
  {
    name: 'timelines',
    kinds: ['timeline'],
    of: ({ timelines, streams }) => `${n(timelines)} of ${n(streams)} hold the newest of the log`,
  },
]

export function reportText(report: Report): string {
  const shown = lines.map(({ name, kinds, of }) => {
    const wrong = kinds.reduce((sum, kind) => sum + countOf(report, kind), 0)
    return `  ${wrong === 0 ? '✔' : '✘'} ${name.padEnd(12)} ${of(report)}${wrong === 0 ? '' : `, but ${n(wrong)} findings`}`
  })
  const perSecond = report.counts.records / Math.max(0.001, report.tookMs / 1_000)
  const took = `  ${(report.tookMs / 1_000).toFixed(1)} s, ${n(Math.round(perSecond))} records/s`
  return [...shown, took, ...wrongText(report)].join('\n')
}

function wrongText(report: Report): string[] {
  const kinds = (Object.keys(findingKinds) as FindingKind[]).filter((kind) => countOf(report, kind) > 0)
  return kinds.flatMap((kind) => {
    const first = report.findings.flatMap((of) => of.first(kind))
    const more = countOf(report, kind) - first.length
    return [
      '',
      `  ${kind}: ${findingKinds[kind]} (${n(countOf(report, kind))})`,
      ...first.map((text) => `    ${text}`),
      ...(more > 0 ? [`    and ${n(more)} more`] : []),
    ]
  })
}
