/**
 * The whole topology in one thread and virtual time, under random faults. LONGWIRE_WORLDS=n runs n of them;
 * LONGWIRE_SEED=s LONGWIRE_WORLDS=1 replays one.
 */
import { afterEach, describe, expect, test, vi } from 'vitest'
import { LongwireError } from '../../client/error.ts'
import type { Position, Verdict } from '../../schemas/accept.ts'
import { limits } from '../../schemas/limits.ts'
import type { Envelope } from '../../schemas/records.ts'
import { topics } from '../../schemas/topics.ts'
import { names } from '../support/fanout-given.ts'
import { asBuilt, withoutDedup } from '../support/partition-model/rules.ts'
import { createWorld, type Device, type World } from '../support/world/world.ts'

type Judge = (
  at: Position,
  offset: number,
  record: Pick<Envelope, 'kind' | 'generation' | 'epoch' | 'source'>,
) => Verdict
const accept = vi.hoisted(() => ({ instead: null as null | ((real: Judge) => Judge) }))
vi.mock('../../schemas/accept.ts', async (original) => {
  const real = await original<typeof import('../../schemas/accept.ts')>()
  const verdictOf: Judge = (at, offset, record) =>
    (accept.instead ? accept.instead(real.verdictOf) : real.verdictOf)(at, offset, record)
  return { ...real, verdictOf }
})
afterEach(() => {
  accept.instead = null
})

const WORLDS = Number(process.env.LONGWIRE_WORLDS ?? 40)
const SEED = Number(process.env.LONGWIRE_SEED ?? 1)
const USERS = ['ann', 'bob', 'cid']
/** Becomes a member of the groups in the midst of it all. */
const LATE = 'dan'
/** Is put out of them. */
const REMOVED = 'eve'
/** A large group is mostly people who are not there. */
const ABSENT = names('absent', limits.groupNamedMembersMax)
const ROLES = ['sequencer', 'fanout', 'gateway'] as const
const FAULTY_MS = 30_000

type Outcome = { kind: 'committed'; conversationId: string; seq: number } | { kind: 'refused'; code: string }

interface Told {
  readonly sent: Set<string>
  readonly outcomes: Map<string, Outcome[]>
}

/** Something goes wrong, for a while or for good. */
function disturb(world: World): void {
  const { random, log, clock, map, links, roles } = world
  const role = random.pick(ROLES)
  const place = random.int(2)
  switch (random.int(8)) {
    case 0:
    case 1: {
      roles.get(`${role}-${place}`)?.kill()
      clock.after(random.int(2_000), () => void world.start(role, place))
      return
    }
    case 2: {
      // Frozen past its session timeout and woken: a zombie that believes it owns what it had.
      const frozen = roles.get(`${random.pick(['sequencer', 'fanout'])}-${place}`)?.process
      frozen?.stop()
      clock.after(1_000 + random.int(5_000), () => frozen?.wake())
      return
    }
    case 3:
      log.faults.dropResponse({ topic: random.pick([topics.events, topics.commands]) }, 1 + random.int(3))
      return
    case 4:
      log.faults.failAppend({ topic: random.pick([topics.events, topics.commands]) }, 1 + random.int(3))
      return
    case 5:
      log.faults.delayAppend(random.pick([50, 3_000, 12_000]), { topic: topics.events })
      return
    case 6: {
      if (random.chance(0.5)) map.empty()
      else {
        map.down = true
        clock.after(random.int(4_000), () => {
          map.down = false
          if (random.chance(0.5)) map.empty()
        })
      }
      return
    }
    default:
      links.cut(0.5)
  }
}

function say(
  world: World,
  devices: readonly Device[],
  groups: readonly string[],
  told: Told,
  n: number,
): void {
  const { random } = world
  const device = random.pick(devices)
  const text = `${device.user} ${n}`
  told.sent.add(text)
  const to = random.chance(0.6) ? { conversationId: random.pick(groups) } : { to: random.pick(USERS) }
  const settle = (outcome: Outcome) => told.outcomes.set(text, [...(told.outcomes.get(text) ?? []), outcome])
  device.client.send({ ...to, text }).then(
    ({ conversationId, seq }) => settle({ kind: 'committed', conversationId, seq }),
    (error: unknown) =>
      settle({ kind: 'refused', code: error instanceof LongwireError ? error.code : String(error) }),
  )
}

async function live(seed: number, versions = asBuilt.versions) {
  const world = await createWorld(seed, versions)
  const { clock, random, map, log } = world
  await clock.advance(10)
  for (const role of ROLES) for (const place of [0, 1]) void world.start(role, place)
  await clock.advance(3_000)
  const connecting = [...USERS, 'bob', LATE, REMOVED].map((user) => world.connect(user))
  await clock.advance(3_000)
  const devices = await Promise.all(connecting)
  const owner = (devices[0] as Device).client
  const creating = [[], ABSENT].map((others) =>
    owner.createGroup({ name: 'a group', members: [...USERS, REMOVED, ...others] }),
  )
  await clock.advance(3_000)
  const groups = (await Promise.all(creating)).map(({ conversationId }) => conversationId)

  const told: Told = { sent: new Set(), outcomes: new Map() }
  world.setTrailing(0.3)
  const until = clock.now() + FAULTY_MS
  const adding = clock.now() + random.int(FAULTY_MS / 2)
  const removing = clock.now() + random.int(FAULTY_MS)
  const speakers = devices.filter(({ user }) => user !== LATE && user !== REMOVED)
  let added: Promise<unknown> | null = null
  let removed: Promise<unknown> | null = null
  for (let n = 0; clock.now() < until; n++) {
    say(world, speakers, groups, told, n)
    if (clock.now() >= adding) added ??= Promise.all(groups.map((group) => owner.addMembers(group, [LATE])))
    if (clock.now() >= removing)
      removed ??= Promise.all(groups.map((group) => owner.removeMembers(group, [REMOVED])))
    if (random.chance(0.2)) disturb(world)
    await clock.advance(random.int(600))
  }
  // Heal everything, then give it time.
  world.setTrailing(0)
  map.down = false
  await clock.advance(8_000)
  for (const role of ROLES)
    for (const place of [0, 1]) if (!world.roles.has(`${role}-${place}`)) void world.start(role, place)
  await clock.advance(90_000)
  world.reads.catchUp()
  await added
  await removed
  for (const group of groups) {
    expect(world.reads.fromSeq(LATE, group) ?? 0, `${LATE} was added to ${group}`).toBeGreaterThan(1)
    expect(world.reads.toSeq(REMOVED, group) ?? 0, `${REMOVED} was removed from ${group}`).toBeGreaterThan(1)
  }
  return { world, devices, told, hits: log.faults.hits() }
}

