/**
 * Views over the delivery ledger: the way of each message, how long it took, and whether it came in time. A row stands for `one_of` of its
 * kind, so rows are never counted but weighed: gateways take samples, each its own, and change them as the load does.
 */
import type { AnalyticsView } from './views.ts'

/** Default limit of the timeliness rate. */
const LIMIT_MS = 1_000

/** One row per message and device, with all times of its way. What was not seen is null. `of`: a condition that each of the tables is asked for. */
function ledger({ source, activity }: { source: string; activity: string }, of = 'true'): string {
  return `SELECT p.conversation AS conversation, p.seq AS seq, s.pack_id AS pack_id, s.sender AS sender, p.user AS user, p.device_id AS device_id,
      p.device_type AS device_type, p.transport AS transport, p.gateway AS gateway, s.received_at AS received_at,
      s.accepted_at AS accepted_at, p.time AS time, i.logged_at AS logged_at, p.fanned_at AS fanned_at, p.pushed_at AS pushed_at,
      p.acked_at AS acked_at, s.committed_at AS told_sender_at, p.resends AS resends, p.ended AS ended,
      p.one_of AS one_of, s.one_of AS sent_one_of
    FROM (SELECT * FROM ${activity}.ledger_pushes FINAL WHERE ${of}) AS p
    LEFT ANY JOIN (
      SELECT conversation, seq, toNullable(pack_id) AS pack_id, toNullable(sender) AS sender, toNullable(received_at) AS received_at,
        toNullable(accepted_at) AS accepted_at, toNullable(committed_at) AS committed_at, one_of FROM ${activity}.ledger_sends WHERE ${of}
    ) AS s ON s.conversation = p.conversation AND s.seq = p.seq
    LEFT ANY JOIN (
      SELECT conversation, seq, toNullable(logged_at) AS logged_at FROM ${source}.items WHERE ${of}
    ) AS i ON i.conversation = p.conversation AND i.seq = p.seq`
}

const msBetween = (from: string, to: string): string => `dateDiff('millisecond', ${from}, ${to})`
/** Clocks of two machines are compared: what would be less than nothing is nothing. Not by `greatest`, which makes 0 of what is not known. */
const msOf = (from: string, to: string): string => `if(${msBetween(from, to)} < 0, 0, ${msBetween(from, to)})`

/** In the order of the way. The first one is known where both gateways have the message: the smaller sample lies within the larger. */
const HOPS = [
  ['1 client to log', 'received_at', 'accepted_at', 'greatest(one_of, sent_one_of)'],
  ['2 log to event', 'time', 'logged_at', 'one_of'],
  ['3 event to fan-out', 'logged_at', 'fanned_at', 'one_of'],
  ['4 fan-out to push', 'fanned_at', 'pushed_at', 'one_of'],
  ['5 push to ack', 'pushed_at', 'acked_at', 'one_of'],
] as const

/** `limit`: SQL of a number of ms. */
const timeliness = (activity: string, limit: string): string =>
  `SELECT toStartOfHour(time) AS hour, device_type, transport, gateway, sum(one_of) AS pairs,
      sumIf(one_of, ifNull(${msBetween('time', 'acked_at')} <= ${limit}, false)) AS in_time, sumIf(one_of, acked_at IS NULL) AS unacked,
      pairs - in_time - unacked AS late, round(100 * in_time / pairs, 3) AS percent_in_time
    FROM ${activity}.ledger_pushes FINAL GROUP BY hour, device_type, transport, gateway ORDER BY hour, device_type, transport, gateway`

const quantiles = (ms: string, weight: string, as: string): string =>
  ['0.5', '0.9', '0.99']
    .map((level) => `quantileTimingWeighted(${level})(${ms}, ${weight}) AS ${as}_p${Number(level) * 100}_ms`)
    .join(', ')

