/** Clients on a fake gateway in virtual time. */
import type { Client, ConnectOptions } from '../../client/api.ts'
import { connectWith } from '../../client/client.ts'
import { type FakeGateway, fakeGateway } from './fake-gateway.ts'
import { type VirtualTime, virtualTime } from './virtual-time.ts'

export interface ClientWorld {
  readonly time: VirtualTime
  readonly gateway: FakeGateway
  readonly random: () => number
  readonly errors: unknown[]
  /** Begins to connect; the promise settles as time runs. */
  connect(user: string, options?: Partial<ConnectOptions>): Promise<Client>
  /** Connects and runs the time that it needs. */
  online(user: string, options?: Partial<ConnectOptions>): Promise<Client>
  /** The outcome of a call, after the time that it needs. */
  settled<T>(call: Promise<T>, ms?: number): Promise<T>
}

const START_MS = 1_800_000_000_000

export function clientWorld(seed: number): ClientWorld {
  const time = virtualTime(START_MS)
  const random = mulberry(seed)
  const gateway = fakeGateway(time, random)
  const errors: unknown[] = []
  const connect: ClientWorld['connect'] = (user, options = {}) =>
    connectWith(
      { url: ['ws://a/ws', 'ws://b/ws'], token: user, ...options },
      {
        clock: time,
        random,
        randomBytes: (bytes) => Uint8Array.from({ length: bytes }, () => Math.floor(random() * 256)),
        ways: () => gateway,
        deviceType: 'test',
        onWake: () => () => {},
        report: (error) => errors.push(error),
      },
    )
  return {
    time,
    gateway,
    random,
    errors,
    connect,
    async online(user, options) {
      const connecting = connect(user, options)
      // Its rejection is seen by the caller's await below.
      connecting.catch(() => {})
      await time.run(100)
      return connecting
    },
    async settled(call, ms = 2_000) {
      call.catch(() => {})
      await time.run(ms)
      return call
    },
  }
}

/** A small seeded generator (mulberry32). */
function mulberry(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}
