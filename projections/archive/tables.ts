/** Tables of the archive. Every release adds migrations and changes none, so that any older archive can be brought up to date. */
import { activityStatements, ledgerStatements, sampledStatements } from '../activity/tables.ts'
import { contentKeyStatements } from '../content-keys/mirror.ts'
import { schemaStatements } from './schemas.ts'

export interface Migration {
  readonly version: number
  readonly statements: readonly string[]
}

/** Retried inserts carry the same token; so many of them are remembered per table. */
const DEDUP = 'non_replicated_deduplication_window = 10000'

/**
 * What is searched of a content: the fields that people read, in one form for capitals and widths. Computed by ClickHouse, for rows of
 * older releases too, and anew where a mutation takes the content away. Never fails, whatever the content is.
 */
const SEARCHED_FIELDS = ['text', 'name', 'title', 'address']
export const SEARCH_TEXT = `lowerUTF8(normalizeUTF8NFKC(toValidUTF8(arrayStringConcat(arrayFilter(part -> part != '', [${SEARCHED_FIELDS.map(
  (field) => `JSONExtractString(ifNull(content, ''), '${field}')`,
).join(', ')}]), '\\n'))))`
/** Characters beyond ASCII, many of which are words of their own. A query finds the index by the exact text of this expression. */
export const WIDE_CHARACTERS = "extractAll(search_text, '[^\\\\x00-\\\\x7F]')"

const USER_DAYS = `SELECT DISTINCT toDate(fromUnixTimestamp64Milli(time_ms, 'UTC')) AS day,
        if(kind = 'message', 'message', 'other') AS what, sender AS user FROM items WHERE sender != ''`

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
  {
    version: 2,
    statements: [
      `ALTER TABLE items
        ADD COLUMN IF NOT EXISTS is_on Nullable(Bool),
        ADD COLUMN IF NOT EXISTS setting_key Nullable(String),
        ADD COLUMN IF NOT EXISTS value Nullable(String) CODEC(ZSTD),
        ADD COLUMN IF NOT EXISTS until_ms Nullable(Int64)`,
      // Pairs of characters find any part of two characters or more, in every script; the single ones are those that mean something
      // alone. `by_time` cuts a search down to the newest.
      `ALTER TABLE messages
        ADD COLUMN IF NOT EXISTS search_text String MATERIALIZED ${SEARCH_TEXT} CODEC(ZSTD),
        ADD INDEX IF NOT EXISTS by_text search_text TYPE text(tokenizer = ngrams(2)),
        ADD INDEX IF NOT EXISTS by_character ${WIDE_CHARACTERS} TYPE text(tokenizer = array),
        ADD INDEX IF NOT EXISTS by_time time TYPE minmax GRANULARITY 1`,
      'ALTER TABLE messages MATERIALIZE COLUMN search_text',
      'ALTER TABLE messages MATERIALIZE INDEX by_text',
      'ALTER TABLE messages MATERIALIZE INDEX by_character',
      'ALTER TABLE messages MATERIALIZE INDEX by_time',
      // One row per start and end of observing: those who observe are no members.
      `CREATE TABLE IF NOT EXISTS observing (
        user String,
        conversation String,
        seq UInt64,
        is_on Bool,
        ordinal UInt64,
        time DateTime64(3, 'UTC')
      ) ENGINE = ReplacingMergeTree ORDER BY (user, conversation, seq) SETTINGS ${DEDUP}`,
      // The single chats of each user, whose ids name both sides but are found by the first only.
      `CREATE TABLE IF NOT EXISTS single_chats (user String, conversation String)
        ENGINE = ReplacingMergeTree ORDER BY (user, conversation) SETTINGS ${DEDUP}`,
      `INSERT INTO single_chats SELECT DISTINCT arrayJoin([arrayElement(splitByChar(':', conversation), 2), arrayElement(splitByChar(':', conversation), 3)]), conversation
        FROM items WHERE startsWith(conversation, 'p2p:') AND seq = 1`,
      // Newest state per reaction.
      `CREATE TABLE IF NOT EXISTS reactions (
        conversation String CODEC(ZSTD),
        target_seq UInt64,
        emoji String,
        user String,
        seq UInt64,
        is_on Bool,
        time DateTime64(3, 'UTC')
      ) ENGINE = ReplacingMergeTree(seq) ORDER BY (conversation, target_seq, emoji, user) SETTINGS index_granularity = 256, ${DEDUP}`,
      // How far the log of each partition has been gone through for contents that are no longer kept.
      `CREATE TABLE IF NOT EXISTS purges (
        generation UInt32,
        partition UInt32,
        kind LowCardinality(String),
        policy LowCardinality(String),
        source Int64,
        time DateTime64(3, 'UTC') DEFAULT now64(3)
      ) ENGINE = ReplacingMergeTree(time) ORDER BY (generation, partition, kind, policy)`,
    ],
  },
  { version: 3, statements: activityStatements },
  {
    version: 4,
    statements: [
      ...ledgerStatements,
      // When the log took the record; `time` is that of its command.
      "ALTER TABLE events ADD COLUMN IF NOT EXISTS logged_at DateTime64(3, 'UTC') DEFAULT time CODEC(Delta, ZSTD)",
    ],
  },
  {
    version: 5,
    statements: [
      "ALTER TABLE items ADD COLUMN IF NOT EXISTS logged_at DateTime64(3, 'UTC') DEFAULT fromUnixTimestamp64Milli(time_ms, 'UTC') CODEC(Delta, ZSTD)",
      // Who did something on which day: a set, which an insert that is retried cannot make larger.
      `CREATE TABLE IF NOT EXISTS user_days (day Date, what LowCardinality(String), user String CODEC(ZSTD))
        ENGINE = ReplacingMergeTree ORDER BY (day, what, user) SETTINGS ${DEDUP}`,
      `CREATE MATERIALIZED VIEW IF NOT EXISTS user_days_of_items TO user_days AS ${USER_DAYS}`,
      `INSERT INTO user_days ${USER_DAYS}`,
    ],
  },
  { version: 6, statements: sampledStatements },
  { version: 7, statements: contentKeyStatements },
  { version: 8, statements: schemaStatements },
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
  'logged_at',
  'sender',
  'device',
  'pack_id',
  'code',
  'trace',
  'schema',
  'payload_base64',
] as const
