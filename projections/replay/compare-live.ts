/**
 * Compares two namespaces of Redis key by key, inside Redis. A key that differs is looked at again, and more closely, until it is
 * equal or stays different: both are written to meanwhile.
 */
import { type Clock, Fault, sleepOf } from '../../schemas/ports.ts'
import { KEY_PREFIX, keys, onlineKinds, prefixOf } from '../keys.ts'
import { inNamespace } from '../namespaces/redis.ts'
import type { RedisCall, RedisKeys, RedisPort } from '../ports.ts'
import { KEEP_ALL, keepsAll, type Policies } from '../reads/policy.ts'
import { comparePart } from './compare-script.ts'
import { contentsOf } from './contents.ts'
import { type Contents, firstDifference, mentionsAbove, ownAbove, withinPolicy } from './normal.ts'
import type { Comparison, Difference } from './report.ts'

export interface CompareLiveOptions {
  readonly redis: RedisPort & RedisKeys
  readonly active: string
  readonly other: string
  readonly clock: Clock
  readonly policies?: Policies
  readonly signal?: AbortSignal
  /** How often what differs is looked at, and how long after the time before. Default 12 and 1,000. */
  readonly looksMax?: number
  readonly lookEveryMs?: number
  readonly onProgress?: (compared: number, different: number) => void
}

const ENTRIES_PER_PART = 500
const PAIRS_PER_BATCH = 200
const EXAMPLES_MAX = 20
/** Beyond so many it is another thing, and not worth looking at each again. */
const DIFFERENT_MAX = 100_000

export async function compareLive(options: CompareLiveOptions): Promise<Comparison> {
  const { redis, active, other, clock, signal, policies = KEEP_ALL } = options
  const counts = new Map<string, { compared: number; different: number }>()
  const different = new Set<string>()
  let compared = 0

  function check(): void {
    if (signal?.aborted) throw new Fault('aborted', 'stopped before the end', { retriable: true })
  }

  async function pass(namespace: string, both: boolean): Promise<void> {
    const prefix = prefixOf(namespace)
    for await (const found of redis.keysLike(`${prefix}*`)) {
      check()
      const some = found.map((key) => key.slice(prefix.length)).filter(isCompared)
      for (let at = 0; at < some.length; at += PAIRS_PER_BATCH) {
        const part = some.slice(at, at + PAIRS_PER_BATCH)
        // The other way round, only what the first pass cannot have met.
        const unequal = both ? await unequalOf(part) : await missingOf(part)
        for (const key of unequal) if (different.size < DIFFERENT_MAX) different.add(key)
        const counted = both ? part : unequal
        for (const key of counted) countOf(kindOf(key)).compared++
        compared += counted.length
      }
      options.onProgress?.(compared, different.size)
    }
  }

  const countOf = (kind: string) => {
    const known = counts.get(kind) ?? { compared: 0, different: 0 }
    counts.set(kind, known)
    return known
  }

  async function unequalOf(names: readonly string[]): Promise<string[]> {
    const unequal: string[] = []
    let left = names.map((name) => ({ name, cursor: '0' }))
    while (left.length > 0) {
      const replies = await redis.batch(
        left.map(({ name, cursor }) => ({
          script: comparePart,
          keys: [prefixOf(active) + name, prefixOf(other) + name],
          args: [cursor, ENTRIES_PER_PART],
        })),
      )
      const next: typeof left = []
      for (const [i, { name }] of left.entries()) {
        const reply = replies[i]
        if (reply === 0) unequal.push(name)
        else if (reply !== 1) next.push({ name, cursor: String(reply) })
      }
      left = next
    }
    return unequal
  }

  async function missingOf(names: readonly string[]): Promise<string[]> {
    const replies = await redis.batch(names.map((name): RedisCall => ['EXISTS', prefixOf(active) + name]))
    return names.filter((_, i) => replies[i] === 0)
  }

  async function look(name: string): Promise<Difference | null> {
    const [[a], [b]] = await Promise.all([
      contentsOf(inNamespace(redis, active), [KEY_PREFIX + name]),
      contentsOf(inNamespace(redis, other), [KEY_PREFIX + name]),
    ])
    const kind = kindOf(name)
    const found = firstDifference(
      ...((await normal(kind, name, a as Contents, b as Contents)) as [Contents, Contents]),
    )
    return found && { kind, key: name, inActive: found[0], inOther: found[1] }
  }

  /** Without what does not count. */
  async function normal(kind: string, name: string, ...both: Contents[]): Promise<Contents[]> {
    const port = inNamespace(redis, active)
    const tag = /\{(.*?)\}/.exec(name)?.[1] ?? ''
    if (kind === 'mine') {
      const conversationId = name.slice(name.indexOf('}:') + 2)
      const read = await readOrdinal(port, tag, conversationId)
      return both.map((contents) => ownAbove(contents, read))
    }
    if (kind === 'men' && !/^men:(order|by):/.test(name)) {
      const users = new Set(both.flatMap((contents) => [...contents.keys()]).map((one) => one.slice(0, -17)))
      const reads = new Map<string, number>()
      for (const user of users) reads.set(user, await readOrdinal(port, user, tag))
      return both.map((contents) => mentionsAbove(contents, tag, (user) => reads.get(user) ?? -1))
    }
    if ((kind === 'tl' || kind === 'head') && !keepsAll(policies))
      return both.map((contents) => withinPolicy(contents, tag, policies, clock.now()))
    return both
  }

  await pass(active, true)
  await pass(other, false)
  const examples: Difference[] = []
  let stays: Difference[] = []
  const looksMax = options.looksMax ?? 12
  for (let looks = 0; looks < looksMax && different.size > 0; looks++) {
    check()
    if (looks > 0) await sleepOf(clock)(options.lookEveryMs ?? 1_000)
    stays = []
    const again = new Set(await unequalInBatches([...different], unequalOf))
    for (const name of different) {
      const found = again.has(name) ? await look(name) : null
      if (found) stays.push(found)
      else different.delete(name)
    }
    options.onProgress?.(compared, different.size)
  }
  for (const found of stays) {
    countOf(found.kind).different++
    if (examples.length < EXAMPLES_MAX) examples.push(found)
  }
  return { kinds: counts, examples, notes: [] }
}

async function unequalInBatches(
  names: readonly string[],
  unequalOf: (some: readonly string[]) => Promise<string[]>,
): Promise<string[]> {
  const unequal: string[] = []
  for (let at = 0; at < names.length; at += PAIRS_PER_BATCH)
    unequal.push(...(await unequalOf(names.slice(at, at + PAIRS_PER_BATCH))))
  return unequal
}

const kindOf = (name: string): string => name.split(':', 1)[0] ?? name

/** What a reader keeps for itself is no read model's. */
function isCompared(name: string): boolean {
  const kind = kindOf(name)
  return kind !== 'pos' && !(onlineKinds as readonly string[]).includes(kind)
}

async function readOrdinal(redis: RedisPort, user: string, conversationId: string): Promise<number> {
  const [reply] = await redis.batch([['HGET', keys.reads(user), conversationId]])
  return typeof reply === 'string' ? Number(reply.split(':')[1]) : -1
}
