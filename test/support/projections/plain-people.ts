/** What belongs to people, the plain way: read marks, relations, settings, profiles. */
import type { Item, Relation } from '../../../schemas/frames.ts'
import type { EventPayload } from '../../../schemas/records.ts'

export interface PlainPeople {
  fold(stream: string, item: Item, payload: EventPayload): void
  readOf(user: string, conversation: string): { readonly seq: number; readonly ordinal: number }
  setting(user: string, key: string): string | null
  settings(user: string): Map<string, string>
  profile(user: string): Record<string, string | number | null>
  relations(user: string): Relation[]
}

interface Pair {
  friends: boolean
  askedBy: string | null
  note: string | null
  /** Of the last change that both may know of. */
  seq: number
  readonly blocks: Map<string, { readonly on: boolean; readonly seq: number }>
}

export function plainPeople(): PlainPeople {
  const reads = new Map<string, { seq: number; ordinal: number }>()
  const settings = new Map<string, Map<string, string>>()
  const profiles = new Map<string, Record<string, string | number | null>>()
  const pairs = new Map<string, Pair>()
  const pairOf = (stream: string): Pair => {
    const pair = pairs.get(stream) ?? { friends: false, askedBy: null, note: null, seq: 0, blocks: new Map() }
    pairs.set(stream, pair)
    return pair
  }
  const settingsOf = (user: string): Map<string, string> => {
    const of = settings.get(user) ?? new Map<string, string>()
    settings.set(user, of)
    return of
  }

  return {
    fold(stream, item, payload) {
      switch (payload.type) {
        case 'ReadMarked': {
          const key = `${payload.sender} ${payload.conversationId}`
          const was = reads.get(key) ?? { seq: 0, ordinal: 0 }
          const { seq, ordinal } = payload
          reads.set(key, { seq: Math.max(was.seq, seq), ordinal: Math.max(was.ordinal, ordinal) })
          return
        }
        case 'FriendRequested':
          Object.assign(item, { kind: 'friendRequested', value: payload.note })
          Object.assign(pairOf(stream), {
            askedBy: payload.sender,
            note: payload.note || null,
            seq: item.seq,
          })
          return
        case 'FriendAnswered': {
          Object.assign(item, { kind: 'friendAnswered', on: payload.accept })
          const now = { askedBy: null, note: null, friends: payload.accept, seq: item.seq }
          Object.assign(pairOf(stream), now)
          return
        }
        case 'FriendDeleted':
          item.kind = 'friendDeleted'
          Object.assign(pairOf(stream), { friends: false, note: null, seq: item.seq })
          return
        case 'Blocked':
          Object.assign(item, { kind: 'blocked', on: payload.on })
          pairOf(stream).blocks.set(payload.sender, { on: payload.on, seq: item.seq })
          return
        case 'SettingSet':
          Object.assign(item, { kind: 'setting', key: payload.key, value: payload.value })
          if (payload.value === null) settingsOf(payload.sender).delete(payload.key)
          else settingsOf(payload.sender).set(payload.key, payload.value)
          return
        case 'ProfileSet': {
          const { name, avatar, birthday, region, gender, custom } = payload
          const all = Object.entries({ name, avatar, birthday, region, gender, custom })
          const given = Object.fromEntries(all.filter(([, value]) => value !== null))
          Object.assign(item, { kind: 'profile', name, value: JSON.stringify(given) })
          profiles.set(payload.sender, { ...profiles.get(payload.sender), ...given, version: item.seq })
        }
      }
    },
    readOf: (user, conversation) => reads.get(`${user} ${conversation}`) ?? { seq: 0, ordinal: 0 },
    setting: (user, key) => settings.get(user)?.get(key) ?? null,
    settings: (user) => settingsOf(user),
    profile(userId) {
      const nothing = { name: null, avatar: null, birthday: null, region: null, gender: null, custom: null }
      return { userId, ...nothing, version: 0, ...profiles.get(userId) }
    },
    relations(user) {
      const found: Relation[] = []
      for (const [stream, { friends, askedBy, note, seq, blocks }] of pairs) {
        const [, a, b] = stream.split(':') as [string, string, string]
        if (user !== a && user !== b) continue
        const userId = user === a ? b : a
        const block = blocks.get(user)
        const state = friends ? 'friend' : askedBy === null ? 'none' : askedBy === user ? 'asked' : 'asking'
        const blocked = block?.on ?? false
        const remark = settingsOf(user).get(`remark:${userId}`) ?? null
        if (seq === 0 && !block) continue
        if (state === 'none' && !blocked && remark === null) continue
        found.push({ userId, state, blocked, note, remark, seq: Math.max(seq, block?.seq ?? 0) })
      }
      return found.sort((one, other) => (one.userId < other.userId ? -1 : 1))
    },
  }
}
