/** Verify over a real Redis and a real archive that follow a log in memory: it is content with what is right, and finds each planted fault. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { keys } from '../../../projections/keys.ts'
import type { FindingKind } from '../../../projections/verify/findings.ts'
import { reportText } from '../../../projections/verify/report.ts'
import type { Report, VerifyOptions } from '../../../projections/verify/verify.ts'
import { p2pId, partitionOf, userStream } from '../../../schemas/ids.ts'
import type { Envelope } from '../../../schemas/records.ts'
import { topics } from '../../../schemas/topics.ts'
import { addMembers, edit, markRead, recall, removeMembers, send } from '../../support/commands.ts'
import { startEngines } from '../../support/projections/engines.ts'
import { logWriter } from '../../support/projections/log-writer.ts'
import { plainModel } from '../../support/projections/plain-model.ts'
import { following, type VerifiedLog, verifiedLog, verifierOf } from '../../support/projections/verified.ts'
import { createRandom } from '../../support/random.ts'

const pair = p2pId('ann', 'bob')
let team: string

let engines: Awaited<ReturnType<typeof startEngines<true>>>
let log: VerifiedLog
let models: Awaited<ReturnType<typeof following>>

beforeAll(async () => {
  engines = await startEngines({ clickhouse: true })
})
beforeEach(async () => {
  log = verifiedLog()
  models = await following(log, engines)
})
afterEach(() => models?.stop())
afterAll(() => engines?.stop())

/** A chat of two and a group with edits, recalls, a leave and a return, marks, and one refused command. */
function chat(messages = 30, change?: (envelope: Envelope) => Envelope): void {
  const firstOf = (stream: string, seq: number) => (envelope: Envelope) =>
    change && envelope.stream === stream && envelope.seq === seq ? change(envelope) : envelope
  team = log.found('ann', 'bob', 'cid')
  for (let i = 1; i <= messages; i++) {
    log.say(pair, i % 3 === 0 ? 'bob' : 'ann', send(`word ${i}`), firstOf(pair, 20))
    log.say(team, 'ann', send(`team ${i}`, { mentions: i % 4 === 0 ? ['bob'] : [], mentionAll: i === 5 }))
  }
  log.say(userStream('bob'), 'bob', markRead(pair, 10, 10))
  log.say(userStream('bob'), 'bob', markRead(team, 4, 3))
  log.say(pair, 'ann', edit(11, 'word 11, better'))
  log.say(pair, 'ann', recall(14))
  log.say(team, 'ann', removeMembers('cid'))
  log.say(team, 'ann', addMembers('cid'))
  log.say(team, 'dan', send('let me in'))
  log.say(team, 'ann', send('welcome back'))
}

async function verify(options: Partial<VerifyOptions> = {}): Promise<Report> {
  return (await verifierOf(log, engines, options)).round()
}

/** First finding of each kind. */
const found = ({ findings }: Report): Partial<Record<FindingKind, string>> =>
  Object.fromEntries(findings.flatMap((of) => of.kinds().map((kind) => [kind, of.first(kind)[0]])))

/** Everything that is being written is in both stores. */
async function settled(): Promise<void> {
  expect(found(await verify())).toEqual({})
}

async function mutated(sql: string): Promise<void> {
  await engines.clickhouse.command(`${sql} SETTINGS mutations_sync = 2`)
}

describe('what is as the log says', () => {
  test('is found so, with what was looked at in the report', async () => {
    chat()
    const report = await verify()
    expect(found(report)).toEqual({})
    expect(report).toMatchObject({ pairs: 5, timelines: 3, streams: 3, commands: 69, archived: 69 })
    expect(report.counts).toMatchObject({ events: 68, rejections: 1, claims: 2 })
    expect(reportText(report)).toContain('✔ unread       5 counts of 5 recounted from the log')
  })

  test('over a random log of everything that people and sequencers do: nothing but what nobody can decode', async () => {
    const random = createRandom(7)
    const writer = logWriter(log.log.broker, log.partitions, random, plainModel())
    for (let i = 0; i < 1_200; i++) writer.step()
    const report = await verify({ sample: Number.POSITIVE_INFINITY })
    expect({ ...found(report), undecodable: '' }).toEqual({ undecodable: '' })
    expect(report.pairs).toBeGreaterThan(15)
    expect(report.counts.stale).toBeGreaterThan(0)
  })

  test('raises no false alarm while people write, read, edit and recall', async () => {
    chat()
    let on = true
    let said = 0
    const busy = (async () => {
      while (on) {
        const { seq, ordinal } = log.say(pair, 'ann', send(`more ${said}`))
        log.say(team, 'bob', send(`more ${said}`, { mentions: ['ann'] }))
        if (said % 3 === 0) log.say(pair, 'ann', edit(seq, 'changed'))
        if (said % 5 === 0) log.say(pair, 'ann', recall(seq))
        if (said % 4 === 0) log.say(userStream('bob'), 'bob', markRead(pair, seq, ordinal))
        said += 1
        await new Promise((resolve) => setTimeout(resolve, 4))
      }
    })()
    const verifier = await verifierOf(log, engines)
    const reports = [await verifier.round(), await verifier.round(), await verifier.round()]
    on = false
    await busy
    expect(reports.map(found)).toEqual([{}, {}, {}])
    expect(said).toBeGreaterThan(50)
  })
})

