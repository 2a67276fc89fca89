/** Unread counts and timelines of the sample: asked, judged, and asked again where they do not fit. */
import type { RedisPort } from '../ports.ts'
import type { Policies } from '../reads/policy.ts'
import type { Find } from './findings.ts'
import { textHash } from './fingerprints.ts'
import type { Sample } from './sample.ts'
import { judgeTimeline, judgeUnread, type Pair, servedBy } from './served.ts'

export interface ServedOptions {
  readonly redis: RedisPort
  readonly partitions: number
  readonly generation: number
  readonly sample: Sample
  readonly policies: Policies
  readonly find: Find
  /** Takes the fold to the end of the log. */
  extend(): Promise<void>
  /** Waits until the read models have come to the fold. */
  caughtUp(): Promise<unknown>
  /** A pause before what did not fit is asked again. */
  settle(): Promise<void>
  hasStream(stream: string): boolean
  hasUser(user: string): boolean
  progress(done: number, of: number): void
}

/** Members of one conversation that are asked, of many those with the least number. */
const USERS_PER_STREAM_MAX = 200
const AT_ONCE = 400
const ATTEMPTS = 5

export async function checkServed(options: ServedOptions) {
  const { sample } = options
  const streams = [...sample.streams.keys()].filter(options.hasStream)
  const { pairs, all } = pairsOf(options, streams)
  const served = servedBy(options.redis, options)
  const total = streams.length + pairs.length
  let done = 0

  /** Runs through `things`; those that do not fit are tried again together. What they must at least have come to is noted when they have. */
  async function compare<T, L>(
    things: readonly T[],
    leastOf: (thing: T) => L,
    look: (some: readonly Asked<T, L>[]) => Promise<Wrong<T>[]>,
  ): Promise<Wrong<T>[]> {
    let left: readonly T[] = things
    let wrong: Wrong<T>[] = []
    for (let attempt = 0; left.length > 0 && attempt < ATTEMPTS; attempt++) {
      if (attempt > 0) {
        await options.settle()
        await options.extend()
        await options.caughtUp()
      }
      const asked = left.map((of) => ({ of, least: leastOf(of) }))
      wrong = []
      for (let at = 0; at < asked.length; at += AT_ONCE) {
        const some = asked.slice(at, at + AT_ONCE)
        wrong.push(...(await look(some)))
        if (attempt === 0) done += some.length
        options.progress(done, total)
      }
      left = wrong.map(({ of }) => of)
    }
    return wrong
  }

  async function lookAtPairs(some: readonly Asked<Pair, Least>[]): Promise<Wrong<Pair>[]> {
    const asked = new Map(some.map((one) => [keyOf(one.of), one]))
    const told = await served.unread(some.map(({ of }) => of))
    await options.extend()
    return told.flatMap((one) => {
      const { of, least } = asked.get(keyOf(one)) ?? {}
      const plain = sample.streams.get(one.conversation)
      const judged = least && plain ? judgeUnread(one, plain, sample, least) : null
      return of && judged ? [{ of, what: judged.what }] : []
    })
  }

  async function lookAtTimelines(some: readonly Asked<string, number>[]): Promise<Wrong<string>[]> {
    const least = new Map(some.map((one) => [one.of, one.least]))
    const read = await served.timelines(some.map(({ of }) => of))
    await options.extend()
    return read.flatMap((one) => {
      const plain = sample.streams.get(one.stream)
      const judged = plain ? judgeTimeline(one, plain, least.get(one.stream) ?? 0, options.policies) : null
      return judged ? [{ of: one.stream, what: judged.what }] : []
    })
  }

  const seqOf = (stream: string): number => sample.streams.get(stream)?.seq() ?? 0
  const leastOf = ({ user, conversation }: Pair): Least => ({
    seq: seqOf(conversation),
    mark: sample.mark(user, conversation).seq,
  })
  for (const { of, what } of await compare(pairs, leastOf, lookAtPairs))
    options.find('unread', `${of.user} in ${of.conversation}: ${what}`)
  for (const { of, what } of await compare(streams, seqOf, lookAtTimelines))
    options.find('timeline', `${of}: ${what}`)
  return { pairs: pairs.length, pairsAll: all, timelines: streams.length }
}

/** What a read model must have come to by then. */
interface Least {
  readonly seq: number
  readonly mark: number
}

interface Asked<T, L> {
  readonly of: T
  readonly least: L
}

interface Wrong<T> {
  readonly of: T
  readonly what: string
}

const keyOf = ({ user, conversation }: Pair): string => `${user} ${conversation}`

function pairsOf({ sample, hasUser }: ServedOptions, streams: readonly string[]) {
  const pairs: Pair[] = []
  let all = 0
  for (const conversation of streams) {
    const users = [...(sample.streams.get(conversation)?.users() ?? [])]
    all += users.length
    const those =
      users.length <= USERS_PER_STREAM_MAX
        ? users
        : users
            .map((user) => ({ user, draw: textHash(`${user} ${conversation}`).low }))
            .sort((a, b) => a.draw - b.draw)
            .slice(0, USERS_PER_STREAM_MAX)
            .map(({ user }) => user)
    for (const user of those) if (hasUser(user)) pairs.push({ user, conversation })
  }
  return { pairs, all }
}
