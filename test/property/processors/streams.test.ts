/**
 * Random commands at one stream of each kind. What must hold is told from the events alone, by a ledger that knows
 * nothing of the state. LONGWIRE_SEED=s SCHEDULES=1 replays a seed that failed.
 */
import { describe, expect, test, vi } from 'vitest'
import { evolve } from '../../../processors/evolve.ts'
import type { Conversation, GroupState, StreamState, UserState } from '../../../processors/state.ts'
import { parseState, serializeState } from '../../../processors/state-text.ts'
import { groupStream, newGroupId } from '../../../schemas/ids.ts'
import { limits } from '../../../schemas/limits.ts'
import type { EventPayload, EventType } from '../../../schemas/records.ts'
import { anyCommand } from '../../support/any-command.ts'
import { create, packId, T0 } from '../../support/commands.ts'
import { type Answer, by, type Scene, scene } from '../../support/given.ts'
import { createRandom } from '../../support/random.ts'
import { createLedger } from '../../support/stream-ledger.ts'

/** Small enough that some dozen commands reach them. */
vi.mock('../../../schemas/limits.ts', async (original) => {
  const { limits } = await original<typeof import('../../../schemas/limits.ts')>()
  return {
    limits: {
      ...limits,
      dedupEntriesPerStreamMax: 20,
      recentMessagesMax: 6,
      recallWindowMs: 60,
      editWindowMs: 90,
      groupMembersMax: 5,
      groupNamedMembersMax: 4,
      groupAdminsMax: 2,
      joinRequestsPerGroupMax: 2,
      pinnedPerConversationMax: 2,
      observersPerConversationMax: 2,
      settingsPerUserMax: 2,
    },
  }
})

const SCHEDULES = Math.min(Number(process.env.SCHEDULES ?? 300), 300)
const SEED = Number(process.env.LONGWIRE_SEED ?? 1)
const COMMANDS = 60

const ID = packId(T0, 1)
const G = groupStream(newGroupId('a', ID))
const CHAT_USERS = ['a', 'b', 'a', 'b', 's']
const GROUP_USERS = ['a', 'a', 'a', 'b', 'b', 'c', 'd', 's']
const streams: readonly [kind: string, stream: string, users: readonly string[], begins: boolean][] = [
  ['a single chat', 'p2p:a:b', CHAT_USERS, false],
  ['a group', G, GROUP_USERS, true],
  ['a live room', 'r:hall', GROUP_USERS, false],
  ['a user', 'u:a', ['a', 'a', 'a', 'b'], false],
]

/** Plays one schedule; `after` sees every answer with the scene as it is then. */
function play(
  seed: number,
  stream: string,
  users: readonly string[],
  begins: boolean,
  after: (answer: Answer, on: Scene, before: string) => void,
): Scene {
  const random = createRandom(seed)
  const on = scene(stream)
  let at = 0
  for (let n = 0; n < COMMANDS; n++) {
    at += random.int(12)
    const before = ofState(on.state())
    const { seq } = on.state()
    const said =
      n === 0 && begins
        ? by('a', create('team', 'b', 'c'), { packId: ID, at })
        : by(random.pick(users), anyCommand(random, stream, users, seq, n), { at })
    after(on.say(said), on, before)
  }
  return on
}

/** The state without the answers that it remembers. */
const ofState = (state: StreamState): string =>
  serializeState({ ...state, answers: { order: [], floor: -1 } })

