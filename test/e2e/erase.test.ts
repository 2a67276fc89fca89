/** What was said is sealed in every topic, and can be taken from everyone: a user's contents, and what nobody sees any more. */
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../infra/clock.ts'
import { engineAddresses } from '../../infra/embedded/addresses.ts'
import { kafkaStore } from '../../infra/kafka/store.ts'
import { silentLog } from '../../infra/log.ts'
import { createRedis } from '../../infra/redis/client.ts'
import { contentsOf } from '../../projections/replay/contents.ts'
import { scan } from '../../projections/scan.ts'
import { runCommand } from '../support/command.ts'
import { allOf, closeAll, type Person, personOf, until } from '../support/person.ts'
import { type Platform, startPlatform } from '../support/platform.ts'

let platform: Platform
let ann: Person
let bob: Person
let chat = ''
const seqs: Record<string, number> = {}
/** In everything that is said here. */
const MARK = 'halcyon'

beforeAll(async () => {
  platform = await startPlatform()
  ann = await person('ann')
  bob = await person('bob')
})
afterAll(async () => {
  await closeAll(ann, bob)
  expect(await platform?.stop()).toBe(0)
})

const person = (user: string) => personOf({ url: platform.ws, token: () => platform.mint(user), user })
const run = (file: string, args: readonly string[], settings?: Readonly<Record<string, string>>) =>
  runCommand(platform.dataDir, file, args, settings)
const erase = (args: readonly string[], settings?: Readonly<Record<string, string>>) =>
  run('projections/erase/main.ts', args, settings)

/** Topics with a record that holds the mark. */
async function topicsWith(mark: string): Promise<string[]> {
  const engines = engineAddresses(platform.dataDir)
  const store = kafkaStore(
    { brokers: engines?.kafka ?? [], clientId: 'test', tls: false, replication: 1, minInsync: 1 } as never,
    silentLog,
    systemClock,
  )
  const admin = await store.admin()
  const found = new Set<string>()
  let looked = 0
  for (const topic of (await admin.listTopics()).filter((name) => name.startsWith('im.')))
    await scan({
      ...{ store, topic, partitions: await admin.partitionCount(topic), compacted: true },
      take(_, batch) {
        looked += batch.length
        if (batch.some(({ value }) => value?.includes(mark))) found.add(topic)
      },
    })
  await admin.close()
  expect(looked).toBeGreaterThan(20)
  return [...found]
}

/** How many keys of Redis and rows of the archive hold it. */
async function modelsWith(mark: string): Promise<{ redis: number; archive: number }> {
  const redis = createRedis(
    { urls: [engineAddresses(platform.dataDir)?.redis ?? ''], name: 'test' } as never,
    silentLog,
  )
  await redis.ready(5_000)
  let inRedis = 0
  for await (const keys of redis.keysLike('lw*'))
    for (const contents of await contentsOf(redis, keys))
      if ([...contents].flat().some((text) => text.includes(mark))) inRedis += 1
  await redis.close()
  const like = (column: string) => `ifNull(${column}, '') LIKE '%${mark}%'`
  const sql = `SELECT (SELECT countIf(${like('content')}) FROM longwire.items) + (SELECT countIf(${like('content')} OR ${like('search_text')}) FROM longwire.messages)
    + (SELECT countIf(${like('payload')}) FROM longwire.events)`
  return { redis: inRedis, archive: await ask(sql) }
}

async function ask(body: string): Promise<number> {
  return Number(await (await fetch(platform.clickhouse, { method: 'POST', body })).text())
}

/** What bob is shown, by the name that each message has here. */
async function shown(): Promise<Record<string, unknown>> {
  const all = await allOf(bob.me, chat)
  return Object.fromEntries(
    Object.entries(seqs).map(([name, seq]) => [
      name,
      all.find((one) => one.seq === seq)?.content?.text ?? null,
    ]),
  )
}

async function audit(rights: readonly 'audit'[], ...args: string[]) {
  const file = path.join(platform.dataDir, 'auditor-token')
  await writeFile(file, await platform.mint('ines', rights))
  return run('projections/audit/main.ts', ['--token-file', file, ...args])
}

