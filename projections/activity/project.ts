/** Login records as rows. */
import type { Activity } from '../../schemas/records.ts'

export interface ActivityRows {
  readonly logins: readonly object[]
  readonly gateways: readonly object[]
}

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
    gateways: batch.map(({ gateway, boot, startedAt, time, stopped, dropped }) => ({
      gateway,
      boot,
      started_at: clickHouseTime(startedAt),
      seen_at: clickHouseTime(time),
      stopped,
      dropped,
    })),
  }
}

/** Seconds of ten digits, which is what ClickHouse takes for a time: a clock gone mad must not hold up what comes after it. */
const [EARLIEST_MS, LATEST_MS] = [1_000_000_000_000, 9_999_999_999_999]

/** DateTime64(3) from milliseconds, as a decimal number of seconds: unambiguous in any time zone. */
const clickHouseTime = (ms: number): string =>
  (Math.min(LATEST_MS, Math.max(EARLIEST_MS, ms)) / 1_000).toFixed(3)
