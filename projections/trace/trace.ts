/** The whole way of one message, put together from the topics, the archive and the delivery ledger. Contents are never in it. */
import { openCommand, openEnvelope } from '../../schemas/codec.ts'
import { SEAL_BYTES } from '../../schemas/content-keys.ts'
import { formatPackId, packIdTime, parsePackId } from '../../schemas/ids.ts'
import type { Clock, LogRecord, LogStore } from '../../schemas/ports.ts'
import type { ReplyAddress } from '../../schemas/records.ts'
import { topics } from '../../schemas/topics.ts'
import { archivedByPackId, type Recorded } from '../archived.ts'
import type { ArchivePort } from '../ports.ts'
import { scan } from '../scan.ts'
import { recordHash, text64 } from '../verify/fingerprints.ts'
import { type Change, type Ledger, readChanges, readLedger } from './ledger.ts'

type Query = Pick<ArchivePort, 'query'>

export interface TraceOptions {
  readonly store: LogStore
  readonly clickhouse: Query
  /** Where the ledger stands. */
  readonly shared: Query
  readonly partitions: number
  readonly clock: Pick<Clock, 'now'>
  readonly signal?: AbortSignal
  readonly progress?: (what: string, done: number, of: number) => void
}

export interface CommandTrace {
  readonly partition: number
  readonly offset: number
  /** Of the broker, in ms. */
  readonly time: number
  readonly bytes: number
  readonly device: string
  readonly sender: string
  readonly stream: string
  readonly trace: string | null
  readonly reply: ReplyAddress | null
}

export interface RecordTrace {
  readonly partition: number
  readonly offset: number
  /** Broker time of the record itself; null where the log no longer holds it. */
  readonly appended: number | null
  readonly generation: number
  readonly epoch: number
  readonly source: number
  readonly stream: string
  readonly seq: number
  readonly ordinal: number
  /** Broker time of the command. */
  readonly time: number
  readonly kind: string
  readonly type: string
  readonly code: string | null
  readonly sender: string
  /** Of the content; what it says is nobody's business here. */
  readonly content: string | null
  /** As it stands in the archive; null: it does not. */
  readonly archived: 'same bytes' | 'other bytes' | 'not compared' | null
}

export interface Trace {
  readonly packId: string
  /** In its first 48 bits: when the client made it, in server time. */
  readonly madeAt: number
  /** One way per answer: the first, and of each time that it was sent again. */
  readonly ways: readonly { readonly command: CommandTrace | null; readonly record: RecordTrace }[]
  /** Commands that nobody has answered (yet). */
  readonly open: readonly CommandTrace[]
  readonly changes: readonly Change[]
  readonly ledger: Ledger | null
}

/** Rejects with a RangeError that says where was looked. */
export async function traceOf(options: TraceOptions, text: string): Promise<Trace> {
  const packId = parsePackId(text.toLowerCase())
  if (packId === null)
    throw new RangeError(
      `'${text}' is no packId: a UUID of version 7, as 0192f0c1-2b3a-7c4d-8e5f-0123456789ab`,
    )
  const archived = await archivedByPackId(options.clickhouse, formatPackId(packId))
  const ways: Trace['ways'][number][] = []
  for (const found of archived) ways.push(await wayOf(options, found))
  const open = archived.length > 0 ? [] : await unarchived(options, packId, ways)
  if (ways.length === 0 && open.length === 0) throw new RangeError(await lookedAt(options, packId))
  const message = ways.find(({ record }) => record.kind === 'event')?.record
  return {
    ...{ packId: formatPackId(packId), madeAt: packIdTime(packId), ways, open },
    changes: message ? await readChanges(options.clickhouse, message.stream, message.seq) : [],
    ledger: message ? await readLedger(options.shared, message.stream, message.seq) : null,
  }
}

async function wayOf(options: TraceOptions, found: Recorded): Promise<Trace['ways'][number]> {
  const { envelope, partition, offset } = found
  const record = await recordAt(options, topics.events, partition, offset)
  const command = await recordAt(options, topics.commands, partition, envelope.source)
  const asked = command && commandIn(command, partition)
  const { payload } = found
  // Of another generation, or kept no longer.
  const isOfIt = asked && payload && payload.type !== 'Claim' && asked.packId.equals(payload.packId)
  return {
    command: isOfIt ? asked.command : null,
    record: { ...recordOf(found), ...compared(found, record) },
  }
}

/** The log's own copy, beside that of the archive. */
function compared({ envelope: archived }: Recorded, record: LogRecord | null) {
  try {
    if (!record?.value) return { appended: null, archived: 'not compared' as const }
    const logged = openEnvelope(record.value)
    const hash = (of: Pick<typeof logged, 'stream' | 'seq' | 'payload'>) => {
      const { high, low } = recordHash(of.stream, of.seq, of.payload)
      return text64(high, low)
    }
    const isOther = logged.source !== archived.source || logged.generation !== archived.generation
    if (isOther) return { appended: null, archived: 'not compared' as const }
    const same = hash(logged) === hash(archived)
    return { appended: record.timestamp, archived: same ? ('same bytes' as const) : ('other bytes' as const) }
  } catch {
    return { appended: record?.timestamp ?? null, archived: 'other bytes' as const }
  }
}