export const ledgerViews: readonly AnalyticsView[] = [
  {
    name: 'ledger',
    about: 'the way of each message to each device, with the time at every hop',
    sql: (from) => ledger(from),
  },
  {
    name: 'ledger_of',
    about: 'the same of one message, found at once: `ledger_of(conversation = …, seq = …)`',
    sql: (from) => ledger(from, 'conversation = {conversation:String} AND seq = {seq:UInt64}'),
  },
  {
    name: 'delivery_latency',
    about: 'from the broker time to the push and to the ack, by hour, device type, transport and gateway',
    sql: ({
      activity,
    }) => `SELECT toStartOfHour(time) AS hour, device_type, transport, gateway, sum(one_of) AS pushes,
        ${quantiles(msOf('time', 'pushed_at'), 'one_of', 'pushed')}, ${quantiles(msOf('time', 'acked_at'), 'one_of', 'acked')},
        max(${msOf('time', 'acked_at')}) AS acked_max_ms
      FROM ${activity}.ledger_pushes FINAL GROUP BY hour, device_type, transport, gateway ORDER BY hour, device_type, transport, gateway`,
  },
  {
    name: 'hop_latency',
    about: 'how long each hop took, by hour; counted per push',
    sql: (
      from,
    ) => `SELECT toStartOfHour(time) AS hour, hop, sum(weight) AS pushes, ${quantiles('ms', 'weight', 'took')}, max(ms) AS took_max_ms
      FROM (
        SELECT time, arrayJoin([${HOPS.map(([hop, a, b, weight]) => `('${hop}', ${msOf(a, b)}, ${weight})`).join(', ')}]) AS pair, pair.1 AS hop, pair.2 AS ms, pair.3 AS weight
        FROM (${ledger(from)})
      ) WHERE ms IS NOT NULL GROUP BY hour, hop ORDER BY hour, hop`,
  },
  {
    name: 'timeliness',
    about: `the share of (message, online device) pairs acknowledged within ${LIMIT_MS} ms of the broker time; unacknowledged = late`,
    sql: ({ activity }) => timeliness(activity, String(LIMIT_MS)),
  },
  {
    name: 'timeliness_within',
    about: 'the same for another limit: `timeliness_within(limit_ms = 200)`',
    sql: ({ activity }) => timeliness(activity, '{limit_ms:UInt32}'),
  },
  {
    name: 'late_by_hop',
    about:
      'where the late ones lost most of their time, by hour; messages and devices as far as the ledger holds them',
    sql: (
      from,
    ) => `SELECT toStartOfHour(time) AS hour, if(acked_at IS NULL, '6 never acknowledged', slowest.2) AS hop, sum(one_of) AS pairs,
        uniqExact(conversation, seq) AS messages, uniqExact(device_id) AS devices
      FROM (
        SELECT *, arrayMax([${HOPS.slice(1)
          .map(([hop, a, b]) => `(ifNull(${msOf(a, b)}, 0), '${hop}')`)
          .join(', ')}]) AS slowest
        FROM (${ledger(from)})
      ) WHERE acked_at IS NULL OR ${msBetween('time', 'acked_at')} > ${LIMIT_MS} GROUP BY hour, hop ORDER BY hour, hop`,
  },
  {
    name: 'ledger_coverage',
    about:
      'what the ledger is of: one message in so many, now and at the most, its rows, the pushes that they stand for, and rows that a gateway dropped',
    sql: ({
      activity,
    }) => `SELECT b.gateway AS gateway, b.boot AS boot, b.one_in AS one_message_in, p.most AS one_message_in_most, p.kept AS rows, p.stood_for AS pushes,
        b.dropped AS rows_dropped, b.first_at AS first_seen_at, b.last_at AS last_seen_at
      FROM (
        SELECT gateway, boot, argMax(ledger_one_of, seen_at) AS one_in, max(ledger_dropped) AS dropped, min(started_at) AS first_at, max(seen_at) AS last_at
        FROM ${activity}.gateway_boots GROUP BY gateway, boot
      ) AS b
      LEFT ANY JOIN (
        SELECT gateway, boot, max(one_of) AS most, count() AS kept, sum(one_of) AS stood_for FROM ${activity}.ledger_pushes FINAL GROUP BY gateway, boot
      ) AS p ON p.gateway = b.gateway AND p.boot = b.boot ORDER BY first_seen_at`,
  },
]
