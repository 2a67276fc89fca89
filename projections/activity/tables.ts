/** Tables of login records and of the delivery ledger; migrations of the archive's. */
import { limits } from '../../schemas/limits.ts'

const DEDUP = 'non_replicated_deduplication_window = 10000'
/** A gateway that said nothing for so long was lost, though it never came back. */
const SILENT_SEC = (3 * limits.activityAliveMs) / 1_000

export const activityStatements: readonly string[] = [
  // A row when a connection was let in and one, of a higher version, when it ended; both say everything, so that either may be missing.
  `CREATE TABLE IF NOT EXISTS logins (
    user String CODEC(ZSTD),
    login_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    connection String CODEC(ZSTD),
    version UInt8,
    device_id String CODEC(ZSTD),
    device_type LowCardinality(String),
    gateway LowCardinality(String),
    boot LowCardinality(String),
    address String CODEC(ZSTD),
    transport LowCardinality(String),
    heartbeat_ms UInt32,
    ended LowCardinality(String),
    ended_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    lived_ms UInt64
  ) ENGINE = ReplacingMergeTree(version) ORDER BY (user, login_at, connection) SETTINGS ${DEDUP}`,
  `CREATE TABLE IF NOT EXISTS gateway_boots (
    gateway LowCardinality(String),
    boot String,
    started_at DateTime64(3, 'UTC'),
    seen_at DateTime64(3, 'UTC'),
    stopped Bool,
    dropped UInt64
  ) ENGINE = ReplacingMergeTree(seen_at) ORDER BY (gateway, boot) SETTINGS ${DEDUP}`,
  // Inserted last: what stands in the log behind it is read again.
  `CREATE TABLE IF NOT EXISTS activity_positions (
    generation UInt32,
    partition UInt32,
    offset UInt64
  ) ENGINE = ReplacingMergeTree(offset) ORDER BY (generation, partition) SETTINGS ${DEDUP}`,
  // One row per login. What had not ended when its gateway was killed ended with it: a later process has its id, or it fell silent.
  `CREATE VIEW IF NOT EXISTS login_records AS
    SELECT user, login_at, connection, device_id, device_type, gateway, boot, address, transport, heartbeat_ms,
      multiIf(l.ended_ != '', l.ended_, is_gone, 'gateway_lost', '') AS ended,
      multiIf(l.ended_ != '', toNullable(l.ended_at_), is_gone, toNullable(greatest(b.seen_, login_at)), NULL) AS ended_at,
      multiIf(l.ended_ != '', toNullable(l.lived_ms_), is_gone,
        toNullable(toUInt64(greatest(0, dateDiff('millisecond', login_at, b.seen_)))), NULL) AS lived_ms
    FROM (
      SELECT user, login_at, connection, any(device_id) AS device_id, any(device_type) AS device_type, any(gateway) AS gateway,
        any(boot) AS boot, any(address) AS address, any(transport) AS transport, any(heartbeat_ms) AS heartbeat_ms,
        argMax(ended, version) AS ended_, argMax(ended_at, version) AS ended_at_, argMax(lived_ms, version) AS lived_ms_
      FROM logins GROUP BY user, login_at, connection
    ) AS l
    LEFT JOIN (
      SELECT gateway, boot, seen_, (stopped_ OR boot != max(boot) OVER (PARTITION BY gateway) OR seen_ < now64(3) - ${SILENT_SEC}) AS is_gone
      FROM (
        SELECT gateway, boot, max(seen_at) AS seen_, max(stopped) AS stopped_ FROM gateway_boots GROUP BY gateway, boot
      )
    ) AS b ON b.gateway = l.gateway AND b.boot = l.boot`,
]

/** Of these there is one for all namespaces of the archive, in its first database. */
export const sharedTables: readonly string[] = [
  'logins',
  'gateway_boots',
  'ledger_pushes',
  'ledger_sends',
  'activity_positions',
  'content_keys',
  'schemas',
]

const TIME = "DateTime64(3, 'UTC') CODEC(Delta, ZSTD)"

export const ledgerStatements: readonly string[] = [
  // A row for each device that a message was pushed to. A device that had it on two connections has the row of the better one, by
  // `rank`: acknowledged before not, sooner before later; so what is read twice is there once.
  `CREATE TABLE IF NOT EXISTS ledger_pushes (
    conversation String CODEC(ZSTD),
    seq UInt64 CODEC(Delta, ZSTD),
    user String CODEC(ZSTD),
    device_id String CODEC(ZSTD),
    rank Int64 CODEC(Delta, ZSTD),
    device_type LowCardinality(String),
    transport LowCardinality(String),
    connection String CODEC(ZSTD),
    gateway LowCardinality(String),
    boot LowCardinality(String),
    time ${TIME},
    fanned_at ${TIME},
    pushed_at ${TIME},
    acked_at Nullable(DateTime64(3, 'UTC')) CODEC(ZSTD),
    ended LowCardinality(String),
    resends UInt8
  ) ENGINE = ReplacingMergeTree(rank) PARTITION BY toMonday(time) ORDER BY (conversation, seq, user, device_id) SETTINGS ${DEDUP}`,
  // A row for each message: what its sender's gateway saw.
  `CREATE TABLE IF NOT EXISTS ledger_sends (
    conversation String CODEC(ZSTD),
    seq UInt64 CODEC(Delta, ZSTD),
    pack_id String,
    sender String CODEC(ZSTD),
    device_id String CODEC(ZSTD),
    device_type LowCardinality(String),
    transport LowCardinality(String),
    connection String CODEC(ZSTD),
    gateway LowCardinality(String),
    boot LowCardinality(String),
    time ${TIME},
    received_at ${TIME},
    accepted_at ${TIME},
    committed_at ${TIME}
  ) ENGINE = ReplacingMergeTree PARTITION BY toMonday(time) ORDER BY (conversation, seq) SETTINGS ${DEDUP}`,
  `ALTER TABLE gateway_boots
    ADD COLUMN IF NOT EXISTS ledger_one_of UInt32,
    ADD COLUMN IF NOT EXISTS ledger_dropped UInt64`,
]

/** Each row stands for so many of its kind. Rows of before said nothing: they stand for themselves. */
export const sampledStatements: readonly string[] = ['ledger_pushes', 'ledger_sends'].map(
  (table) => `ALTER TABLE ${table} ADD COLUMN IF NOT EXISTS one_of UInt32 DEFAULT 1`,
)
