/**
 * Login records and the delivery ledger, batched to im.activity for the archive. Best effort: a log that does not answer holds up
 * no login, what is over the buffer is dropped and counted, and what may have been written is written again. Never a token.
 */
import { seal } from '../schemas/avro.ts'
import type { CodeName } from '../schemas/codes.ts'
import { limits } from '../schemas/limits.ts'
import type { Appender, Clock, Logger } from '../schemas/ports.ts'
import { type LoginRecord, records } from '../schemas/records.ts'
import { topics } from '../schemas/topics.ts'
import type { Connection } from './connections.ts'
import type { Counters } from './counters.ts'
import type { Ledger } from './ledger.ts'

export interface Activity {
  /** It has been let in. */
  connected(connection: Connection, heartbeatMs: number): void
  /** It is gone; of one that was never let in there is nothing to tell. */
  disconnected(connection: Connection, ended: CodeName | 'logout' | 'lost'): void
  /** Records that wait. */
  waiting(): number
  /** Writes what waits, as far as the log answers, and that this boot is over. */
  stop(): Promise<void>
}

export interface ActivityOptions {
  readonly appender: Pick<Appender, 'append'>
  readonly gatewayId: string
  readonly boot: string
  readonly ledger: Pick<Ledger, 'oneOf' | 'waiting' | 'dropped' | 'take' | 'written'>
  readonly counters: Counters
  readonly clock: Clock
  readonly log: Logger
}

const FLUSH_MS = 1_000

export function startActivity(options: ActivityOptions): Activity {
  const { appender, gatewayId: gateway, boot, ledger, counters, clock, log } = options
  const startedAt = clock.now()
  let waiting: LoginRecord[] = []
  let toldAt = Number.NEGATIVE_INFINITY
  let dropped = 0
  let silent = false
  let stopped = false
  let running: Promise<void> = Promise.resolve()
  let cancel = clock.after(FLUSH_MS, beat)

  function beat(): void {
    running = flush(false).finally(() => {
      if (!stopped) cancel = clock.after(FLUSH_MS, beat)
    })
  }

  function keep(record: LoginRecord): void {
    if (waiting.length < limits.activityBufferMax) waiting.push(record)
    else {
      dropped += 1
      counters.activityDropped += 1
    }
  }

  /** Everything that waits; without any, a sign of life from time to time, by which the archive knows who was lost. */
  async function flush(last: boolean): Promise<void> {
    const isDue = clock.now() - toldAt >= limits.activityAliveMs
    while (waiting.length > 0 || ledger.waiting() > 0 || isDue || last) {
      const logins = waiting.slice(0, limits.activityPerRecordMax)
      const now = clock.now()
      const { isAll, ...part } = ledger.take(now)
      const isLast = last && logins.length === waiting.length && isAll
      const value = seal(records.Activity, {
        gateway,
        boot,
        startedAt,
        time: now,
        stopped: isLast,
        dropped,
        logins,
        ...part,
        ledgerOneOf: ledger.oneOf(now),
        ledgerDropped: ledger.dropped(),
      })
      try {
        await appender.append(topics.activity, 0, { key: gateway, value })
      } catch (error) {
        if (!silent) log.warn({ err: error, waiting: waiting.length }, 'login records do not reach the log')
        silent = true
        return
      }
      if (silent) log.info({}, 'login records reach the log again')
      silent = false
      toldAt = now
      counters.activityWritten += logins.length
      waiting = waiting.slice(logins.length)
      ledger.written(part)
      if (waiting.length === 0 && ledger.waiting() === 0) return
    }
  }

  return {
    connected(connection, heartbeatMs) {
      const { user, entry, origin } = connection
      if (user === null || !entry) return
      connection.heartbeatMs = heartbeatMs
      keep(recordOf(connection, user, entry, origin))
    },
    disconnected(connection, ended) {
      const { user, entry, origin, heartbeatMs } = connection
      if (user === null || !entry || heartbeatMs === 0) return
      const endedAt = Math.max(clock.now(), entry.loginAt)
      keep({ ...recordOf(connection, user, entry, origin), ended, endedAt, livedMs: endedAt - entry.loginAt })
    },
    waiting: () => waiting.length,
    async stop() {
      stopped = true
      cancel()
      await running
      await flush(true)
    },
  }
}

function recordOf(
  { id: connection, heartbeatMs }: Connection,
  user: string,
  { deviceId, deviceType, loginAt }: NonNullable<Connection['entry']>,
  { address, transport }: Connection['origin'],
): LoginRecord {
  const open = { ended: null, endedAt: null, livedMs: null }
  return { user, deviceId, deviceType, connection, address, transport, loginAt, heartbeatMs, ...open }
}