describe('a fault in the log', () => {
  test('a missing seq', async () => {
    chat(25, (envelope) => ({ ...envelope, seq: envelope.seq + 1 }))
    expect(found(await verify({ waitMs: 500 })).gap).toMatch(`${pair} seq 21 follows 19`)
  })

  test('a doubled packId', async () => {
    chat(5)
    const first = log.say(pair, 'ann', send('once'))
    log.say(pair, 'ann', send('twice'), (envelope) => ({ ...envelope, payload: first.payload }))
    const { doubled, altered } = found(await verify())
    expect(doubled).toMatch(new RegExp(`^${pair}: packId [0-9a-f-]{36} of ann is seq 6 .* and seq 7 `))
    expect(altered).toMatch('the record with this source is not of this command')
  })

  test('a command without a record', async () => {
    chat(5)
    const partition = partitionOf(pair, log.partitions)
    log.log.broker.append(topics.commands, partition, [{ key: pair, value: Buffer.from('?') }], log.now())
    const { unanswered } = found(await verify({ waitMs: 500 }))
    expect(unanswered).toMatch(/^im\.commands \d\/\d+ has no record in im\.events$/)
  })

  test('a changed byte of a copy of the topic', async () => {
    chat()
    await settled()
    const partition = partitionOf(pair, log.partitions)
    const records = log.log.broker.read(topics.events, partition, 0, 1e6)
    const at = records.findIndex(({ value }) => value?.includes('word 17'))
    const bytes = records[at]?.value as Buffer
    bytes.write('W', bytes.indexOf('word 17'))
    const wrong = found(await verify())
    expect(wrong['archive-bytes']).toMatch(`${pair} seq 17 (partition ${partition}, source `)
    expect(wrong.timeline).toBe(`${pair}: seq 17 says something else than the log`)
  })

  test('a topic that has lost its beginning is refused, with what to do', async () => {
    chat(5)
    await settled()
    await models.stop()
    log.log.broker.trim(topics.events, 1, 3)
    await expect(verify()).rejects.toThrow(/im\.events\/1 begins at offset 3.*restore/)
  })
})

describe('a fault in a read model', () => {
  test('a wrong unread', async () => {
    chat()
    await settled()
    await engines.redis.batch([['HSET', keys.reads('bob'), pair, '10:12']])
    expect(found(await verify()).unread).toBe(
      `bob in ${pair}: read up to ordinal 12 as served, 10 in the log`,
    )
    await engines.redis.batch([['HSET', keys.reads('bob'), pair, '10:10']])
    await settled()
    await engines.redis.batch([['ZADD', keys.recalled(team), 20, 20]])
    expect(found(await verify()).unread).toMatch(`in ${team}: unread served`)
  })

  test('a lost archive row', async () => {
    chat()
    await settled()
    await mutated(`ALTER TABLE events DELETE WHERE stream = '${team}' AND seq = 9`)
    const wrong = found(await verify())
    expect(wrong['archive-missing']).toMatch(`${team} seq 9 (partition `)
    expect(wrong['archive-tables']).toBe(`items: ${team} seq 9: an item without its event`)
    await mutated(`ALTER TABLE items DELETE WHERE conversation = '${pair}' AND seq = 3`)
    expect(found(await verify())['archive-tables']).toMatch(`items: ${team} seq 9`)
  })

  test('a changed byte in the archive', async () => {
    chat()
    await settled()
    await mutated(
      `ALTER TABLE events UPDATE payload = replaceOne(payload, 'word 22', 'word 23') WHERE stream = '${pair}' AND seq = 22`,
    )
    const wrong = found(await verify())
    expect(wrong).toEqual({
      'archive-bytes': expect.stringMatching(`^${pair} seq 22 .*: other bytes than the log$`),
    })
  })

  test('a row of which only the stored hash was changed is found too, and one that is not in the log', async () => {
    chat()
    await settled()
    await mutated(`ALTER TABLE events UPDATE record_hash = 1 WHERE stream = '${pair}' AND seq = 22`)
    expect(found(await verify())['archive-bytes']).toMatch('its stored hash is not that of its bytes')
    await mutated(`ALTER TABLE messages UPDATE content = 'else' WHERE conversation = '${team}' AND seq = 7`)
    expect(found(await verify())['archive-tables']).toMatch(
      `messages: ${team} seq 7: another content than its newest version`,
    )
  })

  test('what stood right and was lost later is found by the one who keeps watch', async () => {
    chat()
    const verifier = await verifierOf(log, engines)
    expect(found(await verifier.round())).toEqual({})
    await mutated(`ALTER TABLE events DELETE WHERE stream = '${team}' AND seq = 9`)
    log.say(pair, 'ann', send('more'))
    const later = { ...found(await verifier.round()), ...found(await verifier.round()) }
    expect(later['archive-missing']).toMatch(`${team} seq 9 (partition `)
    // And again in each round, until it is right.
    for (let round = 0; round < log.partitions; round++)
      expect(found(await verifier.round())['archive-missing']).toBe(later['archive-missing'])
  })
})