function each(run: (seed: number) => void): void {
  for (let seed = SEED; seed < SEED + SCHEDULES; seed++) {
    try {
      run(seed)
    } catch (error) {
      throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : String(error)}`, {
        cause: error,
      })
    }
  }
}

describe.each(streams)('%s', (kind, stream, users, begins) => {
  test('takes only what those may do who do it, and numbers it without a gap', () => {
    const taken = new Map<EventType, number>()
    const refused = new Map<string, number>()
    each((seed) => {
      const ledger = createLedger(stream)
      play(seed, stream, users, begins, ({ envelope, payload }) => {
        if (envelope.kind === 'event') {
          expect(ledger.objection(envelope, payload)).toBeNull()
          ledger.note(envelope, payload)
          taken.set(payload.type, (taken.get(payload.type) ?? 0) + 1)
        } else if (payload.type === 'Rejection')
          refused.set(payload.code, (refused.get(payload.code) ?? 0) + 1)
        expect([envelope.kind === 'event' ? envelope.seq : ledger.seq(), envelope.ordinal]).toEqual([
          ledger.seq(),
          ledger.messages(),
        ])
      })
    })
    console.info(
      `${kind}: ${JSON.stringify({ ...Object.fromEntries(taken), ...Object.fromEntries(refused) })}`,
    )
    if (SCHEDULES < 100) return
    for (const type of mustHappen(stream)) expect(taken.get(type), type).toBeGreaterThan(0)
  })

  test('keeps a sound state, which a refusal leaves as it was', () => {
    each((seed) => {
      play(seed, stream, users, begins, ({ envelope }, on, before) => {
        if (envelope.kind !== 'event') expect(ofState(on.state())).toBe(before)
        const { body } = on.state()
        if (body.kind === 'user') checkUser(body)
        else checkConversation(body)
        if (body.kind === 'group') checkGroup(body)
      })
    })
  })

  test('survives a snapshot at every cut: its text, and the rest of the log on top of it, give the same state', () => {
    each((seed) => {
      const cuts: StreamState[] = []
      const on = play(seed, stream, users, begins, ({ envelope, payload }, { state }) => {
        for (const cut of cuts) evolve(cut, envelope, payload)
        const text = serializeState(state())
        const parsed = parseState(text)
        expect(serializeState(parsed)).toBe(text)
        cuts.push(parsed)
      })
      const text = serializeState(on.state())
      for (const cut of cuts) expect(serializeState(cut)).toBe(text)
    })
  })
})

function mustHappen(stream: string): EventType[] {
  if (stream.startsWith('u:')) return ['ReadMarked', 'SettingSet', 'ProfileSet']
  if (stream.startsWith('r:')) return ['MessageSent', 'MessageRecalled']
  const both: EventPayload['type'][] = [
    'MessageSent',
    'MessageRecalled',
    'MessageEdited',
    'Reacted',
    'MessagePinned',
    'Observing',
  ]
  if (stream.startsWith('p2p:'))
    return [...both, 'FriendRequested', 'FriendAnswered', 'FriendDeleted', 'Blocked']
  return [
    ...both,
    'GroupCreated',
    'MembersAdded',
    'MembersRemoved',
    'GroupDissolved',
    'JoinRequested',
    'JoinAnswered',
    'RoleSet',
    'MemberMuted',
    'AllMuted',
    'GroupSet',
  ]
}

function checkUser({ settings, reads }: UserState): void {
  expect(settings.size).toBeLessThanOrEqual(limits.settingsPerUserMax)
  for (const { seq, ordinal } of reads.values()) expect(ordinal).toBeLessThanOrEqual(seq)
}

function checkConversation(body: Conversation): void {
  const inside = body.kind === 'p2p' ? body.users : body.kind === 'group' ? [...body.members] : []
  const isIn = (user: string) => inside.includes(user)
  expect(body.recent.length).toBeLessThanOrEqual(limits.recentMessagesMax)
  expect(body.pinned.length).toBeLessThanOrEqual(limits.pinnedPerConversationMax)
  expect(body.observers.length).toBeLessThanOrEqual(limits.observersPerConversationMax)
  for (const list of [body.pinned, body.observers, body.recent.map(({ seq }) => seq)])
    expect(new Set<unknown>(list).size).toBe(list.length)
  expect(body.observers.filter(isIn)).toEqual([])
}

function checkGroup(body: GroupState): void {
  const owners = [...body.staff.values()].filter((role) => role === 'owner')
  expect(owners).toHaveLength(body.exists ? 1 : 0)
  expect([...body.staff.keys()].filter((user) => !body.members.has(user))).toEqual([])
  expect(body.staff.size - owners.length).toBeLessThanOrEqual(limits.groupAdminsMax)
  expect(body.members.size).toBeLessThanOrEqual(limits.groupMembersMax)
  expect([...body.requests].filter((user) => body.members.has(user))).toEqual([])
  expect(body.requests.size).toBeLessThanOrEqual(limits.joinRequestsPerGroupMax)
  if (body.members.size > limits.groupNamedMembersMax) expect(body.large).toBe(true)
}
