/** What the users do: single chats, groups, read marks, changes of messages, groups and people, devices that come and go. */
import type { Message } from '../../../client/index.ts'
import { type Random, randomOf } from '../random.ts'
import { createMessageChanges } from './changes.ts'
import type { Device, Named, Placed } from './device.ts'
import { createGroupChanges, type Group } from './groups.ts'
import { createPeopleChanges } from './people.ts'

const tickMs = 20
/** Share of what a user gets that he marks read, one of them each. */
const markReadShares = [0, 0.04, 0.1]
const namedShare = 0.15
const namedAllShare = 0.03
const bounceEveryMs = 3_000

export interface Traffic {
  received(device: Device, message: Message): void
  start(): void
  stop(): void
  /** Committed seqs of single chats, to tell when all devices have all. */
  lacking(): number
  /** Texts to be searched for at the end. */
  samples(): readonly Placed[]
}

export interface TrafficOptions {
  readonly devices: readonly Device[]
  readonly ratePerSecond: number
  readonly seed: number
  /** Devices go away and come back from then on. */
  readonly awayFromMs: number
}

/** What all kinds of traffic share. */
export interface Scene {
  readonly devices: readonly Device[]
  readonly users: readonly string[]
  readonly groups: readonly Group[]
  readonly random: Random
  /** A device of this user that takes commands now. */
  deviceOf(user: string): Device | undefined
  /** Does it later, unless the load has ended by then. */
  later(ms: number, work: () => void): void
}

export function createTraffic(options: TrafficOptions, groups: readonly Group[]): Traffic {
  const { devices, ratePerSecond, awayFromMs } = options
  const random = randomOf(options.seed)
  const users = [...new Set(devices.map((device) => device.user))]
  const committed = new Map<string, number>()
  const timers = new Set<NodeJS.Timeout>()
  let owed = 0
  let lastMs = 0

  const scene: Scene = {
    ...{ devices, users, groups, random },
    deviceOf: (user) => devices.find((device) => device.user === user && !device.away),
    later(ms, work) {
      const timer = setTimeout(() => {
        timers.delete(timer)
        work()
      }, ms)
      timers.add(timer)
    },
  }
  const changes = createMessageChanges(scene)
  const every = [createGroupChanges(scene), createPeopleChanges(scene)]

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
    const peer = peerOf(random, users, device.user)
    const target = group ? { conversationId: group.id } : { to: peer }
    const sent = await device.send(target, namedIn(group ? [...group.in] : [peer]))
    if (!sent) return
    if (!group) committed.set(sent.conversationId, (committed.get(sent.conversationId) ?? 0) + 1)
    changes.sent(device, sent)
  }

  function namedIn(whom: readonly string[]): Named {
    if (random.next() < namedAllShare) return { mentionAll: true }
    return random.next() < namedShare ? { mentions: random.shuffle(whom).slice(0, 1 + random.below(2)) } : {}
  }

  return {
    received(device, message) {
      if (timers.size === 0 || device.away || message.senderId === device.user) return
      changes.received(device, message)
      const share = markReadShares[users.indexOf(device.user) % markReadShares.length] ?? 0
      if (random.next() >= share) return
      const { conversationId: conv, seq } = message
      void device.command('markRead', conv, (client) => client.markRead(conv, seq).then(() => null))
    },
    start() {
      lastMs = performance.now()
      const bounce = () => {
        const device = random.pick(devices)
        void device.bounce(random.between(200, 2_500), () => changes.whileAway(device))
      }
      timers.add(setInterval(tick, tickMs))
      timers.add(
        setTimeout(() => {
          if (timers.size > 0) timers.add(setInterval(bounce, bounceEveryMs))
        }, awayFromMs),
      )
      for (const { everyMs, change } of every) timers.add(setInterval(change, everyMs))
    },
    stop() {
      for (const timer of timers) clearTimeout(timer)
      timers.clear()
    },
    lacking() {
      // What a device without heads never hears of is no reason to wait.
      if (awayFromMs > 0) return 0
      let lacking = 0
      for (const device of devices)
        for (const [conv, count] of committed)
          if (conv.split(':').slice(1).includes(device.user))
            lacking += Math.max(0, count - (device.seen.get(conv) ?? 0))
      return lacking
    },
    samples: changes.samples,
  }
}

/** Everybody talks with four others, so that single chats are few enough to have a history. */
export function peerOf(random: Random, users: readonly string[], user: string): string {
  const at = users.indexOf(user)
  const step = random.pick([1, 3, -1, -3])
  return users[(at + step + users.length) % users.length] ?? user
}
