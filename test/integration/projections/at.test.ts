/** Time travel over random logs: the archive on the real engine and the log say the same, which is what a plain model said at that moment. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import {
  checkTime,
  conversationAt,
  listAt,
  rosterAt,
  unreadAt,
  type Where,
} from '../../../projections/at/at.ts'
import { archivePast, logPast } from '../../../projections/at/sources.ts'
import { noContentKeys } from '../../../projections/content-keys/follower.ts'
import { p2pId, userStream } from '../../../schemas/ids.ts'
import { topics } from '../../../schemas/topics.ts'
import {
  addMembers,
  edit,
  markRead,
  recall,
  removeMembers,
  send,
  setRole,
  T0,
} from '../../support/commands.ts'
import { startEngines } from '../../support/projections/engines.ts'
import { logWriter } from '../../support/projections/log-writer.ts'
import { type PlainModel, plainModel } from '../../support/projections/plain-model.ts'
import { following, type VerifiedLog, verifiedLog, verifierOf } from '../../support/projections/verified.ts'
import { createRandom } from '../../support/random.ts'

let engines: Awaited<ReturnType<typeof startEngines<true>>>
let models: Awaited<ReturnType<typeof following>> | null = null

beforeAll(async () => {
  engines = await startEngines({ clickhouse: true })
})
afterEach(() => models?.stop())
afterAll(() => engines?.stop())

/** Once both stores have all of the log. */
async function settled(log: VerifiedLog): Promise<void> {
  const report = await (await verifierOf(log, engines, { sample: 1 })).round()
  expect(report.findings.flatMap((of) => of.kinds()).filter((kind) => kind !== 'undecodable')).toEqual([])
}

const both = (log: VerifiedLog, time: number): Record<'archive' | 'log', Where> => ({
  archive: { past: archivePast(engines.clickhouse, noContentKeys), time },
  log: { past: logPast({ store: log.log, partitions: log.partitions, opener: noContentKeys }), time },
})

interface Snapshot {
  readonly time: number
  readonly lists: Map<string, ReturnType<PlainModel['list']>>
  readonly rosters: Map<string, ReturnType<PlainModel['members']>>
  readonly texts: Map<string, Text[]>
}

interface Text {
  readonly seq: number
  readonly content: string | null
  /** Seq of its last change. */
  readonly changedBy: number | null
}

const textsOf = (model: PlainModel, stream: string): Text[] =>
  model
    .items(stream)
    .flatMap(({ kind, seq, content, targetSeq: changedBy }) =>
      kind === 'message' ? [{ seq, content, changedBy }] : [],
    )

const snapshot = (model: PlainModel, time: number): Snapshot => ({
  time,
  lists: new Map(model.users().map((user) => [user, structuredClone(model.list(user))])),
  rosters: new Map(
    model
      .streams()
      .flatMap((stream) =>
        stream.startsWith('g:') ? [[stream, structuredClone(model.members(stream))]] : [],
      ),
  ),
  texts: new Map(model.streams().map((stream) => [stream, textsOf(model, stream)])),
})

test('at any moment of a random log, archive and log give the same answer, and it is what was true then', async () => {
  const log = verifiedLog()
  models = await following(log, engines)
  const random = createRandom(11)
  const model = plainModel()
  let time = T0
  const writer = logWriter(log.log.broker, log.partitions, random, {
    ...model,
    apply(envelope, payload) {
      time = envelope.time
      model.apply(envelope, payload)
    },
  })
  const snapshots: Snapshot[] = []
  for (let i = 1; i <= 1_200; i++) {
    writer.step()
    if (i % 600 === 0) snapshots.push(snapshot(model, time))
  }
  await settled(log)
  let counted = 0
  for (const { time: at, lists, rosters, texts } of snapshots) {
    const { archive, log: fromLog } = both(log, at)
    for (const [user, wanted] of lists) {
      const list = await listAt(archive, user)
      expect(await listAt(fromLog, user)).toEqual(list)
      const shown = list.map(({ conversationId, unread, mentions, mentionsAll, pinned }) => ({
        ...{ conversationId, unread, mentions, mentionsAll, pinned },
      }))
      const byId = (a: { conversationId: string }, b: { conversationId: string }) =>
        a.conversationId < b.conversationId ? -1 : 1
      expect(shown.sort(byId)).toEqual(
        wanted
          .map(({ conversationId, unread, mentions, mentionsAll, pinned }) => ({
            ...{ conversationId, unread, mentions, mentionsAll, pinned },
          }))
          .sort(byId),
      )
      counted += shown.length
    }
    for (const [stream, members] of rosters) {
      const roster = await rosterAt(archive, stream)
      expect(await rosterAt(fromLog, stream)).toEqual(roster)
      expect(roster.members.map(({ user, role, joinedSeq }) => `${user} ${role} ${joinedSeq}`)).toEqual(
        members.map(({ userId, role, joinedSeq }) => `${userId} ${role} ${joinedSeq}`),
      )
    }
    for (const [stream, then] of [...texts].slice(0, 8)) {
      const now = new Map(textsOf(model, stream).map(({ seq, changedBy }) => [seq, changedBy]))
      const contents = then.map(({ seq, content, changedBy }) =>
        // Recalled or edited since: for auditors only.
        now.get(seq) === changedBy ? content : null,
      )
      const conversation = await conversationAt(archive, stream, 50)
      expect(await conversationAt(fromLog, stream, 50)).toEqual(conversation)
      expect(conversation.messages.map(({ content }) => content)).toEqual(contents.slice(-50))
    }
  }
  expect(counted).toBeGreaterThan(30)
})

