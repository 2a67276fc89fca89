/**
 * Large groups on this gateway: fan-out sends their events once to each gateway that registered interest, and who of its users
 * is a member the gateway knows by asking the directory and by the events themselves. Interest is registered before the
 * directory is asked, so that every event behind the answer comes here; whoever is not known yet is shown an event when he is.
 */
import type { OnlineRegistry } from '../infra/redis/online-map.ts'
import type { ReadModels } from '../projections/reads.ts'
import type { Item } from '../schemas/frames.ts'
import { limits } from '../schemas/limits.ts'
import { type Clock, Fault, type Logger, sleepOf } from '../schemas/ports.ts'
import {
  type Change,
  type Channel,
  learn,
  mayBeShown,
  NONE,
  newChannel,
  pass,
  passUnread,
} from './channel.ts'
import type { Connections } from './connections.ts'
import type { Counters } from './counters.ts'
import { type OutgoingEvent, outgoingInstead } from './outgoing.ts'
import { changedBy } from './push.ts'

export interface Channels {
  /** The directory says that this user of ours is a member. Resolves when that is confirmed, and events reach him. */
  join(conversationId: string, user: string): Promise<void>
  /** His last connection here is gone. */
  leave(user: string, conversations: Iterable<string>): void
  /** An event of a large group. `named`: those for whom fan-out sent it besides; they have been pushed it. */
  deliver(event: ChannelEvent, named: readonly string[]): void
  /** An event that cannot be read came. */
  deliverUnread(conversationId: string, seq: number): void
  /** Members here, as far as they are known. */
  members(conversationId: string): Iterable<string>
  /** How many those are. */
  memberCount(conversationId: string): number
  /** Registers all interest again. Rejects with a Fault when the map does not answer. */
  refresh(): Promise<void>
  /** Large groups that have members here. */
  size(): number
  stop(): Promise<void>
}

export interface ChannelEvent {
  readonly outgoing: OutgoingEvent
  /** Connection that sent it, and shows its own copy. */
  readonly sender: string | null
  /** It may wait a moment for others, so that they leave together. Never a recall or an edit. */
  readonly soon: boolean
}

export interface ChannelsOptions {
  readonly gatewayId: string
  readonly boot: string
  readonly reads: Pick<ReadModels, 'membersAmong' | 'headOf'>
  readonly online: Pick<OnlineRegistry, 'registerInterest' | 'dropInterest'>
  readonly connections: Pick<Connections, 'byUser' | 'userNames'>
  readonly counters: Counters
  readonly clock: Clock
  readonly log: Logger
  push(user: string, event: ChannelEvent): void
  /** Tells those of these users who hold less that the group has come to `seq`. */
  hint(users: Iterable<string>, conversationId: string, seq: number): void
  /** Pushes to these users may have been lost. */
  resync(users: Iterable<string>): void
  /** The map does not say what it should: fan-out must not go by it for this gateway. */
  distrust(): void
  /** The group is to be named when this user leaves. */
  onMember(user: string, conversationId: string): void
}

interface Entry {
  readonly conversationId: string
  channel: Channel
  /** Users who are to be asked about. */
  readonly pending: Set<string>
  /** What passed while not all members were known. */
  held: ChannelEvent[]
  asking: Promise<void> | null
  /** Interest stands in the map until then; 0: it does not. */
  interestUntil: number
  /** It stands since a moment ago: what came before did not come here. */
  interestIsNew: boolean
  /** Whatever came later than this came here. */
  reach: number
  /** When it was first seen without members; 0: it has some. */
  emptySince: number
}

const CHUNK = 500
const RETRY_MS_MIN = 20
const RETRY_MS_MAX = 1_000