describe('erasure', () => {
  test('nothing that is said stands readable in any topic; only read models hold it', async () => {
    const say = async (who: Person, name: string): Promise<void> => {
      const sent = await who.me.send({ to: who === ann ? 'bob' : 'ann', text: `${MARK} ${name}` })
      chat = sent.conversationId
      seqs[name] = sent.seq
    }
    for (const name of ['first', 'edited', 'recalled']) await say(ann, name)
    await ann.me.edit(chat, seqs.edited as number, { text: `${MARK} better` })
    await ann.me.recall(chat, seqs.recalled as number)
    await say(bob, 'answer')
    await until('all is in the read models', async () => {
      const { redis } = await modelsWith(MARK)
      // Four messages and an edit; how many versions `messages` has depends on merges.
      return (
        redis > 0 && (await ask(`SELECT count() FROM longwire.items WHERE content LIKE '%${MARK}%'`)) === 5
      )
    })
    expect(await topicsWith(MARK)).toEqual([])
    expect(await shown()).toEqual({
      first: `${MARK} first`,
      edited: `${MARK} better`,
      recalled: null,
      answer: `${MARK} answer`,
    })
  })

  test('an auditor reads what users no longer see, on the record; nobody else does', async () => {
    const refused = await audit([], chat, '--reason', 'a complaint')
    expect([refused.code, refused.printed]).toEqual([2, expect.stringContaining('right `audit`')])
    const silent = await audit(['audit'], chat)
    expect([silent.code, silent.printed]).toEqual([2, expect.stringContaining('--reason')])
    const read = await audit(['audit'], chat, '--reason', 'a complaint')
    expect(read.code, read.printed).toBe(0)
    for (const text of [`${MARK} edited`, `${MARK} recalled`, 'edited over by', 'recalled by', '2 contents'])
      expect(read.printed).toContain(text)
    expect(read.printed).not.toContain('first')
    const { printed } = await audit(['audit'], '--readings')
    expect(printed).toMatch(new RegExp(`ines +${chat} +all +all +2 +a complaint`))
  })

  test('what was recalled or edited over is destroyed when it is due, and nothing else', async () => {
    const due = await erase(['due'], { LONGWIRE_HOLD_DAYS: '0' })
    expect([due.code, due.printed]).toEqual([0, expect.stringContaining('2 contents')])
    const read = await audit(['audit'], chat, '--reason', 'a complaint')
    expect(read.printed).toContain('2 contents that users do not see, 0 of them readable')
    expect(await shown()).toMatchObject({
      first: `${MARK} first`,
      edited: `${MARK} better`,
      answer: `${MARK} answer`,
    })
  })

  test('a user’s contents are gone for everyone but auditors, and what comes later is not', async () => {
    const erased = await erase(['user', 'ann', '--no-wait'])
    expect(erased.code, erased.printed).toBe(0)
    expect(erased.printed).toContain('auditors may read it until')
    expect(await shown()).toEqual({ first: null, edited: null, recalled: null, answer: `${MARK} answer` })
    expect((await bob.me.search({ query: 'better' })).messages).toEqual([])
    const read = await audit(['audit'], chat, '--reason', 'a court')
    for (const text of [`${MARK} first`, `${MARK} better`]) expect(read.printed).toContain(text)
    expect((await erase(['list'])).printed).toMatch(/ann +held/)
    const later = await ann.me.send({ to: 'bob', text: `${MARK} later` })
    await until('it arrives', () => bob.heard.some(({ seq }) => seq === later.seq))
    seqs.later = later.seq
    expect(await shown()).toMatchObject({ first: null, later: `${MARK} later` })
  })

  test('with its keys destroyed nobody reads it: no model, no auditor, no past, and no replay', async () => {
    const destroyed = await erase(['user', 'ann', '--now', '--no-wait'])
    expect(destroyed.code, destroyed.printed).toBe(0)
    const answer = { ...{ first: null, edited: null, recalled: null, later: null }, answer: `${MARK} answer` }
    expect(await shown()).toEqual(answer)
    const read = await audit(['audit'], chat, '--reason', 'a court', '--user', 'ann')
    expect(read.printed).toContain(' 0 of them readable')
    expect(read.printed).not.toContain(MARK)
    for (const from of [[], ['--from-log']]) {
      const past = await run('projections/at/main.ts', [String(Date.now()), 'conversation', chat, ...from])
      expect(past.printed.match(new RegExp(MARK, 'g')), past.printed).toHaveLength(1)
      expect(past.printed).toContain('ann: (erased)')
    }
    for (const projection of ['live', 'archive']) {
      const replayed = await run('projections/replay/main.ts', [projection])
      expect([replayed.code, replayed.printed]).toEqual([0, expect.stringContaining('switched')])
    }
    expect(await shown()).toEqual(answer)
    const verified = await run('projections/verify/main.ts', [])
    expect(verified.code, verified.printed).toBe(0)
    // Of bob's answer: an item and its timeline, in the old and the new namespace.
    for (const word of ['first', 'better', 'recalled', 'later'])
      expect(await modelsWith(`${MARK} ${word}`), word).toEqual({ redis: 0, archive: 0 })
    expect(await topicsWith(MARK)).toEqual([])
  })
})
