/** Who of those asked for is online: subscribed on each connection anew, told when it changes. */
import { limits } from '../schemas/limits.ts'
import type { Presence } from './api.ts'
import { chunks } from './chunks.ts'
import type { Emitter } from './emitter.ts'
import type { Requests } from './requests.ts'
import type { ServerFrameOf } from './wire.ts'

const ASK_MS_MAX = 15_000

type State = ServerFrameOf<'presenceResult'>['states'][number]

export interface PresenceCalls {
  subscribe(userIds: readonly string[]): Promise<Presence[]>
  unsubscribe(userIds: readonly string[]): Promise<void>
  /** A new connection knows nothing of what an earlier one asked for. */
  online(): void
  changed(changes: readonly State[]): void
}

export interface PresenceDeps {
  readonly requests: Requests
  readonly emitter: Emitter
}

export function createPresence({ requests, emitter }: PresenceDeps): PresenceCalls {
  /** Null: not answered yet. */
  const wanted = new Map<string, Presence | null>()
  let connects = 0

  function note({ userId, devices }: State, tellFirst: boolean): void {
    const before = wanted.get(userId)
    if (before === undefined) return
    const now = { userId, online: devices.length > 0, devices }
    wanted.set(userId, now)
    if (before === null ? tellFirst : !same(before, now)) emitter.emit('presence', now)
  }

  async function ask(userIds: readonly string[]): Promise<void> {
    for (const subscribe of chunks(userIds, limits.presencePerRequestMax)) {
      const { states } = await requests.insist({ type: 'presence', subscribe, unsubscribe: [] }, ASK_MS_MAX)
      for (const state of states) note(state, false)
    }
  }

  return {
    async subscribe(userIds) {
      const added = userIds.filter((userId) => !wanted.has(userId))
      for (const userId of added) wanted.set(userId, null)
      try {
        await ask([...new Set(userIds)])
      } catch (error) {
        for (const userId of added) wanted.delete(userId)
        throw error
      }
      return userIds.map((userId) => wanted.get(userId) ?? { userId, online: false, devices: [] })
    },
    async unsubscribe(userIds) {
      for (const userId of userIds) wanted.delete(userId)
      for (const unsubscribe of chunks(userIds, limits.presencePerRequestMax))
        await requests.insist({ type: 'presence', subscribe: [], unsubscribe }, ASK_MS_MAX)
    },
    online() {
      connects += 1
      // Presence is best effort: what is not answered in time is asked for on the next connection.
      if (connects > 1) ask([...wanted.keys()]).catch(() => {})
    },
    changed(changes) {
      for (const change of changes) note(change, true)
    },
  }
}

const same = (a: Presence, b: Presence): boolean => keyOf(a) === keyOf(b)
const keyOf = ({ devices }: Presence): string =>
  JSON.stringify(devices.map(({ deviceId, deviceType }) => [deviceId, deviceType]).sort())