export function createChannels(options: ChannelsOptions): Channels {
  const { reads, online, connections, counters, clock, log, gatewayId: gateway, boot } = options
  const entries = new Map<string, Entry>()
  let stopped = false

  const isHere = (user: string): boolean => connections.byUser(user) !== undefined
  const sleep = sleepOf(clock)

  function entryOf(conversationId: string): Entry {
    const known = entries.get(conversationId)
    if (known) return known
    if (entries.size >= limits.channelsEmptyMax) forgetEmpty()
    const entry: Entry = {
      conversationId,
      channel: newChannel(),
      pending: new Set(),
      held: [],
      asking: null,
      interestUntil: 0,
      interestIsNew: false,
      reach: 0,
      emptySince: 0,
    }
    entries.set(conversationId, entry)
    return entry
  }

  const isEmpty = ({ channel, pending, asking }: Entry): boolean =>
    channel.members.size === 0 && pending.size === 0 && asking === null

  /** The oldest of which nobody here is a member goes: it is asked for again when it is heard of. */
  function forgetEmpty(): void {
    for (const [id, entry] of entries) {
      if (!isEmpty(entry) || entry.interestUntil > 0) continue
      entries.delete(id)
      return
    }
  }

  const isUnsure = ({ pending, channel }: Entry): boolean => pending.size > 0 || !channel.sure
  const mustAsk = (entry: Entry): boolean =>
    !stopped && (isUnsure(entry) || (entry.interestIsNew && entry.channel.members.size > 0))

  function ask(entry: Entry): Promise<void> {
    if (!entry.asking && !mustAsk(entry)) return Promise.resolve()
    entry.asking ??= askUntilKnown(entry)
    return entry.asking
  }

  async function askUntilKnown(entry: Entry): Promise<void> {
    let waitMs = RETRY_MS_MIN
    while (mustAsk(entry)) {
      try {
        if (!isUnsure(entry)) await noteReach(entry)
        else if (await askOnce(entry)) continue
      } catch (error) {
        if (!(error instanceof Fault)) log.error({ err: error }, 'asking for members failed by a defect')
      }
      if (!mustAsk(entry)) break
      counters.channelAsksRepeated += 1
      await sleep(waitMs)
      waitMs = Math.min(RETRY_MS_MAX, 2 * waitMs)
    }
    // In the same turn as the check: whoever comes now begins anew.
    entry.asking = null
  }

  /** False: the answer was older than what has passed here. Rejects with a Fault where there is none. */
  async function askOnce(entry: Entry): Promise<boolean> {
    const { channel, conversationId, pending } = entry
    if (pending.size > 0 || channel.members.size > 0) await register(entry)
    if (channel.at === NONE) await noteReach(entry)
    const upTo = channel.at === NONE ? entry.reach : channel.since
    const all = !channel.sure
    const asked = all ? [...connections.userNames()] : [...pending]
    counters.channelAsks += 1
    const found = await reads.membersAmong(conversationId, asked, upTo)
    const before = new Set(channel.members.keys())
    if (!learn(channel, asked.filter(isHere), found, upTo)) return false
    if (all) channel.sure = true
    for (const user of asked) pending.delete(user)
    for (const user of channel.members.keys()) options.onMember(user, conversationId)
    release(entry)
    const late = [...channel.members.keys()].filter((user) => !before.has(user))
    if (late.length > 0) options.hint(late, conversationId, Math.max(channel.at, entry.reach))
    if (channel.members.size > 0) await register(entry)
    return true
  }

  /** What came up to here may have gone to other gateways only, as the interest did not stand yet. */
  async function noteReach(entry: Entry): Promise<void> {
    const { conversationId } = entry
    const isNew = entry.interestIsNew
    const { partial, head } = await reads.headOf(conversationId)
    if (partial) throw new Fault('unavailable', 'the head is not certain', { retriable: true })
    entry.reach = head?.seq ?? 0
    if (isNew) entry.interestIsNew = false
    options.hint(entry.channel.members.keys(), conversationId, entry.reach)
  }

  function release(entry: Entry): void {
    const { held } = entry
    entry.held = []
    for (const event of held) show(entry, event, null)
  }

  function show({ channel }: Entry, event: ChannelEvent, but: ReadonlySet<string> | null): void {
    const { seq } = event.outgoing.item
    for (const [user, joined] of channel.members)
      if (mayBeShown(joined, seq) && !but?.has(user)) options.push(user, event)
  }

  function hold(entry: Entry, event: ChannelEvent): void {
    const { item } = event.outgoing
    // What is taken back while it waits is never shown.
    entry.held = entry.held.map((held) => {
      const now = changedBy(item, held.outgoing.item)
      return now ? { ...held, outgoing: outgoingInstead(now, held.outgoing) } : held
    })
    entry.held.push(event)
    counters.channelEventsHeld += 1
    // Clients see by the gap that something is missing, and read it.
    if (entry.held.length > limits.channelEventsHeldMax) entry.held.shift()
  }

  async function register(entry: Entry): Promise<void> {
    if (entry.interestUntil > clock.now()) return
    const expiresAt = clock.now() + limits.onlineExpiryMs
    try {
      await online.registerInterest({ gateway, boot, expiresAt }, [entry.conversationId])
      entry.interestUntil = expiresAt
      entry.interestIsNew = true
    } catch (error) {
      log.debug({ err: error }, 'interest in a large group was not registered')
      options.distrust()
    }
  }

  async function refreshChunk(chunk: readonly Entry[]): Promise<void> {
    const now = clock.now()
    const expiresAt = now + limits.onlineExpiryMs
    const ids = chunk.map(({ conversationId }) => conversationId)
    const created = new Set(await online.registerInterest({ gateway, boot, expiresAt }, ids))
    for (const entry of chunk) {
      const wasThere = entry.interestUntil > now && !created.has(entry.conversationId)
      entry.interestUntil = expiresAt
      if (wasThere) continue
      options.resync(entry.channel.members.keys())
      entry.interestIsNew = true
      void ask(entry)
    }
  }

  async function drop(gone: readonly Entry[]): Promise<void> {
    const ids = gone.map(({ conversationId }) => conversationId)
    for (let at = 0; at < ids.length; at += CHUNK)
      await online.dropInterest(gateway, boot, ids.slice(at, at + CHUNK)).catch(() => {})
  }

  /** A client that comes back soon finds its groups as they were. */
  function takeEmpty(now: number): Entry[] {
    const gone: Entry[] = []
    for (const entry of entries.values()) {
      if (entry.interestUntil === 0) continue
      if (!isEmpty(entry)) entry.emptySince = 0
      else if (entry.emptySince === 0) entry.emptySince = now
      else if (now - entry.emptySince >= limits.onlineExpiryMs) gone.push(entry)
    }
    for (const { conversationId } of gone) entries.delete(conversationId)
    return gone
  }

  return {
    async join(conversationId, user) {
      const entry = entryOf(conversationId)
      if (entry.channel.members.has(user) && !entry.pending.has(user)) return
      // Without interest nothing of what happened since passed here.
      if (entry.interestUntil === 0 && isEmpty(entry)) entry.channel = newChannel()
      entry.pending.add(user)
      await ask(entry)
    },
    leave(user, conversations) {
      for (const conversationId of conversations) {
        const entry = entries.get(conversationId)
        entry?.pending.delete(user)
        entry?.channel.members.delete(user)
      }
    },
    deliver(event, named) {
      const { item } = event.outgoing
      const entry = entryOf(item.conversationId)
      const { channel } = entry
      const change = changeBy(item, named)
      pass(channel, item.seq, change, isHere)
      const joined = change.joined.filter((user) => channel.members.has(user))
      for (const user of joined) options.onMember(user, item.conversationId)
      if (item.seq < entry.reach) options.hint(joined, item.conversationId, entry.reach)
      show(entry, event, named.length > 0 ? new Set(named) : null)
      if (!channel.sure) hold(entry, event)
      void ask(entry)
    },
    deliverUnread(conversationId, seq) {
      const entry = entryOf(conversationId)
      passUnread(entry.channel, seq)
      if (!entry.channel.sure) void ask(entry)
    },
    members: (conversationId) => entries.get(conversationId)?.channel.members.keys() ?? [],
    memberCount: (conversationId) => entries.get(conversationId)?.channel.members.size ?? 0,
    async refresh() {
      const gone = takeEmpty(clock.now())
      if (gone.length > 0) await drop(gone)
      const wanted = [...entries.values()].filter((entry) => entry.interestUntil > 0 || !isEmpty(entry))
      for (let at = 0; at < wanted.length && !stopped; at += CHUNK)
        await refreshChunk(wanted.slice(at, at + CHUNK))
    },
    size() {
      let count = 0
      for (const { channel } of entries.values()) if (channel.members.size > 0) count += 1
      return count
    },
    async stop() {
      stopped = true
      await drop([...entries.values()].filter(({ interestUntil }) => interestUntil > 0))
    },
  }
}

/** Whom an event lets in and puts out. Those whom fan-out names beside an event that lets someone in are members as well. */
function changeBy({ kind, members, on }: Item, named: readonly string[]): Change {
  if (kind === 'removed') return { joined: [], left: members }
  if (kind === 'created' || kind === 'added' || (kind === 'joinAnswered' && on))
    return { joined: [...members, ...named], left: [] }
  return { joined: [], left: [] }
}
