/** Which gateways get a planned record, and which recipients each: pure. */
import { limits } from '../../schemas/limits.ts'
import type { Answer, Signal } from '../../schemas/records.ts'
import type { Plan } from './plan.ts'
import type { Interest, OnlineEntry } from './ports.ts'

/** What is known of where users are, and of which gateways have members of large groups. */
export interface OnlineMap {
  readonly locations: ReadonlyMap<string, readonly OnlineEntry[]>
  /** Boot id under which each gateway announced all its sockets. */
  readonly announced: ReadonlyMap<string, string>
  readonly interested: ReadonlyMap<string, readonly Interest[]>
}

/** Live gateways: id → boot id. */
export type LiveGateways = ReadonlyMap<string, string>

export interface Parcel {
  readonly gateway: string
  readonly stream: string
  readonly event: Buffer | null
  readonly headSeq: number
  readonly recipients: readonly string[]
  /** Goes to all members that the gateway has, too. */
  readonly channel: boolean
  /** The recipients merely observe. */
  readonly observing: boolean
  /** The recipients are told nothing. */
  readonly related: boolean
  readonly signal: Signal | null
  readonly answer: Answer | null
}

const nobody: readonly string[] = []

/**
 * With `online` null (the map cannot be read) and for a gateway that has not announced its sockets, everyone's record goes
 * there: gateways drop what they hold nobody for. With one live gateway there is nothing to look up.
 */
export function routePlan(plan: Plan, live: LiveGateways, online: OnlineMap | null, now: number): Parcel[] {
  const { stream, event } = plan
  const parcels: Parcel[] = []
  let answer = plan.answer
  const add = (gateway: string, part: Partial<Parcel>) => {
    const answered = answer?.gateway === gateway ? answer.answer : null
    if (answered) answer = null
    parcels.push({ ...blank, gateway, stream, ...part, answer: answered })
  }
  const addNamed = (gateway: string, recipients: readonly string[], part: Partial<Parcel>) => {
    for (const some of slices(recipients, limits.recipientsPerDeliveryMax))
      add(gateway, { ...part, recipients: some })
  }
  const wanted = plan.channel && event !== null ? wantedBy(plan, live, online, now) : null
  for (const [gateway, boot] of live) {
    const trusted = isTrusted(gateway, boot, online)
    const here = (users: readonly string[]) =>
      trusted ? users.filter((user) => isAt(online?.locations.get(user), gateway, boot, now)) : users
    if (event !== null) {
      const recipients = here(plan.recipients)
      // Nobody named: one record all the same, to the group's members there.
      if (recipients.length > 0) addNamed(gateway, recipients, { event, channel: wanted !== null })
      else if (wanted?.has(gateway)) add(gateway, { event, channel: true })
      // By themselves: whom a channel's record names belongs to the group.
      addNamed(gateway, here(plan.observers), { event, observing: true })
    }
    addNamed(gateway, here(plan.related), { related: true })
    if (plan.signal?.to) addNamed(gateway, here(plan.signal.to), { signal: plan.signal.signal })
  }
  if (answer) add(answer.gateway, {})
  return parcels
}

const blank = {
  event: null,
  headSeq: 0,
  recipients: nobody,
  channel: false,
  observing: false,
  related: false,
  signal: null,
} as const

/** Live gateways that have, or may have, members of this large group. */
function wantedBy(
  { stream, channel }: Plan,
  live: LiveGateways,
  online: OnlineMap | null,
  now: number,
): ReadonlySet<string> {
  const interested = new Set<string>()
  for (const { gateway, boot, expiresAt } of online?.interested.get(stream) ?? [])
    if (live.get(gateway) === boot && expiresAt > now) interested.add(gateway)
  // Nobody at all is as likely a loss of the map as an idle group.
  if (interested.size === 0 || channel?.everywhere) return new Set(live.keys())
  for (const [gateway, boot] of live) if (!isTrusted(gateway, boot, online)) interested.add(gateway)
  return interested
}

/** A hint of the newest seq, for everyone everywhere: used after heads could not be written. `members` null: of a large group. */
export function routeHead(
  stream: string,
  headSeq: number,
  members: readonly string[] | null,
  observers: readonly string[],
  live: LiveGateways,
): Parcel[] {
  const hint = { ...blank, stream, headSeq, answer: null }
  const toEach = (users: readonly string[]) =>
    slices(users, limits.recipientsPerDeliveryMax).map((recipients) => ({ ...hint, recipients }))
  const parts = [
    ...(members === null ? [{ ...hint, channel: true }] : toEach(members)),
    ...toEach(observers).map((part) => ({ ...part, observing: true })),
  ]
  return [...live.keys()].flatMap((gateway) => parts.map((part) => ({ ...part, gateway })))
}

const isTrusted = (gateway: string, boot: string, online: OnlineMap | null): boolean =>
  online !== null && online.announced.get(gateway) === boot

const isAt = (
  entries: readonly OnlineEntry[] | undefined,
  gateway: string,
  boot: string,
  now: number,
): boolean =>
  entries?.some((entry) => entry.gateway === gateway && entry.boot === boot && entry.expiresAt > now) ?? false

/** None of nothing. */
function slices<T>(all: readonly T[], size: number): (readonly T[])[] {
  if (all.length === 0) return []
  if (all.length <= size) return [all]
  return Array.from({ length: Math.ceil(all.length / size) }, (_, i) => all.slice(i * size, (i + 1) * size))
}
