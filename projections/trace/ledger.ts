/** What came of a message after it was recorded: changes of it, and how it was delivered to each device. */
import { Fault } from '../../schemas/ports.ts'
import type { ArchivePort } from '../ports.ts'

type Query = Pick<ArchivePort, 'query'>

export interface Change {
  readonly seq: number
  readonly kind: string
  readonly by: string
  readonly time: number
}

export interface Delivered {
  readonly user: string
  readonly device: string
  readonly deviceType: string
  readonly transport: string
  readonly gateway: string
  readonly connection: string
  /** Broker times and those of gateways, in ms. */
  readonly fannedAt: number
  readonly pushedAt: number
  /** Null: not acknowledged. */
  readonly ackedAt: number | null
  readonly ended: string
  readonly resends: number
}

export interface Ledger {
  readonly sent: {
    readonly gateway: string
    readonly transport: string
    readonly connection: string
    readonly receivedAt: number
    readonly acceptedAt: number
    readonly committedAt: number
  } | null
  readonly devices: number
  readonly acked: number
  /** The slowest first, at most so many. */
  readonly deliveries: readonly Delivered[]
}

const DELIVERIES_MAX = 15
const CHANGES_MAX = 50
const MS = (column: string) => `toString(toUnixTimestamp64Milli(${column}))`

export async function readChanges(clickhouse: Query, stream: string, seq: number): Promise<Change[]> {
  const rows = await clickhouse.query<Record<'seq_' | 'kind' | 'sender' | 'ms_', string>>(
    `SELECT toString(seq) AS seq_, kind, sender, toString(time_ms) AS ms_ FROM items
     WHERE conversation = {stream:String} AND target_seq = {seq:UInt64} AND kind IN ('edited', 'recalled', 'pinned', 'reacted')
     ORDER BY items.seq LIMIT 1 BY items.seq LIMIT ${CHANGES_MAX}`,
    { stream, seq },
  )
  return rows.map(({ seq_, kind, sender, ms_ }) => ({
    seq: Number(seq_),
    kind,
    by: sender,
    time: Number(ms_),
  }))
}

/** Null where this archive has no ledger. */
export async function readLedger(shared: Query, stream: string, seq: number): Promise<Ledger | null> {
  const params = { stream, seq }
  const newest = `FROM (
    SELECT * FROM ledger_pushes WHERE conversation = {stream:String} AND seq = {seq:UInt64}
    ORDER BY user, device_id, rank DESC LIMIT 1 BY user, device_id)`
  try {
    const [counts] = await shared.query<{ n: string; acked: string }>(
      `SELECT toString(count()) AS n, toString(countIf(acked_at IS NOT NULL)) AS acked ${newest}`,
      params,
    )
    const rows = await shared.query<Record<string, string | number | null>>(
      `SELECT user, device_id, device_type, transport, gateway, connection, ended, resends,
         ${MS('fanned_at')} AS fanned_, ${MS('pushed_at')} AS pushed_, ${MS('acked_at')} AS acked_
       ${newest} ORDER BY acked_at IS NULL DESC, acked_at DESC, user LIMIT ${DELIVERIES_MAX}`,
      params,
    )
    const [sent] = await shared.query<Record<string, string>>(
      `SELECT gateway, transport, connection, ${MS('received_at')} AS received_, ${MS('accepted_at')} AS accepted_, ${MS('committed_at')} AS committed_
       FROM ledger_sends WHERE conversation = {stream:String} AND seq = {seq:UInt64} LIMIT 1`,
      params,
    )
    return {
      sent: sent
        ? {
            ...{
              gateway: sent.gateway ?? '',
              transport: sent.transport ?? '',
              connection: sent.connection ?? '',
            },
            receivedAt: Number(sent.received_),
            acceptedAt: Number(sent.accepted_),
            committedAt: Number(sent.committed_),
          }
        : null,
      devices: Number(counts?.n ?? 0),
      acked: Number(counts?.acked ?? 0),
      deliveries: rows.map((row) => ({
        ...{ user: String(row.user), device: String(row.device_id), deviceType: String(row.device_type) },
        ...{
          transport: String(row.transport),
          gateway: String(row.gateway),
          connection: String(row.connection),
        },
        ...{ fannedAt: Number(row.fanned_), pushedAt: Number(row.pushed_) },
        ackedAt: row.acked_ === null ? null : Number(row.acked_),
        ...{ ended: String(row.ended), resends: Number(row.resends) },
      })),
    }
  } catch (err) {
    if (err instanceof Fault && err.code === 'clickhouse_refused' && !err.retriable) return null
    throw err
  }
}
