/** Faults of what is built from the log: rubbish in the log itself, inserts whose answers are lost, records deleted unread. */
import { Kafka, logLevel } from 'kafkajs'
import { seal } from '../../schemas/avro.ts'
import { records } from '../../schemas/records.ts'
import { topics } from '../../schemas/topics.ts'
import { INSERTS, refusalCodes, refusalOf } from '../support/clickhouse-refusals.ts'
import type { Cluster } from './cluster.ts'
import { monotonicUs } from './history.ts'
import type { Bites } from './nemesis.ts'
import { type Random, randomOf } from './random.ts'
import { partitions } from './settings.ts'

type Sleep = (ms: number) => Promise<void>

/** Longest wait for an insert to be refused. */
const refusedMsMax = 15_000
/** Under the broker's limit of a record, with its key. */
const LARGE_BYTES = 900_000

/** Where a record stands, as findings name it. */
export const placeOf = (topic: string, partition: number, offset: number): string =>
  `${topic} ${partition}/${offset}`

/** One of each kind into every topic that a role reads. */
export async function poison(cluster: Cluster, seed: number, bites: Bites): Promise<void> {
  const random = randomOf(seed)
  const appender = await cluster.store.appender('poison')
  const gateways = ['gw-1', 'gw-2'].map((id) => topics.deliveries(id))
  const single = [topics.activity, topics.gateways, topics.revocations, topics.schemas, ...gateways]
  try {
    for (const topic of [topics.commands, topics.events, topics.snapshots, ...single])
      for (const value of rubbish(random, topic)) {
        const partition = single.includes(topic) ? 0 : random.below(partitions)
        const offset = await appender.append(topic, partition, { key: `chaos-${random.below(1e9)}`, value })
        bites.poison.push(placeOf(topic, partition, offset))
      }
  } finally {
    await appender.close()
  }
}

function rubbish(random: Random, topic: string): (Buffer | null)[] {
  const bytes = (length: number): Buffer => Buffer.from(Array.from({ length }, () => random.below(256)))
  const values: (Buffer | null)[] = [
    null,
    Buffer.alloc(0),
    bytes(200),
    // Single-object encoding of a schema that nobody has.
    Buffer.concat([Buffer.from([0xc3, 0x01]), bytes(8), bytes(50)]),
    Buffer.concat([bytes(1_000), Buffer.alloc(LARGE_BYTES - 1_000)]),
  ]
  if (topic === topics.commands) values.push(absurdCommand(bytes))
  return values
}

/** The right schema, and nothing in it that means anything. */
const absurdCommand = (bytes: (length: number) => Buffer): Buffer =>
  seal(records.Command, {
    ...{ stream: '\u0000 no stream', packId: bytes(16), sender: '', device: 'x'.repeat(10_000), trace: null },
    ...{ reply: null, schema: bytes(8), payload: bytes(30) },
  })

/** Of whole blocks: what was inserted is in, and whoever inserted it does not know. */
export async function loseInsertAnswers(
  cluster: Cluster,
  { count, ms }: { readonly count: number; readonly ms: number },
  bites: Bites,
  sleep: Sleep,
): Promise<void> {
  const link = cluster.clickhouseLink
  if (!link) throw new Error('nothing stands before ClickHouse')
  link.loseAnswers(INSERTS, count)
  for (let waited = 0; link.toLose() > 0 && waited < 4 * ms; waited += 250) await sleep(250)
  bites.insertAnswersLost += count - link.toLose()
  link.loseAnswers(/^$/, 0)
}

/** What is there can be read, and nothing comes in: for want of room, and of the right to write. */
export async function refuseInserts(
  cluster: Cluster,
  ms: number,
  bites: Bites,
  away: (ms: number) => Promise<void>,
  sleep: Sleep,
): Promise<void> {
  const link = cluster.clickhouseLink
  if (!link) throw new Error('nothing stands before ClickHouse')
  const from = monotonicUs()
  try {
    for (const code of refusalCodes) {
      const before = link.answered()
      link.answerFor(INSERTS, refusalOf(code))
      await away(ms / refusalCodes.length)
      // A writer that was refused before waits for seconds.
      for (let waited = 0; link.answered() === before && waited < refusedMsMax; waited += 250)
        await sleep(250)
      bites.insertsRefused.set(code, (bites.insertsRefused.get(code) ?? 0) + link.answered() - before)
    }
  } finally {
    link.answerFor(INSERTS, null)
  }
  bites.storeOutages.push({ store: 'ClickHouse (inserts)', from, to: monotonicUs(), plannedMs: ms })
}

/** While nobody archives, login records reach the end of their time. */
export async function deleteActivity(
  cluster: Cluster,
  ms: number,
  bites: Bites,
  sleep: Sleep,
): Promise<void> {
  const projections = cluster.roles.filter(({ kind }) => kind === 'projection')
  const admin = new Kafka({ brokers: [...cluster.engines.kafka.brokers], logLevel: logLevel.NOTHING }).admin()
  const endOf = async () => Number((await admin.fetchTopicOffsets(topics.activity))[0]?.high ?? 0)
  for (const one of projections) one.busy = true
  try {
    await admin.connect()
    for (const one of projections) one.signal('SIGSTOP')
    const before = await endOf()
    await sleep(ms)
    const end = await endOf()
    await admin.deleteTopicRecords({
      topic: topics.activity,
      partitions: [{ partition: 0, offset: String(end) }],
    })
    bites.activityDeleted += end - before
  } finally {
    for (const one of projections) {
      one.signal('SIGCONT')
      one.busy = false
    }
    await admin.disconnect()
  }
}
