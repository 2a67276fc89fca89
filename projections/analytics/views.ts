/**
 * What analysts query: a database of views over the archive that is read at the moment. No table of its own: whatever namespace
 * the archive is in, and however often an insert was retried, a view counts every message, push and login once.
 */
import { ledgerViews } from './ledger-views.ts'

export interface AnalyticsView {
  readonly name: string
  /** One line for the documentation. */
  readonly about: string
  /** Over the archive's tables in `source` and those of the gateways' activity in `activity`. */
  sql(from: { readonly source: string; readonly activity: string }): string
}

/** Of a conversation's id. */
const KIND = `transform(splitByChar(':', conversation)[1], ['p2p', 'g', 'r', 'n'], ['single', 'group', 'room', 'notice'], 'other')`

const messageViews: readonly AnalyticsView[] = [
  {
    name: 'messages',
    about: 'every message in its current version',
    sql: ({
      source,
    }) => `SELECT conversation, ${KIND} AS kind, seq, time, sender, pack_id, content_type, content, recalled,
      version > seq AND NOT recalled AS edited, mentions, mention_all
      FROM ${source}.messages FINAL`,
  },
  {
    name: 'message_versions',
    about: 'every version of every message: as it was sent, each edit, and the recall',
    sql: ({
      source,
    }) => `SELECT conversation, ifNull(target_seq, seq) AS message_seq, seq AS version_seq, kind AS change,
      fromUnixTimestamp64Milli(time_ms, 'UTC') AS changed_at, sender AS changed_by, content_type, content
      FROM ${source}.items FINAL WHERE kind IN ('message', 'edited', 'recalled')`,
  },
  {
    name: 'messages_per_day',
    about: 'messages, who wrote them and in how many conversations, by day and kind of conversation',
    sql: (from) => perTime('toDate(time) AS day', from.source),
  },
  {
    name: 'messages_per_hour',
    about: 'the same by hour',
    sql: (from) => perTime('toStartOfHour(time) AS hour', from.source),
  },
  {
    name: 'recalls_per_day',
    about: 'how many of the messages of a day were recalled or edited since',
    sql: ({
      source,
    }) => `SELECT toDate(time) AS day, ${KIND} AS kind, count() AS messages, countIf(recalled) AS recalled_,
      countIf(version > seq AND NOT recalled) AS edited, round(100 * recalled_ / messages, 2) AS recalled_percent
      FROM ${source}.messages FINAL GROUP BY day, kind ORDER BY day, kind`,
  },
  {
    name: 'group_days',
    about: 'messages and writers of each group, by day',
    sql: ({
      source,
    }) => `SELECT toDate(time) AS day, conversation, count() AS messages, uniqExact(sender) AS writers
      FROM ${source}.messages FINAL WHERE startsWith(conversation, 'g:') GROUP BY day, conversation ORDER BY day, messages DESC`,
  },
  {
    name: 'busiest_groups',
    about: 'groups by their messages so far, with name and members',
    sql: ({
      source,
    }) => `SELECT m.conversation AS conversation, n.name_ AS name, m.messages_ AS messages, m.writers_ AS writers,
        b.members_ AS members, m.first_ AS first_message_at, m.last_ AS last_message_at
      FROM (
        SELECT conversation, count() AS messages_, uniqExact(sender) AS writers_, min(time) AS first_, max(time) AS last_
        FROM ${source}.messages FINAL WHERE startsWith(conversation, 'g:') GROUP BY conversation
      ) AS m
      LEFT JOIN (
        SELECT conversation, argMaxIf(name, seq, name IS NOT NULL) AS name_ FROM ${source}.items
        WHERE kind IN ('created', 'groupSet') GROUP BY conversation
      ) AS n ON n.conversation = m.conversation
      LEFT JOIN (SELECT conversation, count() AS members_ FROM (${membersOf(source)}) GROUP BY conversation) AS b
        ON b.conversation = m.conversation
      ORDER BY messages DESC`,
  },
]

const perTime = (column: string, source: string): string =>
  `SELECT ${column}, ${KIND} AS kind, count() AS messages, uniqExact(sender) AS writers, uniqExact(conversation) AS conversations
    FROM ${source}.messages FINAL GROUP BY 1, kind ORDER BY 1, kind`

function membersOf(source: string): string {
  return `SELECT conversation, user, argMax(time, seq) AS since FROM ${source}.membership
    GROUP BY conversation, user HAVING argMax(joined, seq)`
}

