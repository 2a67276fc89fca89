/**
 * F26: retention overtakes consumers that are stopped. im.events loses what nobody has projected; then whoever needs it must say so
 * and stop, nothing from behind the gap may come anywhere, and nobody may be told that a message was committed.
 */
import { readFileSync, statSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { Kafka, logLevel } from 'kafkajs'
import { type Client, connect } from '../../client/index.ts'
import { mintToken } from '../../gateway/tokens/mint.ts'
import { createRedis } from '../../infra/redis/client.ts'
import { keys } from '../../projections/keys.ts'
import { partitionOf } from '../../schemas/ids.ts'
import { topics } from '../../schemas/topics.ts'
import { query } from './checker/read-archive.ts'
import type { Find, Finding } from './checker/types.ts'
import type { Cluster } from './cluster.ts'
import { pairOf } from './load/device.ts'
import { type Built, builtIn, differences } from './rebuild.ts'
import type { RoleHandle, RoleKind } from './role.ts'
import { gapName, partitions } from './settings.ts'

export interface Truncated {
  /** Partition → records that were deleted before they were projected. */
  readonly unread: readonly number[]
  /** Processes that said that what they need is gone, by role. */
  readonly alarms: ReadonlyMap<RoleKind, number>
  /** Messages that were committed behind the gap, while it stood and somebody still decided. */
  readonly behind: number
  /** Sends after everyone who might decide them had refused to. */
  readonly asked: number
}

const alarm = '"code":"events_truncated"'
const talkMs = 3_000
const talkEveryMs = 200
/** In every partition something is to be unread by then. */
const talkMsMax = 20_000
/** A lost member's session, a rebalance and a start. */
const refusalMsMax = 60_000
const lookEveryMs = 250
/** How long a send that must not be answered is waited for. */
const answerMs = 6_000
const tokenTtlSec = 3_600
const silent = { debug() {}, info() {}, warn() {}, error() {} }

export async function truncate(
  cluster: Cluster,
  findings: Finding[],
  say: (line: string) => void,
): Promise<Truncated> {
  const find: Find = (kind, detail) => void findings.push({ kind, detail })
  const of = (kind: RoleKind) => cluster.roles.filter((role) => role.kind === kind)
  const talkers = await Promise.all(cluster.urls.map((url, i) => talkerAt(cluster, url, gapName(i))))
  const alarms = new Map<RoleKind, number>()
  const refusals = async (kinds: readonly RoleKind[], meanwhile: () => void): Promise<void> => {
    const heard = listen(kinds.flatMap(of))
    meanwhile()
    await until(() => heard.silent().length === 0)
    for (const kind of kinds) alarms.set(kind, heard.said(kind))
    for (const { name } of heard.silent()) find('gap-unsaid', `${name} did not say what is gone`)
  }
  try {
    say('stopping the projections, while messages are sent')
    for (const role of of('projection')) role.hold()
    const positions = await positionsOf(cluster)
    const before = await builtIn(cluster, { fanout: false })
    const unread = await deleteUnread(cluster, positions, talkers)
    say(`deleted ${unread.join(' + ')} records of im.events that nobody had projected`)
    let behind = 0
    const talking = setInterval(() => {
      for (const talker of talkers)
        talk(talker, () => {
          behind += 1
        })
    }, talkEveryMs)
    // Each store's reader in a process of its own: else the first to refuse ends it for both.
    await refusals(['projection'], () => {
      for (const [i, role] of of('projection').entries()) role.letGo(i % 2 === 0 ? 'live' : 'archive')
    })
    clearInterval(talking)
    say('killing a sequencer and a fan-out: nobody may take over')
    await refusals(['sequencer', 'fanout'], () => {
      for (const kind of ['sequencer', 'fanout'] as const) of(kind)[0]?.signal('SIGKILL')
    })
    let answered = 0
    for (const talker of talkers)
      talk(talker, () => {
        answered += 1
      })
    await sleep(answerMs)
    const asked = talkers.length * partitions
    if (answered > 0) find('gap-answered', `${answered} of ${asked} sends were acknowledged behind the gap`)
    findings.push(...(await skipped(cluster, positions, before)))
    return { unread, alarms, behind, asked }
  } finally {
    await Promise.all(talkers.map(({ client }) => client.close({ deadlineMs: 500 })))
  }
}

interface Talker {
  readonly client: Client
  /** One for each partition. */
  readonly peers: readonly string[]
}

async function talkerAt(cluster: Cluster, url: string, user: string): Promise<Talker> {
  const secret = Buffer.from(readFileSync(cluster.secretFile, 'utf8').trim())
  const token = await mintToken(secret, user, tokenTtlSec)
  const client = await connect({ url, token, deviceId: 'gap', deviceType: 'chaos' })
  const peers: string[] = []
  for (let i = cluster.urls.length; Object.keys(peers).length < partitions; i++)
    peers[partitionOf(pairOf(user, gapName(i)), partitions)] ??= gapName(i)
  return { client, peers }
}

/** Says something in every partition. */
function talk({ client, peers }: Talker, committed: () => void): void {
  for (const to of peers) client.send({ to, text: 'gap' }).then(committed, () => {})
}

/** Next offset of each partition, as Redis and the archive have it. */
async function positionsOf(cluster: Cluster): Promise<{ live: number[]; archive: number[] }> {
  const redis = createRedis({ urls: [cluster.engines.redis.url], name: 'chaos' }, silent)
  try {
    await redis.ready(5_000)
    const replies = await redis.batch(
      Array.from({ length: partitions }, (_, i) => ['HGET', keys.positions(), String(i)]),
    )
    const sql = 'SELECT partition, max(offset) + 1 FROM longwire.events GROUP BY partition FORMAT TSV'
    const rows = (await query(cluster.engines.clickhouse.url, sql)).trim().split('\n')
    const archived = new Map(rows.map((row) => row.split('\t').map(Number) as [number, number]))
    return {
      live: replies.map((text) => Number(String(text).split('.')[1] ?? 0)),
      archive: replies.map((_, i) => archived.get(i) ?? 0),
    }
  } finally {
    await redis.close()
  }
}

type Positions = Awaited<ReturnType<typeof positionsOf>>

/** Goes on until every partition has something that nobody has read; answers how much of each was deleted. */
async function deleteUnread(
  cluster: Cluster,
  positions: Positions,
  talkers: readonly Talker[],
): Promise<number[]> {
  const admin = await cluster.store.admin()
  const kafka = new Kafka({ brokers: [...cluster.engines.kafka.brokers], logLevel: logLevel.NOTHING }).admin()
  const ranges = () =>
    Promise.all(Array.from({ length: partitions }, (_, i) => admin.range(topics.events, i)))
  const readTo = positions.live.map((next, i) => Math.max(next, positions.archive[i] ?? 0))
  try {
    await kafka.connect()
    // Without having asked for the topic it knows none.
    await kafka.fetchTopicOffsets(topics.events)
    const fromMs = performance.now()
    for (let ms = 0; ms < talkMsMax; ms = performance.now() - fromMs) {
      const waiting = (await ranges()).filter(({ end }, i) => end <= (readTo[i] ?? 0))
      if (waiting.length === 0 && ms >= talkMs) break
      for (const talker of talkers) talk(talker, () => {})
      await sleep(talkEveryMs)
    }
    const ends = (await ranges()).map(({ end }) => end)
    await kafka.deleteTopicRecords({
      topic: topics.events,
      partitions: ends.map((end, partition) => ({ partition, offset: String(end) })),
    })
    return (await ranges()).map(({ begin }, i) => Math.max(0, begin - (readTo[i] ?? 0)))
  } finally {
    await kafka.disconnect()
    await admin.close()
  }
}

/** What processes write into their logs from now on. */
function listen(roles: readonly RoleHandle[]) {
  const from = new Map(roles.map(({ name, logFile }) => [name, statSync(logFile).size]))
  /** By process id: each life says it anew. */
  const lives = ({ name, logFile }: RoleHandle) =>
    new Set(
      readFileSync(logFile)
        .subarray(from.get(name))
        .toString('utf8')
        .split('\n')
        .filter((line) => line.includes(alarm))
        .map((line) => /"pid":(\d+)/.exec(line)?.[1]),
    )
  return {
    silent: () => roles.filter((role) => lives(role).size === 0),
    said: (kind: RoleKind) =>
      roles.reduce((sum, role) => sum + (role.kind === kind ? lives(role).size : 0), 0),
  }
}

async function until(done: () => boolean): Promise<void> {
  const untilMs = performance.now() + refusalMsMax
  while (!done() && performance.now() < untilMs) await sleep(lookEveryMs)
}

/** Whatever moved, in the read models or the archive, moved over the gap. */
async function skipped(cluster: Cluster, positions: Positions, before: Built): Promise<Finding[]> {
  const now = await positionsOf(cluster)
  const moved = (['live', 'archive'] as const).flatMap((store) =>
    now[store].flatMap((next, i) =>
      next === positions[store][i]
        ? []
        : [`${store} in partition ${i}: from ${positions[store][i]} to ${next}`],
    ),
  )
  const written = differences(before, await builtIn(cluster, { fanout: false })).map(({ detail }) => detail)
  return [...moved, ...written].map((detail) => ({ kind: 'gap-skipped', detail }))
}
