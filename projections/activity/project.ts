/** Login records and the delivery ledger as rows. */
import { formatPackId } from '../../schemas/ids.ts'
import type { Activity } from '../../schemas/records.ts'

/** In the order of insertion. */
export const activityTables = ['logins', 'gateway_boots', 'ledger_pushes', 'ledger_sends'] as const
export type ActivityRows = Readonly<Record<(typeof activityTables)[number], readonly object[]>>

export function activityRows(batch: readonly Activity[]): ActivityRows {
  return {
    logins: batch.flatMap(({ gateway, boot, logins }) =>
      logins.map((login) => ({
        user: login.user,
        login_at: clickHouseTime(login.loginAt),
        connection: login.connection,
        // The end comes after the beginning, in whatever order they are inserted.
        version: login.ended === null ? 1 : 2,
        device_id: login.deviceId,
        device_type: login.deviceType,
        gateway,
        boot,
        address: login.address,
        transport: login.transport,
        heartbeat_ms: login.heartbeatMs,
        ended: login.ended ?? '',
        ended_at: clickHouseTime(login.endedAt ?? login.loginAt),
        lived_ms: login.livedMs ?? 0,
      })),
    ),
    gateway_boots: batch.map(({ gateway, boot, startedAt, time, stopped, dropped, ...rest }) => ({
      gateway,
      boot,
      started_at: clickHouseTime(startedAt),
      seen_at: clickHouseTime(time),
      stopped,
      dropped,
      ledger_one_of: rest.ledgerOneOf,
      ledger_dropped: rest.ledgerDropped,
    })),
    ledger_pushes: batch.flatMap(pushRows),
    ledger_sends: batch.flatMap(sendRows),
  }
}

function pushRows({ gateway, boot, ledgerOneOf, messages, devices, pushes }: Activity): object[] {
  const shared = messages.map(({ conversation, seq, time, fannedAt, oneOf }) => ({
    ...{ conversation, seq, time: clickHouseTime(time), fanned_at: clickHouseTime(fannedAt) },
    one_of: weightOf(oneOf, ledgerOneOf),
  }))
  const from = devices.map((device) => ({ ...deviceColumns(device), user: device.user, gateway, boot }))
  return pushes.flatMap((push) => {
    const [message, about, device] = [messages[push.message], shared[push.message], from[push.device]]
    // A place outside of the lists: a writer that is broken must not stop the reader.
    if (!message || !about || !device) return []
    return {
      ...about,
      ...device,
      rank: push.ackedMs === null ? 0 : RANK_OF_ACKED - (message.time + push.ackedMs),
      pushed_at: clickHouseTime(message.time + push.pushedMs),
      acked_at: push.ackedMs === null ? null : clickHouseTime(message.time + push.ackedMs),
      ended: push.ended ?? '',
      resends: Math.min(push.resends, 255),
    }
  })
}

function sendRows({ gateway, boot, ledgerOneOf, devices, sends }: Activity): object[] {
  return sends.flatMap((send) => {
    const device = devices[send.device]
    if (!device) return []
    return {
      conversation: send.conversation,
      seq: send.seq,
      pack_id: formatPackId(send.packId),
      sender: device.user,
      ...deviceColumns(device),
      gateway,
      boot,
      time: clickHouseTime(send.time),
      received_at: clickHouseTime(send.time + send.receivedMs),
      accepted_at: clickHouseTime(send.time + send.acceptedMs),
      committed_at: clickHouseTime(send.time + send.committedMs),
      one_of: weightOf(send.oneOf, ledgerOneOf),
    }
  })
}

/** For how many messages it stands; earlier gateways told it for a record as a whole. */
const weightOf = (oneOf: number, ofRecord: number): number => oneOf || Math.max(1, ofRecord)

const deviceColumns = ({ deviceId, deviceType, transport, connection }: Activity['devices'][number]) => ({
  device_id: deviceId,
  device_type: deviceType,
  transport,
  connection,
})

/** Greater than any time in ms: the sooner the ack, the higher the rank, and each above that of none. */
const RANK_OF_ACKED = Number.MAX_SAFE_INTEGER

/** Seconds of ten digits, which is what ClickHouse takes for a time: a clock gone mad must not hold up what comes after it. */
const [EARLIEST_MS, LATEST_MS] = [1_000_000_000_000, 9_999_999_999_999]

/** DateTime64(3) from milliseconds, as a decimal number of seconds: unambiguous in any time zone. */
const clickHouseTime = (ms: number): string =>
  (Math.min(LATEST_MS, Math.max(EARLIEST_MS, ms)) / 1_000).toFixed(3)
