/** Where the past is read: in the archive, or in the log itself. Both give the same records in the same order. */
import { type Position, START } from '../../schemas/accept.ts'
import { parseStream, partitionOf } from '../../schemas/ids.ts'
import type { LogStore } from '../../schemas/ports.ts'
import { readRecord } from '../../schemas/read.ts'
import { topics } from '../../schemas/topics.ts'
import { archivedConversations, archivedEvents, archivedTimes, type Recorded } from '../archived.ts'
import type { ContentOpener } from '../content-keys/follower.ts'
import { openRecords } from '../content-keys/open.ts'
import type { ArchivePort } from '../ports.ts'
import { scan } from '../scan.ts'

export interface Past {
  /** Events of these streams with a broker time up to `until`, each stream's in the order of seqs. */
  events(streams: readonly string[], until: number, take: (record: Recorded) => void): Promise<void>
  /** Conversations that the user was in at some time up to `until`. */
  conversations(user: string, until: number): Promise<string[]>
  /** Broker times of the first and the last record; null: there is none. */
  times(): Promise<{ readonly first: number; readonly last: number } | null>
}

export const archivePast = (
  clickhouse: Pick<ArchivePort, 'query'>,
  opener: Pick<ContentOpener, 'openedAll'>,
): Past => ({
  events: (streams, until, take) =>
    archivedEvents(clickhouse, streams, until, async (records) => {
      for (const record of await openRecords(opener)(records)) take(record)
    }),
  conversations: (user) => archivedConversations(clickhouse, user),
  times: () => archivedTimes(clickhouse),
})

export interface LogPastOptions {
  readonly store: LogStore
  readonly partitions: number
  readonly opener: Pick<ContentOpener, 'openedAll'>
  readonly signal?: AbortSignal
  readonly progress?: (done: number, of: number) => void
}

/** Thrown to end a scan whose rest is not needed. */
const ENOUGH = Symbol('enough')

export function logPast({ store, partitions, opener, signal, progress }: LogPastOptions): Past {
  /** Accepted records of these partitions from the first on, up to the first one after `until` of each. */
  async function read(
    wanted: ReadonlySet<number>,
    until: number,
    take: (record: Recorded) => void,
    passed: (time: number) => void = () => {},
  ): Promise<void> {
    const positions = new Map<number, Position>()
    const open = new Set(wanted)
    let [done, all] = [0, 0]
    try {
      await scan({
        ...{ store, topic: topics.events, partitions, ...(signal ? { signal } : {}) },
        from(partition, { begin }) {
          if (begin > 0 && wanted.has(partition))
            throw new RangeError(
              `${topics.events}/${partition} begins at offset ${begin}: what came before is gone from the log. Ask the archive (without --from-log), or restore the topics from it (npm run restore)`,
            )
          return begin
        },
        until(partition, { begin, end }) {
          if (wanted.has(partition)) all += end
          else return begin
          return end
        },
        async take(partition, records) {
          let at = positions.get(partition) ?? START
          const found: Recorded[] = []
          for (const record of records) {
            if (!open.has(partition)) break
            const { verdict, envelope, payload, next } = readRecord(at, record)
            at = next
            if (verdict === 'missed-claim')
              throw new RangeError(
                `${topics.events}/${partition} is not whole at offset ${record.offset}: run npm run verify`,
              )
            if (verdict !== 'accept' || !envelope) continue
            if (envelope.time > until) {
              open.delete(partition)
              passed(envelope.time)
            } else found.push({ partition, offset: record.offset, envelope, payload })
          }
          positions.set(partition, at)
          for (const record of await openRecords(opener)(found)) take(record)
          done += records.length
          progress?.(done, all)
          if (open.size === 0) throw ENOUGH
        },
      })
    } catch (err) {
      if (err !== ENOUGH) throw err
    }
  }
  const everywhere = new Set(Array.from({ length: partitions }, (_, partition) => partition))

  return {
    async events(streams, until, take) {
      const wanted = new Set(streams)
      const where = new Set(streams.map((stream) => partitionOf(stream, partitions)))
      await read(where, until, (record) => {
        const { kind, stream } = record.envelope
        if (kind === 'event' && wanted.has(stream)) take(record)
      })
    },
    async conversations(user, until) {
      const found = new Set<string>()
      await read(everywhere, until, ({ envelope: { kind, stream }, payload }) => {
        if (kind !== 'event' || found.has(stream)) return
        const ref = parseStream(stream)
        if (ref?.kind === 'p2p' ? ref.users.includes(user) : payload && lets(payload, user)) found.add(stream)
      })
      return [...found].sort()
    },
    async times() {
      let first = Number.POSITIVE_INFINITY
      await read(
        everywhere,
        -1,
        () => {},
        (time) => {
          first = Math.min(first, time)
        },
      )
      return first === Number.POSITIVE_INFINITY ? null : { first, last: Number.POSITIVE_INFINITY }
    },
  }
}

function lets(payload: NonNullable<Recorded['payload']>, user: string): boolean {
  switch (payload.type) {
    case 'GroupCreated':
    case 'MembersAdded':
      return payload.members.includes(user)
    case 'JoinAnswered':
      return payload.accept && payload.user === user
    default:
      return false
  }
}