/** Users who were active on a day: wrote, changed something, read or logged in. */
const userDays = ({ source, activity }: { source: string; activity: string }): string =>
  `SELECT day, user, what FROM ${source}.user_days UNION ALL SELECT toDate(login_at) AS day, user, 'login' AS what FROM ${activity}.logins`

function retention(from: { source: string; activity: string }, unit: 'day' | 'week'): string {
  const start = unit === 'day' ? 'toDate' : 'toMonday'
  return `SELECT cohort, ${unit}s_later, users, max(users) OVER (PARTITION BY cohort) AS cohort_users,
      round(100 * users / cohort_users, 1) AS percent
    FROM (
      SELECT ${start}(first_day) AS cohort, dateDiff('${unit}', cohort, ${start}(day)) AS ${unit}s_later, uniqExact(user) AS users
      FROM (SELECT user, day, min(day) OVER (PARTITION BY user) AS first_day FROM (SELECT DISTINCT user, day FROM (${userDays(from)})))
      GROUP BY cohort, ${unit}s_later
    ) ORDER BY cohort, ${unit}s_later`
}

const peopleViews: readonly AnalyticsView[] = [
  {
    name: 'active_users_per_day',
    about: 'who wrote a message, and who did or read anything or logged in, by day',
    sql: (
      from,
    ) => `SELECT day, uniqExactIf(user, what = 'message') AS writers, uniqExact(user) AS active_users
      FROM (${userDays(from)}) GROUP BY day ORDER BY day`,
  },
  {
    name: 'retention',
    about: 'of the users who were first active in a week, how many were active so many weeks later',
    sql: (from) => retention(from, 'week'),
  },
  { name: 'retention_by_day', about: 'the same by days', sql: (from) => retention(from, 'day') },
  {
    name: 'logins',
    about: 'login records: who, when, from where, with what, how it ended',
    sql: ({ activity }) => `SELECT * FROM ${activity}.login_records`,
  },
  {
    name: 'device_mix',
    about: 'logins and users by day, device type and transport',
    sql: ({
      activity,
    }) => `SELECT toDate(login_at) AS day, device_type, transport, count() AS logins, uniqExact(user) AS users
      FROM ${activity}.login_records GROUP BY day, device_type, transport ORDER BY day, logins DESC`,
  },
  {
    name: 'members',
    about: 'who is in which group now, and since when',
    sql: ({ source }) => membersOf(source),
  },
  {
    name: 'membership_changes',
    about: 'every join and leave',
    sql: ({ source }) => `SELECT conversation, user, seq, joined, time FROM ${source}.membership FINAL`,
  },
  {
    name: 'rejections',
    about: 'commands that were refused, with the code',
    // A restore writes them once more, under its own generation.
    sql: ({
      source,
    }) => `SELECT time, stream AS conversation, sender, device, pack_id, code FROM ${source}.events
      WHERE kind = 'rejection' LIMIT 1 BY stream, sender, pack_id, time`,
  },
  {
    name: 'rejections_per_day',
    about: 'the same counted by day and code',
    sql: ({
      source,
    }) => `SELECT toDate(time) AS day, code, uniqExact(stream, sender, pack_id, time) AS rejections, uniqExact(sender) AS senders
      FROM ${source}.events WHERE kind = 'rejection' GROUP BY day, code ORDER BY day, rejections DESC`,
  },
]

export const analyticsViews: readonly AnalyticsView[] = [...messageViews, ...peopleViews, ...ledgerViews]

const SUFFIX = '_analytics'
/** Of an archive whose first database is `base`. */
export const analyticsDatabaseOf = (base: string): string => base + SUFFIX

/**
 * Creates the database and its views, or points those that are there at another source: each is replaced by one statement, so that
 * who queries meanwhile sees the one or the other. The rights are those of whoever creates them: an analyst needs none on the tables.
 */
export async function createAnalyticsViews(
  clickhouse: { command(sql: string): Promise<void> },
  sourceDatabase: string,
  analyticsDatabase: string,
  /** Where the gateways' activity is: the archive's first database, whatever namespace is read. */
  activityDatabase: string = analyticsDatabase.endsWith(SUFFIX)
    ? analyticsDatabase.slice(0, -SUFFIX.length)
    : sourceDatabase,
): Promise<void> {
  await clickhouse.command(`CREATE DATABASE IF NOT EXISTS ${analyticsDatabase}`)
  const from = { source: sourceDatabase, activity: activityDatabase }
  for (const { name, sql } of analyticsViews)
    await clickhouse.command(
      `CREATE OR REPLACE VIEW ${analyticsDatabase}.${name} DEFINER = CURRENT_USER SQL SECURITY DEFINER AS ${sql(from)}`,
    )
}