function recordOf({ partition, offset, envelope, payload }: Recorded): RecordTrace {
  const { generation, epoch, source, stream, seq, ordinal, time, kind } = envelope
  const origin = payload && payload.type !== 'Claim' ? payload : null
  return {
    ...{ partition, offset, generation, epoch, source, stream, seq, ordinal, time, kind },
    ...{ appended: null, archived: null, type: payload?.type ?? 'of a later release' },
    code: payload?.type === 'Rejection' || payload?.type === 'Repeat' ? payload.code : null,
    sender: origin?.sender ?? '',
    content:
      payload && 'content' in payload
        ? `${payload.contentType}, ${payload.content.length - (payload.keyId === null ? 0 : SEAL_BYTES)} bytes${payload.keyId === null ? '' : ', sealed'}`
        : null,
  }
}

function commandIn(record: LogRecord, partition: number): { packId: Buffer; command: CommandTrace } | null {
  try {
    if (!record.value) return null
    const { packId, stream, sender, device, trace, reply } = openCommand(record.value)
    return {
      packId,
      command: {
        ...{ partition, offset: record.offset, time: record.timestamp, bytes: record.value.length },
        ...{ stream, sender, device, reply, trace: trace?.toString('hex') ?? null },
      },
    }
  } catch {
    return null
  }
}

/** Null where it is not kept (any more). */
async function recordAt(
  { store, partitions, signal }: TraceOptions,
  topic: string,
  partition: number,
  offset: number,
): Promise<LogRecord | null> {
  let found: LogRecord | null = null
  await scan({
    ...{ store, topic, partitions, ...(signal ? { signal } : {}) },
    from: (of, { begin, end }) => (of === partition && offset >= begin && offset < end ? offset : end),
    until: (of, { begin, end }) => (of === partition && offset >= begin && offset < end ? offset + 1 : end),
    take(_partition, records) {
      found = records.find((record) => record.offset === offset) ?? found
    },
  })
  return found
}

/** Not in the archive: looks through all commands that are kept, and through the log behind what is archived. */
async function unarchived(
  { store, clickhouse, partitions, signal, progress }: TraceOptions,
  packId: Buffer,
  ways: { command: CommandTrace | null; record: RecordTrace }[],
): Promise<CommandTrace[]> {
  const commands = new Map<string, CommandTrace>()
  let [done, all] = [0, 0]
  const scanning = { store, partitions, ...(signal ? { signal } : {}) }
  await scan({
    ...{ ...scanning, topic: topics.commands },
    until(_partition, { begin, end }) {
      all += end - begin
      return end
    },
    take(partition, records) {
      done += records.length
      progress?.('looking through the commands', done, all)
      for (const record of records) {
        if (!record.value?.includes(packId)) continue
        const found = commandIn(record, partition)
        if (found?.packId.equals(packId)) commands.set(`${partition}/${record.offset}`, found.command)
      }
    },
  })
  if (commands.size === 0) return []
  const rows = await clickhouse.query<{ partition: number; next: string }>(
    'SELECT partition, toString(argMax(offset, (generation, source)) + 1) AS next FROM events GROUP BY partition',
  )
  const archivedTo = new Map(rows.map((row) => [Number(row.partition), Number(row.next)]))
  await scan({
    ...{ ...scanning, topic: topics.events },
    from: (partition, { begin, end }) => Math.min(end, Math.max(begin, archivedTo.get(partition) ?? begin)),
    take(partition, records) {
      for (const record of records) {
        if (!record.value?.includes(packId)) continue
        const envelope = openEnvelope(record.value)
        const command = commands.get(`${partition}/${envelope.source}`) ?? null
        commands.delete(`${partition}/${envelope.source}`)
        const recorded = { partition, offset: record.offset, envelope, payload: null }
        ways.push({
          command,
          record: { ...recordOf(recorded), type: envelope.kind, appended: record.timestamp },
        })
      }
    },
  })
  return [...commands.values()]
}

async function lookedAt({ store, clickhouse, partitions }: TraceOptions, packId: Buffer): Promise<string> {
  const admin = await store.admin()
  let kept = 0
  try {
    for (let partition = 0; partition < partitions; partition++) {
      const { begin, end } = await admin.range(topics.commands, partition)
      kept += end - begin
    }
  } finally {
    await admin.close()
  }
  const [row] = await clickhouse.query<{ n: string }>('SELECT toString(count()) AS n FROM events')
  const made = new Date(packIdTime(packId)).toISOString()
  return `no message has packId ${formatPackId(packId)} (made ${made}): looked at the ${row?.n ?? 0} records of the archive and the ${kept} commands that ${topics.commands} keeps. A command that a gateway refused itself never came to the log`
}
