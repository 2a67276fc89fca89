/**
 * The archive's `events` as the source of a restore: what there is of each partition, page by page, and what is wrong with
 * it.
 */
import type { ArchivePort } from '../ports.ts'
import type { ArchivedRecord } from './restamp.ts'

/** What the archive holds of one partition in one generation. */
export interface Stretch {
  readonly generation: number
  readonly partition: number
  readonly records: number
  readonly first: number
  readonly last: number
  /** Of the payloads. */
  readonly bytes: number
  /** Time of the newest record, in ms. */
  readonly time: number
  /** All of `record_hash`, by exclusive or. */
  readonly xor: bigint
}

/** Records of one partition, in order over all its generations. */
export interface PageAfter {
  readonly generation: number
  readonly source: number
}

export interface Archive {
  /** By generation and partition. */
  stretches(): Promise<Stretch[]>
  page(partition: number, after: PageAfter, max: number): Promise<ArchivedRecord[]>
  /** One line each; empty: nothing is missing, doubled or changed. `looked`: told after each stretch. */
  faults(stretches: readonly Stretch[], looked?: (stretches: number) => void): Promise<string[]>
}

const FAULTS_SHOWN_MAX = 10
const HASH = "reinterpretAsUInt64(substring(SHA256(concat(stream, ' ', toString(seq), ' ', payload)), 1, 8))"

interface Row {
  readonly generation: number
  readonly source_: string
  readonly kind: ArchivedRecord['kind']
  readonly stream: string
  readonly seq_: string
  readonly ordinal_: string
  readonly time_: string
  readonly trace: string
  readonly schema: string
  readonly payload_: string
}

export function archiveIn(clickhouse: Pick<ArchivePort, 'query'>): Archive {
  const recordOf =
    (partition: number) =>
    (row: Row): ArchivedRecord => ({
      generation: Number(row.generation),
      partition,
      source: Number(row.source_),
      kind: row.kind,
      stream: row.stream,
      seq: Number(row.seq_),
      ordinal: Number(row.ordinal_),
      time: Number(row.time_),
      trace: row.trace === '' ? null : Buffer.from(row.trace, 'hex'),
      schema: Buffer.from(row.schema, 'hex'),
      payload: Buffer.from(row.payload_, 'base64'),
    })

  return {
    async stretches() {
      const rows = await clickhouse.query<Record<string, string>>(
        `SELECT toString(generation) AS generation_, toString(partition) AS partition_, toString(count()) AS records,
           toString(min(source)) AS first, toString(max(source)) AS last, toString(sum(length(payload))) AS bytes,
           toString(max(toUnixTimestamp64Milli(time))) AS newest,
           toString(groupBitXor(record_hash)) AS xor
         FROM events FINAL GROUP BY generation, partition ORDER BY generation, partition`,
      )
      return rows.map((row) => ({
        generation: Number(row.generation_),
        partition: Number(row.partition_),
        records: Number(row.records),
        first: Number(row.first),
        last: Number(row.last),
        bytes: Number(row.bytes),
        time: Number(row.newest),
        xor: BigInt(row.xor ?? 0),
      }))
    },

    async page(partition, { generation, source }, max) {
      const rows = await clickhouse.query<Row>(
        `SELECT generation, toString(source) AS source_, kind, stream, toString(seq) AS seq_, toString(ordinal) AS ordinal_,
           toString(toUnixTimestamp64Milli(time)) AS time_, trace, schema, base64Encode(payload) AS payload_
         FROM events
         WHERE generation = {generation:UInt32} AND partition = {partition:UInt32} AND source > {source:Int64}
         ORDER BY generation, partition, source LIMIT 1 BY generation, partition, source LIMIT {max:UInt32}`,
        { generation, partition, source, max },
      )
      return rows.map(recordOf(partition))
    },

    async faults(stretches, looked) {
      const found: string[] = []
      let done = 0
      const oldest = Math.min(...stretches.map(({ generation }) => generation))
      for (const stretch of stretches) {
        const { generation, partition, first, last, records } = stretch
        if (generation === oldest && first > 0)
          found.push(`${placeOf(stretch)}: sources 0 to ${first - 1} are missing`)
        if (records < last - first + 1) found.push(...(await holesOf(generation, partition)))
        found.push(...(await changedIn(generation, partition)))
        looked?.(++done)
      }
      for (const partition of new Set(stretches.map((one) => one.partition)))
        found.push(...(await brokenStreamsOf(partition)))
      return found
    },
  }

  async function holesOf(generation: number, partition: number): Promise<string[]> {
    const rows = await clickhouse.query<Record<'from_' | 'to_' | 'before_' | 'after_', string>>(
      `SELECT toString(before + 1) AS from_, toString(source - 1) AS to_, toString(time_before) AS before_, toString(time) AS after_
       FROM (
         SELECT source, time, lagInFrame(source, 1, source) OVER w AS before, lagInFrame(time, 1, time) OVER w AS time_before
         FROM events FINAL WHERE generation = {generation:UInt32} AND partition = {partition:UInt32}
         WINDOW w AS (ORDER BY source ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
       ) WHERE source > before + 1 ORDER BY source LIMIT {max:UInt32}`,
      { generation, partition, max: FAULTS_SHOWN_MAX },
    )
    return rows.map(
      ({ from_, to_, before_, after_ }) =>
        `${placeOf({ generation, partition })}: sources ${from_} to ${to_} are missing, between ${before_} and ${after_} UTC`,
    )
  }

  /** Bytes that are not those that were inserted. */
  async function changedIn(generation: number, partition: number): Promise<string[]> {
    const rows = await clickhouse.query<Record<'source_' | 'stream', string>>(
      `SELECT toString(source) AS source_, stream FROM events FINAL
       WHERE generation = {generation:UInt32} AND partition = {partition:UInt32} AND record_hash != ${HASH} LIMIT {max:UInt32}`,
      { generation, partition, max: FAULTS_SHOWN_MAX },
    )
    return rows.map(
      ({ source_, stream }) =>
        `${placeOf({ generation, partition })}, source ${source_} (${stream}): its bytes have changed since they were archived`,
    )
  }

  /** Streams whose seqs are not 1, 2, 3 and so on, each once. A stream is in one partition, whatever the generation. */
  async function brokenStreamsOf(partition: number): Promise<string[]> {
    const rows = await clickhouse.query<Record<'stream' | 'n' | 'first' | 'last', string>>(
      `SELECT stream, toString(count()) AS n, toString(min(seq)) AS first, toString(max(seq)) AS last FROM events FINAL
       WHERE partition = {partition:UInt32} AND kind = 'event' GROUP BY stream
       HAVING min(seq) != 1 OR count() != max(seq) OR sum(seq) != intDiv(max(seq) * (max(seq) + 1), 2)
       ORDER BY stream LIMIT {max:UInt32}`,
      { partition, max: FAULTS_SHOWN_MAX },
    )
    return rows.map(
      ({ stream, n, first, last }) => `${stream}: ${n} events with seqs from ${first} to ${last}`,
    )
  }
}

const placeOf = ({ generation, partition }: Pick<Stretch, 'generation' | 'partition'>): string =>
  `generation ${generation}, partition ${partition}`
