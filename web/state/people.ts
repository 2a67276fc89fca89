/** Who people are: profiles, relations, presence. What is asked for and not known is read, and the views are told. */

import type {
  Client,
  Presence,
  Profile,
  ProfileFields,
  Relation,
  RelationChange,
} from '../../client/index.ts'
import { limits } from '../../schemas/limits.ts'
import { explain } from '../format.ts'
import { refresher } from './refresh.ts'

export interface People {
  nameOf(userId: string): string
  /** Null: not read yet. */
  profile(userId: string): Profile | null
  relation(userId: string): Relation
  /** All with whom there is anything, by name. */
  relations(): readonly Relation[]
  isOnline(userId: string): boolean
  presence(userId: string): Presence | null
  /** Why the relations could not be read, or ''. */
  problem(): string
}

const none = (userId: string): Relation => ({
  userId,
  state: 'none',
  blocked: false,
  note: null,
  remark: null,
})

const isSame = (a: Relation, b: Relation): boolean =>
  a.state === b.state && a.blocked === b.blocked && a.remark === b.remark

/** Then what is read counts, whatever was told. */
const TRIES_MAX = 20

/** A relation after a change, as the one side sees it. Pure. */
export function relationAfter(relation: Relation, change: RelationChange, me: string): Relation {
  const mine = change.byUserId === me
  switch (change.kind) {
    case 'friendRequested':
      return { ...relation, state: mine ? 'asked' : 'asking', note: change.note }
    case 'friendAnswered':
      return { ...relation, state: change.on ? 'friend' : 'none', note: null }
    case 'friendDeleted':
      return { ...relation, state: 'none', note: null }
    case 'blocked':
      return mine ? { ...relation, blocked: change.on === true } : relation
  }
}

export function createPeople(client: Client, changed: () => void): People {
  const profiles = new Map<string, Profile>()
  const wanted = new Set<string>()
  const asked = new Set<string>()
  const relations = new Map<string, Relation>()
  /** What was told and not read yet: it is newer than what is read meanwhile. */
  const told = new Map<string, Relation>()
  let tries = 0
  const presences = new Map<string, Presence>()
  let subscribed: ReadonlySet<string> = new Set()
  let problem = ''
  let timer: ReturnType<typeof setTimeout> | null = null

  function want(userId: string): void {
    if (asked.has(userId)) return
    asked.add(userId)
    wanted.add(userId)
    if (timer === null) timer = setTimeout(readProfiles, 0)
  }
  function readProfiles(): void {
    timer = null
    const ids = [...wanted]
    wanted.clear()
    for (let i = 0; i < ids.length; i += limits.profilesPerRequestMax) {
      const part = ids.slice(i, i + limits.profilesPerRequestMax)
      client.profiles(part).then(
        (answer) => {
          for (const profile of answer)
            if (profile.version >= (profiles.get(profile.userId)?.version ?? 0))
              profiles.set(profile.userId, profile)
          changed()
        },
        // Their ids stand for them until they are asked for again.
        () => part.forEach((id) => void asked.delete(id)),
      )
    }
  }

  /** True: the answer does not hold yet what was told. */
  const relationsRead = refresher(async () => {
    try {
      const answer = new Map((await client.relations()).map((relation) => [relation.userId, relation]))
      tries += 1
      for (const [userId, relation] of told)
        if (isSame(answer.get(userId) ?? none(userId), relation) || tries > TRIES_MAX) told.delete(userId)
      relations.clear()
      for (const relation of [...answer.values(), ...told.values()]) relations.set(relation.userId, relation)
      problem = ''
      subscribe(answer.values())
    } catch (error) {
      problem = `Friends could not be read: ${explain(error)}`
    }
    changed()
    return told.size > 0 && problem === ''
  })

  /** Follows the presence of friends and of nobody else: as the server reads them, which shows that of nobody else. */
  function subscribe(read: Iterable<Relation>): void {
    const friends = [...read].filter(({ state }) => state === 'friend').map(({ userId }) => userId)
    const now = new Set(friends.slice(0, limits.presenceSubscriptionsPerConnectionMax))
    const added = [...now].filter((id) => !subscribed.has(id))
    const gone = [...subscribed].filter((id) => !now.has(id))
    subscribed = now
    for (const id of gone) presences.delete(id)
    if (gone.length > 0) client.unsubscribePresence(gone).catch(() => {})
    if (added.length === 0) return
    client.subscribePresence(added).then(
      (states) => {
        for (const state of states) presences.set(state.userId, state)
        changed()
      },
      // Presence is a courtesy; nobody is shown online then.
      () => {
        subscribed = new Set([...subscribed].filter((id) => !added.includes(id)))
      },
    )
  }

  function set(relation: Relation): void {
    relations.set(relation.userId, relation)
    told.set(relation.userId, relation)
    tries = 0
    relationsRead.soon()
  }
  const relationOf = (userId: string): Relation => relations.get(userId) ?? none(userId)

  client.on('relation', (change) => {
    const before = relationOf(change.userId)
    set(relationAfter(before, change, client.userId))
    changed()
  })
  client.on('setting', ({ key, value }) => {
    if (!key.startsWith('remark:')) return
    const userId = key.slice('remark:'.length)
    set({ ...relationOf(userId), remark: value || null })
    changed()
  })
  client.on('profile', ({ userId, version, changes }) => {
    const held = profiles.get(userId)
    if (held && held.version >= version) return
    const empty: ProfileFields = {
      name: null,
      avatar: null,
      birthday: null,
      region: null,
      gender: null,
      custom: null,
    }
    profiles.set(userId, { ...empty, ...held, ...changes, userId, version })
    changed()
  })
  client.on('presence', (presence) => {
    presences.set(presence.userId, presence)
    changed()
  })
  client.on('conversation', ({ conversationId, reason }) => {
    if (conversationId.startsWith('p2p:') && reason !== 'new') relationsRead.soon()
  })
  client.on('state', ({ state }) => {
    if (state === 'online') relationsRead.soon()
  })
  void relationsRead.now()
  want(client.userId)

  const nameOf = (userId: string): string => {
    want(userId)
    return relations.get(userId)?.remark || profiles.get(userId)?.name || userId
  }
  return {
    nameOf,
    profile(userId) {
      want(userId)
      return profiles.get(userId) ?? null
    },
    relation: relationOf,
    relations: () =>
      [...relations.values()]
        .filter(({ state, blocked }) => state !== 'none' || blocked)
        .sort((a, b) => nameOf(a.userId).localeCompare(nameOf(b.userId))),
    isOnline: (userId) => presences.get(userId)?.online === true,
    presence: (userId) => presences.get(userId) ?? null,
    problem: () => problem,
  }
}
