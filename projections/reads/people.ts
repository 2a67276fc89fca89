/** What a user has to do with others, profiles, and one's own settings. */
import type { Profile, Relation, Setting } from '../../schemas/frames.ts'
import { p2pId } from '../../schemas/ids.ts'
import { limits } from '../../schemas/limits.ts'
import { keys } from '../keys.ts'
import { parseLatest, valueIn } from '../latest.ts'
import type { RedisCall, RedisReply } from '../ports.ts'
import type { ProfilesAnswer, RelationsAnswer, SettingsAnswer } from '../reads.ts'
import { pairs } from './live.ts'
import { readLive, type Sources, settledHeads, unavailable } from './sources.ts'

type RelationNow = Relation & { readonly time: number }

export async function relations(sources: Sources, user: string): Promise<RelationsAnswer> {
  const { live } = sources
  const { value, complete } = await readLive(sources, async () => {
    const [reply] = await live.batch([['HGETALL', keys.relations(user)]])
    const all = new Map<string, RelationNow>()
    for (const [field, text] of pairs(reply)) foldRelation(all, field, text)
    const most = [...all.values()].sort(byWeight).slice(0, limits.relationsPerUserMax)
    const remarks = await live.settingsOf(
      user,
      most.map(({ userId }) => `remark:${userId}`),
    )
    return most.map(({ time: _time, ...relation }, i) => ({ ...relation, remark: remarks[i] ?? null }))
  })
  const found = value.filter(({ state, blocked, remark }) => state !== 'none' || blocked || remark !== null)
  found.sort((a, b) => (a.userId < b.userId ? -1 : 1))
  return { partial: !complete, relations: found }
}

function foldRelation(all: Map<string, RelationNow>, field: string, text: string): void {
  const latest = parseLatest(text)
  if (!latest) return
  const userId = field.slice(2)
  const nothing: RelationNow = {
    userId,
    state: 'none',
    blocked: false,
    note: null,
    remark: null,
    seq: 0,
    time: 0,
  }
  const was = all.get(userId) ?? nothing
  const seq = Math.max(was.seq, latest.seq)
  if (field.startsWith('b:')) all.set(userId, { ...was, seq, blocked: latest.value !== null })
  else {
    const [, state, time, note] =
      /^(asked|asking|friend|none):(\d+):([\s\S]*)$/.exec(latest.value ?? '') ?? []
    if (!state) return
    all.set(userId, {
      ...was,
      seq,
      state: state as Relation['state'],
      time: Number(time),
      note: note || null,
    })
  }
}

/** Friends and those who are blocked before requests, newer before older: so many strangers can ask that no friend is lost. */
function byWeight(a: RelationNow, b: RelationNow): number {
  const weight = ({ state, blocked }: RelationNow) =>
    state === 'friend' || blocked ? 2 : state === 'none' ? 0 : 1
  return weight(b) - weight(a) || b.time - a.time
}

/** Certain: what is told by it must not be told on after a block. */
export async function openFriends(
  sources: Sources,
  user: string,
  others: readonly string[],
): Promise<string[]> {
  if (others.length === 0) return []
  const { value, complete } = await readLive(sources, async () => {
    const { settled } = await settledHeads(
      sources,
      others.map((other) => p2pId(user, other)),
    )
    const [own, ...blocks] = await sources.live.batch([
      ['HMGET', keys.relations(user), ...others.flatMap((other) => [`f:${other}`, `b:${other}`])],
      ...others.map((other): RedisCall => ['HGET', keys.relations(other), `b:${user}`]),
    ])
    const mine = own as RedisReply[]
    const isOpen = (_: string, i: number): boolean =>
      (valueIn(mine[2 * i])?.startsWith('friend:') ?? false) &&
      valueIn(mine[2 * i + 1]) === null &&
      valueIn(blocks[i]) === null
    return { settled, open: others.filter(isOpen) }
  })
  if (!complete || !value.settled) throw unavailable()
  return value.open
}

const PROFILE_FIELDS = ['name', 'avatar', 'birthday', 'region', 'gender', 'custom'] as const

export async function profiles(sources: Sources, users: readonly string[]): Promise<ProfilesAnswer> {
  const asked = users.slice(0, limits.profilesPerRequestMax)
  const { value, complete } = await readLive(sources, () =>
    sources.live.batch(asked.map((user) => ['HMGET', keys.profile(user), ...PROFILE_FIELDS])),
  )
  return { partial: !complete, profiles: asked.map((userId, i) => profileIn(userId, value[i])) }
}

function profileIn(userId: string, reply: unknown): Profile {
  const texts = Array.isArray(reply) ? reply : []
  let version = 0
  const field = (name: (typeof PROFILE_FIELDS)[number]): string | null => {
    const latest = parseLatest(texts[PROFILE_FIELDS.indexOf(name)])
    version = Math.max(version, latest?.seq ?? 0)
    return latest?.value || null
  }
  const [name, avatar, birthday] = [field('name'), field('avatar'), field('birthday')]
  const [region, gender, custom] = [field('region'), field('gender'), field('custom')]
  return { userId, name, avatar, birthday, region, gender, custom, version }
}

export async function settings(sources: Sources, user: string): Promise<SettingsAnswer> {
  const { value, complete } = await readLive(sources, () =>
    sources.live.batch([['HGETALL', keys.settings(user)]]),
  )
  const found: Setting[] = []
  for (const [key, text] of pairs(value[0])) {
    const latest = parseLatest(text)
    if (latest && latest.value !== null) found.push({ key, value: latest.value, seq: latest.seq })
  }
  found.sort((a, b) => (a.key < b.key ? -1 : 1))
  return { partial: !complete, settings: found.slice(0, limits.settingsPerUserMax) }
}
