/** What the users do: single chats, groups that change, read marks, recalls, devices that come and go. */
import type { Message } from '../../../client/index.ts'
import { type Random, randomOf } from '../random.ts'
import type { Device } from './device.ts'

const tickMs = 20
const markReadShare = 0.04
const recallShare = 0.005
const recallAfterMs = 1_500
const changeEveryMs = 2_500
const bounceEveryMs = 3_000

interface Group {
  readonly id: string
  readonly owner: Device
  readonly in: Set<string>
  readonly out: Set<string>
}

export interface Traffic {
  received(device: Device, message: Message): void
  start(): void
  stop(): void
  /** Committed seqs of single chats, to tell when all devices have all. */
  lacking(): number
}

export interface TrafficOptions {
  readonly devices: readonly Device[]
  readonly ratePerSecond: number
  readonly seed: number
}

export interface Prepared {
  readonly groups: readonly Group[]
}

/** Creates the groups: 10 to 20 members each, the first one the owner. */
export async function prepare(devices: readonly Device[], count: number, seed: number): Promise<Prepared> {
  const random = randomOf(seed ^ 0x5eed)
  const users = [...new Set(devices.map((device) => device.user))]
  const groups = await Promise.all(
    Array.from({ length: count }, async (_, i) => {
      const members = random.shuffle(users).slice(0, Math.min(users.length, 10 + random.below(11)))
      const owner = devices.find((device) => device.user === members[0]) as Device
      const created = await owner.command('createGroup', undefined, (client) =>
        client.createGroup({ name: `group ${i}`, members: members.slice(1) }),
      )
      const id = created?.conversationId ?? ''
      const inside = new Set(members)
      return { id, owner, in: inside, out: new Set(users.filter((user) => !inside.has(user))) }
    }),
  )
  return { groups: groups.filter(({ id }) => id !== '') }
}

export function createTraffic(options: TrafficOptions, { groups }: Prepared): Traffic {
  const { devices, ratePerSecond } = options
  const random = randomOf(options.seed)
  const users = [...new Set(devices.map((device) => device.user))]
  const committed = new Map<string, number>()
  const timers: NodeJS.Timeout[] = []
  let owed = 0
  let lastMs = 0

  const tick = () => {
    const nowMs = performance.now()
    // Open loop: what is due is sent, whether or not earlier ones were answered.
    owed = Math.min(owed + ((nowMs - lastMs) * ratePerSecond) / 1_000, ratePerSecond)
    lastMs = nowMs
    for (; owed >= 1; owed -= 1) void sendOne()
  }

  async function sendOne(): Promise<void> {
    const device = random.pick(devices)
    if (device.away) return
    const mine = groups.filter((group) => group.in.has(device.user))
    const group = mine.length > 0 && random.next() < 0.35 ? random.pick(mine) : null
    const target = group ? { conversationId: group.id } : { to: peerOf(random, users, device.user) }
    const sent = await device.send(target)
    if (!sent) return
    if (!group) committed.set(sent.conversationId, (committed.get(sent.conversationId) ?? 0) + 1)
    if (random.next() < recallShare)
      timers.push(
        setTimeout(() => {
          const { conversationId: conv, seq } = sent
          if (device.away) return
          void device.command('recall', conv, (client) => client.recall(conv, seq))
        }, recallAfterMs),
      )
  }

  /** The owner lets somebody in or out. Both sets change first, so that no sender is surprised more often than must be. */
  function changeMembers(): void {
    if (groups.length === 0) return
    const group = random.pick(groups)
    const adding = group.out.size > 0 && (random.next() < 0.5 || group.in.size < 6)
    const from = [...(adding ? group.out : group.in)].filter((user) => user !== group.owner.user)
    if (from.length === 0 || group.owner.away) return
    const user = random.pick(from)
    if (adding) group.out.delete(user)
    else group.in.delete(user)
    const op = adding ? 'addMembers' : 'removeMembers'
    void group.owner
      .command(op, group.id, (client) => client[op](group.id, [user]))
      .then((sent) => {
        if (sent) (adding ? group.in : group.out).add(user)
      })
  }

  return {
    received(device, message) {
      if (
        message.senderId === device.user ||
        random.next() > markReadShare ||
        timers.length === 0 ||
        device.away
      )
        return
      const { conversationId: conv, seq } = message
      void device.command('markRead', conv, (client) => client.markRead(conv, seq).then(() => null))
    },
    start() {
      lastMs = performance.now()
      timers.push(
        setInterval(tick, tickMs),
        setInterval(changeMembers, changeEveryMs),
        setInterval(() => void random.pick(devices).bounce(random.between(200, 2_500)), bounceEveryMs),
      )
    },
    stop() {
      for (const timer of timers.splice(0)) clearTimeout(timer)
    },
    lacking() {
      let lacking = 0
      for (const device of devices)
        for (const [conv, count] of committed)
          if (conv.split(':').slice(1).includes(device.user))
            lacking += Math.max(0, count - (device.seen.get(conv) ?? 0))
      return lacking
    },
  }
}

/** Everybody talks with four others, so that single chats are few enough to have a history. */
function peerOf(random: Random, users: readonly string[], user: string): string {
  const at = users.indexOf(user)
  const step = random.pick([1, 3, -1, -3])
  return users[(at + step + users.length) % users.length] ?? user
}
