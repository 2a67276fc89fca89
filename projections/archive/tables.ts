/** Tables of the archive. Every release adds migrations and changes none, so that any older archive can be brought up to date. */
export interface Migration {
  readonly version: number
  readonly statements: readonly string[]
}

/** Retried inserts carry the same token; so many of them are remembered per table. */
const DEDUP = 'non_replicated_deduplication_window = 10000'

export const migrations: readonly Migration[] = [
  {
    version: 1,
    statements: [
      // Every accepted record, rejections and repeats included, with the payload as it stood in the log. One row per
      // (generation, partition, source): a row that a dying writer sent once more goes with the next merge, and
      // `events_once` never shows it.
      `CREATE TABLE IF NOT EXISTS events (
        generation UInt32,
        partition UInt32,
        source UInt64,
        offset UInt64,
        epoch Int64,
        kind LowCardinality(String),
        type LowCardinality(String),
        stream String CODEC(ZSTD),
        seq UInt64,
        ordinal UInt64,
        time DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
        sender String CODEC(ZSTD),
        device String CODEC(ZSTD),
        pack_id String,
        code LowCardinality(String),
        trace String,
        schema String CODEC(ZSTD),
        payload_base64 String EPHEMERAL,
        payload String DEFAULT base64Decode(payload_base64) CODEC(ZSTD),
        record_hash UInt64 DEFAULT reinterpretAsUInt64(substring(SHA256(concat(stream, ' ', toString(seq), ' ', payload)), 1, 8))
      ) ENGINE = ReplacingMergeTree ORDER BY (generation, partition, source) SETTINGS ${DEDUP}`,
      'CREATE VIEW IF NOT EXISTS events_once AS SELECT * FROM events LIMIT 1 BY generation, partition, source',
      // Every event of a stream as it was when it happened; what a history page is made of.
      `CREATE TABLE IF NOT EXISTS items (
        conversation String CODEC(ZSTD),
        seq UInt64,
        ordinal UInt64,
        kind LowCardinality(String),
        time_ms Int64 CODEC(Delta, ZSTD),
        sender String CODEC(ZSTD),
        pack_id String,
        content_type Nullable(String),
        content Nullable(String) CODEC(ZSTD),
        mentions Array(String),
        mention_all Bool,
        reply_to Nullable(UInt64),
        target_seq Nullable(UInt64),
        members Array(String) CODEC(ZSTD),
        name Nullable(String),
        read_conversation Nullable(String),
        read_seq Nullable(UInt64),
        read_ordinal Nullable(UInt64),
        INDEX by_pack_id pack_id TYPE bloom_filter(0.01) GRANULARITY 4
      ) ENGINE = ReplacingMergeTree ORDER BY (conversation, seq) SETTINGS index_granularity = 256, ${DEDUP}`,
      // Current version of every message; version = seq of the event that made it.
      `CREATE TABLE IF NOT EXISTS messages (
        conversation String CODEC(ZSTD),
        seq UInt64,
        version UInt64,
        ordinal UInt64,
        time DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
        sender String CODEC(ZSTD),
        pack_id String,
        recalled Bool,
        content_type Nullable(String),
        content Nullable(String) CODEC(ZSTD),
        mentions Array(String),
        mention_all Bool
      ) ENGINE = ReplacingMergeTree(version) ORDER BY (conversation, seq) SETTINGS index_granularity = 256, ${DEDUP}`,
      `CREATE TABLE IF NOT EXISTS changes (
        conversation String CODEC(ZSTD),
        seq UInt64,
        target_seq UInt64,
        kind LowCardinality(String),
        time DateTime64(3, 'UTC')
      ) ENGINE = ReplacingMergeTree ORDER BY (conversation, seq) SETTINGS index_granularity = 256, ${DEDUP}`,
      // One row per join and leave; intervals follow from them.
      `CREATE TABLE IF NOT EXISTS membership (
        user String,
        conversation String,
        seq UInt64,
        joined Bool,
        ordinal UInt64,
        time DateTime64(3, 'UTC')
      ) ENGINE = ReplacingMergeTree ORDER BY (user, conversation, seq) SETTINGS index_granularity = 256, ${DEDUP}`,
      `CREATE TABLE IF NOT EXISTS read_marks (
        user String,
        conversation String,
        version UInt64,
        seq UInt64,
        ordinal UInt64,
        time DateTime64(3, 'UTC')
      ) ENGINE = ReplacingMergeTree(version) ORDER BY (user, conversation) SETTINGS ${DEDUP}`,
    ],
  },
]

/** Columns that an insert into `events` names, as the ephemeral one must be named to be given. */
export const eventColumns = [
  'generation',
  'partition',
  'source',
  'offset',
  'epoch',
  'kind',
  'type',
  'stream',
  'seq',
  'ordinal',
  'time',
  'sender',
  'device',
  'pack_id',
  'code',
  'trace',
  'schema',
  'payload_base64',
] as const
