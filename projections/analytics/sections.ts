/** What `npm run analytics` shows: a query per section, and how its rows become a table. Pure. */

export type Kind = 'text' | 'count' | 'percent' | 'ms'

export interface Column {
  readonly key: string
  readonly head: string
  readonly kind: Kind
}

export interface Section {
  readonly name: string
  readonly title: string
  /** With the parameter `days`. */
  sql(database: string): string
  readonly columns: readonly Column[]
  /** Column that is drawn as well. */
  readonly bar: string
  /** Of what a full bar stands for; default: the greatest value. */
  readonly barMax?: number
}

const text = (key: string, head = key): Column => ({ key, head, kind: 'text' })
const count = (key: string, head = key): Column => ({ key, head, kind: 'count' })
const percent = (key: string, head = '%'): Column => ({ key, head, kind: 'percent' })
const ms = (key: string, head: string): Column => ({ key, head, kind: 'ms' })

const SINCE = 'today() - {days:UInt32}'

export const sections: readonly Section[] = [
  {
    name: 'messages',
    title: 'Messages per day',
    sql: (db) =>
      `SELECT toString(day) AS day_, kind, messages, writers, conversations FROM ${db}.messages_per_day WHERE day > ${SINCE} ORDER BY day, kind`,
    columns: [text('day_', 'day'), text('kind'), count('messages'), count('writers'), count('conversations')],
    bar: 'messages',
  },
  {
    name: 'hours',
    title: 'Messages by hour of the day (UTC)',
    sql: (db) =>
      `SELECT formatDateTime(hour, '%H:00') AS hour_, sum(messages) AS messages_ FROM ${db}.messages_per_hour WHERE hour > ${SINCE} + 1 GROUP BY hour_ ORDER BY hour_`,
    columns: [text('hour_', 'hour'), count('messages_', 'messages')],
    bar: 'messages_',
  },
  {
    name: 'users',
    title: 'Active users per day',
    sql: (db) =>
      `SELECT toString(day) AS day_, writers, active_users FROM ${db}.active_users_per_day WHERE day > ${SINCE} ORDER BY day`,
    columns: [text('day_', 'day'), count('writers'), count('active_users', 'active')],
    bar: 'active_users',
  },
  {
    name: 'retention',
    title: 'Users who came back, by the week of their first day',
    sql: (db) =>
      `SELECT toString(cohort) AS cohort_, weeks_later, users, percent FROM ${db}.retention WHERE cohort > ${SINCE} - 7 ORDER BY cohort, weeks_later`,
    columns: [
      text('cohort_', 'week'),
      count('weeks_later', 'weeks later'),
      count('users'),
      percent('percent'),
    ],
    bar: 'percent',
    barMax: 100,
  },
  {
    name: 'groups',
    title: 'Busiest groups',
    sql: (db) =>
      `SELECT ifNull(any(b.name), '') AS name_, g.conversation AS conversation_, sum(g.messages) AS messages_, any(b.writers) AS writers_, any(b.members) AS members_
       FROM ${db}.group_days AS g LEFT ANY JOIN ${db}.busiest_groups AS b ON b.conversation = g.conversation
       WHERE g.day > ${SINCE} GROUP BY conversation_ ORDER BY messages_ DESC, conversation_ LIMIT 10`,
    columns: [
      text('name_', 'group'),
      count('messages_', 'messages'),
      count('writers_', 'writers'),
      count('members_', 'members'),
    ],
    bar: 'messages_',
  },
  {
    name: 'devices',
    title: 'Logins by device type and transport',
    sql: (db) =>
      `SELECT device_type, transport, sum(logins) AS logins_ FROM ${db}.device_mix WHERE day > ${SINCE} GROUP BY device_type, transport ORDER BY logins_ DESC LIMIT 12`,
    columns: [text('device_type', 'device'), text('transport'), count('logins_', 'logins')],
    bar: 'logins_',
  },
  {
    name: 'recalls',
    title: 'Messages that were recalled or edited',
    sql: (db) =>
      `SELECT toString(day) AS day_, kind, messages, recalled_, edited, recalled_percent FROM ${db}.recalls_per_day WHERE day > ${SINCE} ORDER BY day, kind`,
    columns: [
      ...[
        text('day_', 'day'),
        text('kind'),
        count('messages'),
        count('recalled_', 'recalled'),
        count('edited'),
      ],
      percent('recalled_percent', '% recalled'),
    ],
    bar: 'recalled_percent',
  },
  {
    name: 'rejections',
    title: 'Commands that were refused',
    sql: (db) =>
      `SELECT code, sum(rejections) AS rejections_, max(senders) AS senders_ FROM ${db}.rejections_per_day WHERE day > ${SINCE} GROUP BY code ORDER BY rejections_ DESC LIMIT 12`,
    columns: [text('code'), count('rejections_', 'refused'), count('senders_', 'senders a day')],
    bar: 'rejections_',
  },
  {
    name: 'latency',
    title: 'How long each hop took, in the newest hour that has pushes',
    sql: (db) =>
      `SELECT hop, pushes, took_p50_ms, took_p90_ms, took_p99_ms, took_max_ms FROM (SELECT *, max(hour) OVER () AS newest FROM ${db}.hop_latency WHERE hour > ${SINCE} + 1) WHERE hour = newest ORDER BY hop`,
    columns: [
      ...[text('hop'), count('pushes'), ms('took_p50_ms', 'p50'), ms('took_p90_ms', 'p90')],
      ...[ms('took_p99_ms', 'p99'), ms('took_max_ms', 'max')],
    ],
    bar: 'took_p99_ms',
  },
  {
    name: 'timeliness',
    title: 'Timeliness: acknowledged within 1 s of the broker time, of all (message, online device)',
    sql: (db) =>
      `SELECT device_type, transport, sum(pairs) AS pairs_, sum(late) AS late_, sum(unacked) AS unacked_, round(100 * sum(in_time) / pairs_, 3) AS percent
       FROM ${db}.timeliness WHERE hour > ${SINCE} + 1 GROUP BY device_type, transport ORDER BY pairs_ DESC LIMIT 12`,
    columns: [
      ...[text('device_type', 'device'), text('transport'), count('pairs_', 'pairs'), count('late_', 'late')],
      ...[count('unacked_', 'never'), percent('percent', '% in time')],
    ],
    bar: 'percent',
    barMax: 100,
  },
]