describe('a short chat', () => {
  const pair = p2pId('ann', 'bob')
  let log: VerifiedLog
  let team: string
  /** Broker time of each step. */
  const when: Record<string, number> = {}

  beforeAll(async () => {
    log = verifiedLog()
    models = await following(log, engines)
    log.at(1_000)
    log.say(pair, 'ann', send('first'))
    when.said = log.now()
    log.say(pair, 'ann', edit(1, 'first, better'))
    when.edited = log.now()
    log.say(pair, 'ann', recall(1))
    when.recalled = log.now()
    team = log.found('ann', 'bob')
    log.say(team, 'ann', setRole('bob', 'admin'))
    when.admin = log.now()
    log.say(team, 'ann', removeMembers('bob'))
    log.say(team, 'ann', addMembers('bob', 'cid'))
    log.say(team, 'ann', send('hello'))
    when.back = log.now()
    log.say(userStream('bob'), 'bob', markRead(team, 5, 1))
    when.read = log.now()
    await settled(log)
    await models.stop()
    models = null
  })

  test('a message says what it said then, but for what users no longer see: that is for auditors', async () => {
    const said = async (time: number, from: 'archive' | 'log', of = pair) =>
      (await conversationAt(both(log, time)[from], of, 10)).messages.map(
        ({ content, changedBy, changedSince }) => [content, changedBy, changedSince],
      )
    for (const from of ['archive', 'log'] as const) {
      expect(await said(when.said as number, from)).toEqual([[null, null, true]])
      expect(await said(when.edited as number, from)).toEqual([[null, 2, true]])
      expect(await said(when.recalled as number, from)).toEqual([[null, 3, false]])
      expect(await said(when.back as number, from, team)).toEqual([['{"text":"hello"}', null, false]])
    }
  })

  test('roles go with a membership; unread begins with the last joining and ends with the mark', async () => {
    const roles = async (time: number) =>
      (await rosterAt(both(log, time).archive, team)).members.map(({ user, role }) => `${user} ${role}`)
    expect(await roles(when.admin as number)).toEqual(['ann owner', 'bob admin'])
    expect(await roles(when.back as number)).toEqual(['ann owner', 'bob member', 'cid member'])
    const unread = async (time: number) => (await unreadAt(both(log, time).log, 'bob', team))[0]?.unread
    expect(await unread(when.back as number)).toBe(1)
    expect(await unread(when.read as number)).toBe(0)
  })

  test('a moment or a conversation of which nothing is known is refused, with what to do', async () => {
    const now = log.now() + 10_000
    for (const from of ['archive', 'log'] as const) {
      const at = (time: number) => both(log, time)[from]
      await expect(checkTime(at(T0 - 1), now)).rejects.toThrow(/lies before the first record, which is of/)
      await expect(checkTime(at(now + 1), now)).rejects.toThrow(/lies in the future/)
      await expect(checkTime(at(when.said as number), now)).resolves.toBeUndefined()
      await expect(conversationAt(at(now), 'p2p:ann:zoe', 1)).rejects.toThrow(
        /no event of it was ever recorded/,
      )
      await expect(conversationAt(at(now), 'p2p:bob:ann', 1)).rejects.toThrow(/is no conversation/)
      await expect(rosterAt(at(when.said as number), team)).rejects.toThrow(/began at .*, after /)
      await expect(unreadAt(at(now), 'cid', pair)).rejects.toThrow(/cid was not in p2p:ann:bob/)
    }
  })

  test('an archive that lost rows, and a log that lost its beginning, are refused', async () => {
    await engines.clickhouse.command(
      `ALTER TABLE events DELETE WHERE stream = '${team}' AND seq = 2 SETTINGS mutations_sync = 2`,
    )
    const { archive } = both(log, when.read as number)
    await expect(rosterAt(archive, team)).rejects.toThrow(/lacks seq 2: rows were lost.*--from-log/)
    for (let partition = 0; partition < log.partitions; partition++)
      log.log.broker.trim(topics.events, partition, 1)
    const { log: fromLog } = both(log, when.read as number)
    await expect(rosterAt(fromLog, team)).rejects.toThrow(/begins at offset 1.*without --from-log/)
  })
})