/** Every accepted message once, in order, at every device of all who were members then, and nowhere else; what a sender was told is true. */
function judge(world: World, devices: readonly Device[], told: Told): void {
  const places = new Map<string, string[]>()
  for (const [stream, items] of world.reads.streams)
    for (const [i, item] of items.entries()) {
      expect(item.seq, `${stream} is gapless`).toBe(i + 1)
      if (item.kind !== 'message') continue
      const { text } = JSON.parse(item.content ?? '{}') as { text: string }
      places.set(text, [...(places.get(text) ?? []), `${stream}/${item.seq}`])
    }
  for (const text of told.sent) {
    const [outcome, more] = told.outcomes.get(text) ?? []
    expect(more, `"${text}" is answered once`).toBeUndefined()
    if (!outcome) throw new Error(`"${text}" was never answered; in the log at ${places.get(text)?.join()}`)
    if (outcome.kind === 'committed')
      expect(places.get(text), `"${text}" in the log`).toEqual([`${outcome.conversationId}/${outcome.seq}`])
    else {
      expect(places.get(text), `"${text}" was refused as ${outcome.code}`).toBeUndefined()
      // What one of the two versions of the rules says.
      expect(['not_allowed', 'internal']).toContain(outcome.code)
    }
  }
  for (const text of places.keys()) expect(told.sent.has(text), `"${text}" was sent`).toBe(true)
  for (const { user, client, messages } of devices) {
    for (const [stream, items] of world.reads.streams) {
      const from = world.reads.fromSeq(user, stream) ?? Number.POSITIVE_INFINITY
      const to = world.reads.toSeq(user, stream) ?? Number.POSITIVE_INFINITY
      const due = items.filter(({ kind, seq }) => kind === 'message' && seq >= from && seq <= to)
      const got = messages.filter((message) => message.conversationId === stream).map(({ seq }) => seq)
      expect(got, `${user} in ${stream}`).toEqual(due.map(({ seq }) => seq))
    }
    expect(client.stats().jumps).toBe(0)
  }
  expect(world.errors).toEqual([])
}

test(`every accepted message reaches every member once and in order, whatever happens (${WORLDS} worlds from seed ${SEED})`, async () => {
  const sum = {
    sent: 0,
    committed: 0,
    refused: 0,
    restarts: 0,
    faults: 0,
    reconnects: 0,
    resends: 0,
    claims: 0,
    stale: 0,
  }
  for (let seed = SEED; seed < SEED + WORLDS; seed++) {
    try {
      const { world, devices, told, hits } = await live(seed)
      judge(world, devices, told)
      const outcomes = [...told.outcomes.values()].flat()
      sum.sent += told.sent.size
      sum.committed += outcomes.filter(({ kind }) => kind === 'committed').length
      sum.refused += outcomes.filter(({ kind }) => kind === 'refused').length
      sum.restarts += world.restarts.count
      sum.faults += hits
      sum.claims += world.reads.verdicts.get('claim') ?? 0
      sum.stale += world.reads.verdicts.get('stale') ?? 0
      for (const { client } of devices) {
        sum.reconnects += client.stats().reconnects
        sum.resends += client.stats().resends
      }
    } catch (error) {
      throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : String(error)}`, {
        cause: error,
      })
    }
  }
  console.info(`worlds: ${JSON.stringify({ from: SEED, worlds: WORLDS, ...sum })}`)
  // Void if the faults did not bite.
  if (WORLDS >= 5) for (const [name, count] of Object.entries(sum)) expect(count, name).toBeGreaterThan(0)
})

describe('a rule taken away is caught', () => {
  async function caught(within: number, kind: RegExp, versions = asBuilt.versions) {
    for (let seed = SEED; seed < SEED + within; seed++) {
      try {
        const { world, devices, told } = await live(seed, versions)
        judge(world, devices, told)
      } catch (error) {
        if (!kind.test(String(error))) continue
        console.info(`caught after ${seed - SEED + 1} worlds: ${String(error).split('\n')[0]}`)
        return
      }
    }
    throw new Error(`nothing went wrong in ${within} worlds from seed ${SEED}`)
  }

  test('no de-duplication: a send that was retried is a second message', async () => {
    await caught(20, /in the log/, withoutDedup.versions)
  })

  test('the epoch not compared: what a zombie wrote counts', async () => {
    accept.instead = (real) => (at, offset, record) =>
      record.kind === 'claim' ? real(at, offset, record) : real(at, offset, { ...record, epoch: at.epoch })
    await caught(600, /in the log|gapless|was (added|removed|sent)|in (g|p2p):/)
  })
})