export type Row = Readonly<Record<string, unknown>>

const BAR_WIDTH = 20
const TEXT_MAX = 32

function cellOf(value: unknown, kind: Kind): string {
  if (value === null || value === undefined) return '–'
  if (kind === 'text') return shortened(String(value))
  const number = Number(value)
  if (kind === 'percent') return number.toFixed(1)
  return kind === 'ms'
    ? `${Math.round(number).toLocaleString('en-US')} ms`
    : Math.round(number).toLocaleString('en-US')
}

const shortened = (value: string): string => {
  const characters = [...value]
  return characters.length <= TEXT_MAX ? value : `${characters.slice(0, TEXT_MAX - 1).join('')}…`
}

/** Head and cells, the last of which is a bar. `draw`: the share of a whole, in so many characters. */
export function tableOf(
  { bar, barMax, columns }: Section,
  rows: readonly Row[],
  draw: (share: number, width: number) => string,
): { readonly head: string[]; readonly cells: string[][] } {
  const max = barMax ?? Math.max(1e-9, ...rows.map((row) => Number(row[bar])))
  return {
    head: [...columns.map(({ head }) => head), ''],
    cells: rows.map((row) => [
      ...columns.map(({ key, kind }) => cellOf(row[key], kind)),
      draw(Number(row[bar]) / max, BAR_WIDTH),
    ]),
  }
}
