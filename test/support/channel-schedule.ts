/**
 * One large group, a gateway whose users come and go, fan-out and the directory, in an order that chance decides step by
 * step: the released modules of fan-out and gateway, with every call of theirs to a store and every delivery held until its turn.
 */
import { createChannelUsers } from '../../gateway/channel-users.ts'
import { createChannels } from '../../gateway/channels.ts'
import { type Connection, createConnections } from '../../gateway/connections.ts'
import { newCounters } from '../../gateway/counters.ts'
import { createDeliveries } from '../../gateway/deliveries.ts'
import { createLedger } from '../../gateway/ledger.ts'
import { createRegistry } from '../../gateway/registry.ts'
import { silentLog } from '../../infra/log.ts'
import { createMemoryOnlineMap } from '../../infra/memory/online-map.ts'
import { createVirtualClock } from '../../infra/memory/virtual-clock.ts'
import { createDeliveryWriter } from '../../processors/fanout/deliveries.ts'
import { planRecord } from '../../processors/fanout/plan.ts'
import { foldRoster, type Rosters } from '../../processors/fanout/roster.ts'
import { routePlan } from '../../processors/fanout/route.ts'
import { newFanoutStats } from '../../processors/fanout/stats.ts'
import { noContentKeys } from '../../projections/content-keys/follower.ts'
import type { ServerFrame } from '../../schemas/frames.ts'
import { limits } from '../../schemas/limits.ts'
import { Fault } from '../../schemas/ports.ts'
import type { EventPayload } from '../../schemas/records.ts'
import { connect, session } from './fake-connection.ts'
import { eventOf, happening, names } from './fanout-given.ts'
import type { Random } from './random.ts'

export const HALL = 'g:hall'
const HERE = 'g1'
const live = new Map([
  [HERE, 'b1'],
  ['g2', 'b2'],
])

/** Rules that can be taken away, to see that it is noticed. */
export interface Broken {
  /** Interest is said to be registered before it is. */
  readonly interestLate?: boolean
  /** The directory answers with whatever it has. */
  readonly anyAge?: boolean
  /** Who left is not taken out, and holes are not seen. */
  readonly noHoles?: boolean
  /** Nobody notices that the map has lost its interest. */
  readonly lossUnseen?: boolean
}

/** A connected client: what it was shown, and how far it knows the group to go. It reads what lies before what it is shown. */
interface Client {
  readonly user: string
  readonly connection: Connection
  readonly shown: number[]
  knownUpTo: number
}

export interface Outcome {
  readonly lost: string[]
  readonly leaked: string[]
  readonly gaps: number
  readonly held: number
  readonly asks: number
}

