/** Profiles that were asked for: read again when they may have changed, and told when they have. */
import { limits } from '../schemas/limits.ts'
import type { Clock } from '../schemas/ports.ts'
import type { Profile, ProfileChange } from './api.ts'
import { chunks } from './chunks.ts'
import { jsonOf } from './messages.ts'
import type { Requests } from './requests.ts'
import type { ServerFrameOf } from './wire.ts'

const ASK_MS_MAX = 15_000
/** Hints that come together are answered by one reading. */
const AGAIN_AFTER_MS = 300
/** Of the newest so many changes are told. */
const KNOWN_MAX = 1_000

export interface Profiles {
  read(userIds: readonly string[]): Promise<Profile[]>
  /** This one may have changed. */
  stale(userId: string): void
  /** All may have changed while this client was away. */
  online(): void
  noted(change: ProfileChange): void
  /** One's own stream went on without telling all. */
  jumped(): void
}

export interface ProfilesDeps {
  readonly clock: Clock
  readonly userId: () => string
  readonly requests: Requests
  readonly tell: (change: ProfileChange) => void
}

export function createProfiles(deps: ProfilesDeps): Profiles {
  /** Version told last, by user id. */
  const versions = new Map<string, number>()
  const stale = new Set<string>()
  let waits = false
  let connects = 0

  async function ask(userIds: readonly string[]): Promise<Map<string, Profile>> {
    const found = new Map<string, Profile>()
    for (const part of chunks([...new Set(userIds)], limits.profilesPerRequestMax)) {
      const { profiles } = await deps.requests.insist({ type: 'profiles', userIds: part }, ASK_MS_MAX)
      for (const profile of profiles) found.set(profile.userId, profileOf(profile))
    }
    return found
  }

  function remember(userId: string, version: number): void {
    const before = versions.get(userId) ?? 0
    versions.delete(userId)
    versions.set(userId, Math.max(before, version))
    const [oldest] = versions.keys()
    if (versions.size > KNOWN_MAX && oldest !== undefined) versions.delete(oldest)
  }

  function again(): void {
    if (waits || stale.size === 0) return
    waits = true
    deps.clock.after(AGAIN_AFTER_MS, () => {
      waits = false
      const userIds = [...stale]
      stale.clear()
      ask(userIds).then(
        (found) => {
          for (const { userId, version, ...changes } of found.values()) {
            const before = versions.get(userId)
            if (before === undefined || version <= before) continue
            remember(userId, version)
            deps.tell({ userId, version, changes })
          }
        },
        // Not answered: all are read again after the next connect.
        () => {},
      )
    })
  }

  return {
    async read(userIds) {
      const found = await ask(userIds)
      return userIds.flatMap((userId) => {
        const profile = found.get(userId)
        if (profile) remember(userId, profile.version)
        return profile ?? []
      })
    },
    stale(userId) {
      if (!versions.has(userId)) return
      stale.add(userId)
      again()
    },
    online() {
      connects += 1
      if (connects === 1) return
      // Of one's own the stream tells.
      for (const userId of versions.keys()) if (userId !== deps.userId()) stale.add(userId)
      again()
    },
    noted({ userId, version }) {
      if (versions.has(userId)) remember(userId, version)
    },
    jumped() {
      const own = deps.userId()
      remember(own, 0)
      stale.add(own)
      again()
    },
  }
}

const profileOf = (profile: ServerFrameOf<'profilesResult'>['profiles'][number]): Profile => ({
  userId: profile.userId,
  name: profile.name ?? null,
  avatar: profile.avatar ?? null,
  birthday: profile.birthday ?? null,
  region: profile.region ?? null,
  gender: profile.gender ?? null,
  custom: jsonOf(profile.custom),
  version: profile.version,
})
