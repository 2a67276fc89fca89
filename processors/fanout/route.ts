/** Which gateways get a planned record, and which recipients each: pure. */
import { limits } from '../../schemas/limits.ts'
import type { Answer } from '../../schemas/records.ts'
import type { Plan } from './plan.ts'
import type { OnlineEntry } from './ports.ts'

/** What is known of where users are. */
export interface OnlineMap {
  readonly locations: ReadonlyMap<string, readonly OnlineEntry[]>
  /** Boot id under which each gateway announced all its sockets. */
  readonly announced: ReadonlyMap<string, string>
}

/** Live gateways: id → boot id. */
export type LiveGateways = ReadonlyMap<string, string>

export interface Parcel {
  readonly gateway: string
  readonly stream: string
  readonly event: Buffer | null
  readonly headSeq: number
  readonly recipients: readonly string[]
  readonly answer: Answer | null
}

/**
 * With `online` null (the map cannot be read) and for a gateway that has not announced its sockets, everyone's record goes
 * there: gateways drop what they hold nobody for. With one live gateway there is nothing to look up.
 */
export function routePlan(plan: Plan, live: LiveGateways, online: OnlineMap | null, now: number): Parcel[] {
  const { stream, event } = plan
  const perGateway = new Map<string, readonly string[]>()
  if (event !== null && plan.recipients.length > 0) {
    for (const [gateway, boot] of live) {
      const trusted = online !== null && online.announced.get(gateway) === boot
      const recipients = trusted
        ? plan.recipients.filter((user) => isAt(online.locations.get(user), gateway, boot, now))
        : plan.recipients
      if (recipients.length > 0) perGateway.set(gateway, recipients)
    }
  }
  const answered = plan.answer
  if (answered && !perGateway.has(answered.gateway)) perGateway.set(answered.gateway, [])
  const parcels: Parcel[] = []
  for (const [gateway, recipients] of perGateway) {
    let answer = answered?.gateway === gateway ? answered.answer : null
    for (const part of slices(recipients, limits.recipientsPerDeliveryMax)) {
      parcels.push({
        gateway,
        stream,
        event: part.length > 0 ? event : null,
        headSeq: 0,
        recipients: part,
        answer,
      })
      answer = null
    }
  }
  return parcels
}

/** A hint of the newest seq, for everyone everywhere: used after heads could not be written. */
export function routeHead(
  stream: string,
  headSeq: number,
  members: readonly string[],
  live: LiveGateways,
): Parcel[] {
  return [...live.keys()].flatMap((gateway) =>
    slices(members, limits.recipientsPerDeliveryMax).map((recipients) => ({
      gateway,
      stream,
      event: null,
      headSeq,
      recipients,
      answer: null,
    })),
  )
}

const isAt = (
  entries: readonly OnlineEntry[] | undefined,
  gateway: string,
  boot: string,
  now: number,
): boolean =>
  entries?.some((entry) => entry.gateway === gateway && entry.boot === boot && entry.expiresAt > now) ?? false

function slices<T>(all: readonly T[], size: number): (readonly T[])[] {
  if (all.length <= size) return [all]
  return Array.from({ length: Math.ceil(all.length / size) }, (_, i) => all.slice(i * size, (i + 1) * size))
}