export async function runSchedule(random: Random, broken: Broken = {}): Promise<Outcome> {
  const clock = createVirtualClock()
  const map = createMemoryOnlineMap()
  const counters = newCounters()
  const turns: (() => void)[] = []
  /** Until chance lets it go on. */
  const turn = (): Promise<void> => new Promise((resolve) => turns.push(resolve))
  const taking = async <T>(work: () => Promise<T> | T): Promise<T> => {
    await turn()
    const answer = await work()
    await turn()
    return answer
  }

  // What happened, and the directory's view of it.
  const wasLarge = random.chance(0.7)
  const founders = [...names('m', limits.groupNamedMembersMax + (wasLarge ? 1 : -1)), 'ann']
  const truth: EventPayload[] = []
  const rosters: Rosters = new Map()
  const model = { at: 0, rosters: new Map() as Rosters, joined: new Map<string, number>(), rebuilding: false }
  const applyNext = () => {
    const payload = truth[model.at]
    if (!payload) return
    model.at += 1
    const { joined, left } = foldRoster(model.rosters, HALL, payload, clock.now())
    for (const user of joined) model.joined.set(user, model.at)
    for (const user of left) model.joined.delete(user)
  }
  const happen = (payload: EventPayload): number => truth.push(payload)
  happen(happening('GroupCreated', { members: founders }))
  foldRoster(rosters, HALL, truth[0] as EventPayload, clock.now() - 2 * limits.becomingLargeMs)
  applyNext()
  await map.writeHeads([{ stream: HALL, seq: 1, ordinal: 0, time: 0 }], [])
  await map.announce('g2', 'b2')
  if (random.chance(0.5))
    await map.registerInterest({ gateway: 'g2', boot: 'b2', expiresAt: Number.MAX_SAFE_INTEGER }, [HALL])

  const certain = () => {
    if (model.rebuilding) throw new Fault('unavailable', 'rebuilding', { retriable: true })
  }
  const headNow = () => Math.max(model.at, map.heads.get(HALL)?.seq ?? 0)
  const reads = {
    // Waits a little for the directory to come to what the head was, and says where that was in vain.
    async channelsOf(user: string) {
      await turn()
      certain()
      const head = headNow()
      for (let tries = 0; model.at < head && tries < 3; tries++) await turn()
      certain()
      const isLarge = model.rosters.get(HALL)?.largeSince !== null
      const channels = isLarge && model.joined.has(user) ? [HALL] : []
      const partial = model.at < head
      await turn()
      return { partial, channels }
    },
    membersAmong: (_group: string, users: readonly string[], atLeast = 0) =>
      taking(() => {
        certain()
        if (model.at < atLeast && !broken.anyAge)
          throw new Fault('unavailable', 'it trails', { retriable: true })
        const found = users.flatMap((user) => {
          const since = model.joined.get(user)
          return since === undefined ? [] : [[user, since] as const]
        })
        return new Map(found)
      }),
    headOf: () =>
      taking(() => {
        certain()
        return { partial: false, head: { seq: headNow(), ordinal: 0, time: 0 } }
      }),
  }

  // The gateway.
  const connections = createConnections(8)
  const clients = new Map<Connection, Client>()
  const common = {
    gatewayId: HERE,
    boot: 'b1',
    connections,
    counters,
    clock,
    log: silentLog,
    online: {
      ...map,
      register: (record: Parameters<typeof map.register>[0]) => taking(() => map.register(record)),
      registerInterest: (...given: Parameters<typeof map.registerInterest>) =>
        taking(async () => {
          if (broken.interestLate) {
            clock.after(3_000, () => void map.registerInterest(...given))
            return []
          }
          const created = await map.registerInterest(...given)
          return broken.lossUnseen ? [] : created
        }),
    },
  }
  const shown = (connection: Connection, bytes: Buffer) => {
    const client = clients.get(connection)
    const frame = JSON.parse(bytes.toString()) as ServerFrame
    if (!client || frame.type !== 'event') return
    client.shown.push(frame.item.seq)
    client.knownUpTo = Math.max(client.knownUpTo, frame.item.seq)
  }
  const resync = (which: Iterable<Connection>) => {
    for (const connection of which) void readHeads(connection)
  }
  const readHeads = async (connection: Connection): Promise<void> => {
    if (connection.session.phase !== 'open') return
    const head = await taking(() => (model.rebuilding ? null : headNow()))
    const client = clients.get(connection)
    if (!client) return
    if (head !== null) client.knownUpTo = Math.max(client.knownUpTo, head)
    else clock.after(1_000, () => void readHeads(connection))
  }
  const channels = createChannels({
    ...common,
    reads,
    push: (user, event) => deliveries.push(user, event),
    hint: (users, conversationId, seq) => deliveries.hint(users, conversationId, seq),
    resync: (users) => resync([...users].flatMap((user) => connections.byUser(user) ?? [])),
    distrust: () => registry.distrust(),
    onMember: (user, conversationId) => channelUsers.noteMember(user, conversationId),
  })
  const channelUsers = createChannelUsers({ ...common, reads, channels })
  const registry = createRegistry({
    ...common,
    onLost: (lost) => {
      if (!broken.lossUnseen) resync(lost)
    },
    onRegistered() {},
    onSeen() {},
    refreshRest: () => channels.refresh(),
  })
  const deliveries = createDeliveries({
    ...common,
    opener: noContentKeys,
    hub: {
      send(connection, frame) {
        const client = clients.get(connection)
        if (client && frame.type === 'head') client.knownUpTo = Math.max(client.knownUpTo, frame.seq)
      },
      input() {},
      resync,
    },
    outbox: { write: shown, writeSoon: shown, replace() {} },
    rooms: { deliver() {} },
    ledger: createLedger(() => 0, common.counters),
    channels: broken.noHoles
      ? {
          ...channels,
          deliver: (event, named) => named.length === 0 && channels.deliver(withoutHole(event), named),
        }
      : channels,
    onGap: channelUsers.refreshAll,
    onRelation() {},
    observeDeliveryMs() {},
  })
  let seqSeen = 1
  /** As if what came before had come. */
  const withoutHole = (event: Parameters<typeof channels.deliver>[0]) => {
    const { item } = event.outgoing
    for (; seqSeen < item.seq - 1; seqSeen++)
      channels.deliver({ ...event, outgoing: { ...event.outgoing, item: { ...item, seq: seqSeen + 1 } } }, [])
    seqSeen = item.seq
    return event
  }

  const login = async (user: string): Promise<void> => {
    const expiresAt = clock.now() + limits.onlineExpiryMs
    const connection = connect(connections, user, { phase: 'entering', entry: { expiresAt } })
    clients.set(connection, { user, connection, shown: [], knownUpTo: 0 })
    const isClosed = () => connection.socket === null
    const welcome = async () => {
      connection.session = session('open')
      await readHeads(connection)
    }
    await registry.register(connection)
    if (isClosed()) return
    await channelUsers.enter(user)
    if (!isClosed()) await welcome()
  }
  const logout = (user: string): void => {
    for (const connection of connections.byUser(user) ?? []) {
      connection.session = { phase: 'closed' }
      connection.socket = null
      clients.delete(connection)
      connections.remove(connection)
      if (!connections.byUser(user)) channelUsers.leave(user)
      void registry.unregister(connection)
    }
  }

  // Fan-out, one event after the other.
  const stats = newFanoutStats()
  const wire: Buffer[] = []
  const writer = createDeliveryWriter({
    appender: {
      append: async () => 0,
      async appendBatch(topic, _partition, records) {
        if (topic.endsWith(HERE)) for (const { value } of records) wire.push(value as Buffer)
        return 0
      },
      close: async () => {},
    },
    clock,
    logger: silentLog,
    stats,
    instance: 'f',
  })
  const losing = random.chance(0.4) ? 0.3 : 0
  let fannedOut = 1
  const fanOut = async (): Promise<void> => {
    for (; fannedOut < truth.length; ) {
      const payload = truth[fannedOut] as EventPayload
      const { envelope, bytes } = eventOf(HALL, ++fannedOut, payload, { time: clock.now() })
      const plan = planRecord(rosters, envelope, payload, bytes, clock.now())
      await taking(() => map.writeHeads([plan.head as NonNullable<typeof plan.head>], plan.lists))
      const online = await taking(async () => ({
        locations: await map.locate(plan.recipients),
        announced: await map.announced([HERE, 'g2']),
        interested: await map.interested([HALL]),
      }))
      await writer.write(0, routePlan(plan, live, online, clock.now()))
    }
  }
  const deliverNext = async (): Promise<void> => {
    await turn()
    const value = wire.shift()
    const isLast = fannedOut === truth.length && wire.length === 0
    if (value && (isLast || !random.chance(losing))) deliveries.handle(value, 0)
  }

  // What may happen at any moment.
  const movable = ['bob', 'zed'] as const
  let fanning: Promise<void> = Promise.resolve()
  const say = (payload: EventPayload) => {
    happen(payload)
    fanning = fanning.then(fanOut)
  }
  const isIn = new Set(founders)
  const move = (user: string) => {
    if (isIn.delete(user)) say(happening('MembersRemoved', { members: [user] }))
    else if (isIn.add(user)) say(happening('MembersAdded', { members: [user] }))
  }
  const emptied = () => {
    map.empty()
    model.rebuilding = true
    clock.after(random.int(3_000), () => {
      model.rebuilding = false
    })
  }
  /** Of a map on several nodes one forgets, and another gateway is there sooner. */
  const forgotten = () => {
    map.forgetInterest(HALL)
    void map.registerInterest({ gateway: 'g2', boot: 'b2', expiresAt: Number.MAX_SAFE_INTEGER }, [HALL])
  }
  const message = () => say(happening('MessageSent', {}))
  const coming = () => {
    const user = random.pick(['ann', ...movable])
    if (!connections.byUser(user) || random.chance(0.2)) void login(user)
    else if (random.chance(0.4)) logout(user)
  }
  const moving = () => move(random.pick(movable))
  const seldom = () => random.pick([emptied, forgotten, message, message])()
  const deeds = [message, message, message, message, moving, moving, moving, coming, coming, coming, seldom]
  /** Of the directory. */
  const speed = random.pick([0.02, 0.2, 0.5])

  registry.start()
  await clock.advance(0)
  let left = 6 + random.int(14)
  const idle = () => turns.length === 0 && wire.length === 0
  while (left > 0 || !idle() || model.at < truth.length) {
    await clock.advance(0)
    const choice = random.int(10)
    if (left > 0 && choice < 3) {
      left--
      random.pick(deeds)()
    } else if (model.at < truth.length && random.chance(speed)) applyNext()
    else if (turns.length > 0) turns.splice(random.int(turns.length), 1)[0]?.()
    else if (wire.length > 0) void deliverNext()
    else await clock.advance(random.int(50))
    if (random.chance(0.05)) await clock.advance(random.int(400))
  }
  // Then everything comes to rest, and one more message must find everybody.
  const settle = async (ms: number): Promise<void> => {
    for (const end = clock.now() + ms; clock.now() < end; ) {
      await clock.advance(turns.length + wire.length > 0 || model.at < truth.length ? 20 : 500)
      for (const go of turns.splice(0)) go()
      if (wire.length > 0) void deliverNext()
      applyNext()
    }
  }
  const lost: string[] = []
  const behind = () => {
    for (const { user, knownUpTo } of clients.values())
      if (isIn.has(user) && knownUpTo < truth.length)
        lost.push(`${user} knows ${knownUpTo} of ${truth.length}`)
  }
  await settle(15_000)
  // A delivery that was lost last is noticed by the next one.
  if (losing === 0) behind()
  for (const user of ['ann', ...movable]) if (!connections.byUser(user)) void login(user)
  await settle(15_000)
  message()
  await settle(3_000)
  await fanning
  behind()
  const leaked = [...clients.values()].flatMap(({ user, shown }) =>
    shown
      .filter((seq) => !wasMemberAt(truth, user, seq))
      .map((seq) => `${user} was shown ${seq} of ${truth.length}`),
  )
  await channels.stop()
  return {
    lost,
    leaked,
    gaps: counters.deliveryGaps,
    held: counters.channelEventsHeld,
    asks: counters.channelAsks,
  }
}

/** Membership as of an event; those who are put out are shown that. */
function wasMemberAt(truth: readonly EventPayload[], user: string, seq: number): boolean {
  let isMember = false
  for (const [i, payload] of truth.slice(0, seq).entries()) {
    if (payload.type === 'GroupCreated' || payload.type === 'MembersAdded')
      isMember ||= payload.members.includes(user)
    if (payload.type === 'MembersRemoved' && payload.members.includes(user) && i + 1 < seq) isMember = false
  }
  return isMember
}
