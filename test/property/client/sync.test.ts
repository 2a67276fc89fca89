import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Client, ConversationView, Handlers, Message, ViewEvent } from '../../../client/api.ts'
import type { Held, Saved, SavedCommand, Store } from '../../../client/store.ts'
import { conversationView } from '../../../client/view.ts'
import type { Item } from '../../../client/wire.ts'
import { type ClientWorld, clientWorld } from '../../support/client-world.ts'
import { type Faults, noFaults } from '../../support/fake-gateway.ts'
import { absence, current } from '../../support/fake-reads.ts'

/** Not a double: most doubles below 1 lie next to 0. */
const chance = (max: number) => fc.integer({ min: 0, max: 100 }).map((percent) => (percent / 100) * max)
const faults: fc.Arbitrary<Faults> = fc.record({
  lose: chance(0.1),
  double: chance(0.1),
  kill: chance(0.03),
  silence: chance(0.005),
  unavailable: fc.constant(0),
  expired: fc.constant(0),
  partial: chance(0.4),
  refuseConnect: chance(0.2),
})

const room = 'g:room'
const JUMP_ABOVE = 25

/** A store that survives its client: what was in it when the client ended is what the next one finds. */
function diskStore(from: Saved | null): Store & { saved(): Saved | null } {
  let kept = from !== null
  const positions = new Map(from?.positions)
  const held = new Map<string, Held>(from?.held)
  const outbox = new Map<string, SavedCommand>()
  const copy = (): Saved => ({
    ...{ userId: 'bob', positions: new Map(positions), held: new Map(held), outbox: [...outbox.values()] },
  })
  return {
    saved: () => (kept ? copy() : null),
    load: () => from,
    savePositions(_userId, moved, heldOf) {
      kept = true
      for (const [stream, seq] of moved) positions.set(stream, seq)
      for (const [stream, of] of heldOf) held.set(stream, of)
    },
    putCommand: (command) => void outbox.set(command.packId, command),
    removeCommand: (packId) => void outbox.delete(packId),
  }
}

/** Anybody but bob does something in the room. */
function act({ gateway, random }: ClientWorld, counts: Counts): void {
  if (random() < 0.02) {
    counts.absences += 1
    gateway.remove(room, 'bob')
    for (let n = random() * 6; n > 0; n--) talk(gateway, random)
    gateway.readmit(room, 'bob')
    return
  }
  talk(gateway, random)
}

function talk(gateway: ClientWorld['gateway'], random: () => number): void {
  const items = gateway.streams.get(room) ?? []
  const by = { conversationId: room, senderId: random() < 0.5 ? 'ann' : 'cid', packId: `${items.length}` }
  const target = items[Math.floor(random() * items.length)]
  const live = current(items, items.length)[(target?.seq ?? 0) - 1]
  const dice = random()
  if (live?.kind === 'message' && live.content !== null && dice < 0.45) {
    const targetSeq = live.seq
    if (dice < 0.2) gateway.append({ ...by, kind: 'recalled', targetSeq })
    else {
      const content = { text: `edited at ${items.length + 1}` }
      gateway.append({ ...by, kind: 'edited', targetSeq, contentType: 'text', content })
    }
  } else if (dice < 0.5) gateway.append({ ...by, kind: 'groupSet', value: '{}' })
  else
    gateway.append({
      ...by,
      kind: 'message',
      contentType: 'text',
      content: { text: `at ${items.length + 1}` },
    })
}

interface Counts {
  jumps: number
  resets: number
  crashes: number
  changes: number
  absences: number
}

/** Runs the time that a promise needs. */
async function until<T>(time: ClientWorld['time'], promise: Promise<T>): Promise<T> {
  let done = false
  void promise.finally(() => {
    done = true
  })
  while (!done) await time.run(20)
  return promise
}

/** A device with a disk that comes, reads pages at random, goes and crashes, while others talk, edit and recall. */
async function device(seed: number, given: Faults, counts: Counts): Promise<void> {
  const world = clientWorld(seed)
  const { gateway, time, random } = world
  gateway.groups.set(room, new Map(['ann', 'bob', 'cid'].map((user) => [user, 1])))
  gateway.syncMax = 1 + Math.floor(random() * 8)
  let disk: ConversationView = conversationView(room, 'bob')
  let saved: Saved | null = null
  /** On pages that came while the device crashed: asked for, but not written. */
  const lost = new Set<number>()
  let online: Client | null = null

  for (let life = 0; life < 5; life++) {
    let alive = true
    /** Some handlers take their time; what they had not written at a crash is lost. */
    const write =
      <E extends ViewEvent>(event: E) =>
      (value: Parameters<Handlers[E]>[0]): Promise<void> | undefined => {
        const to = disk
        const take = (): void => {
          if (alive) to.apply(event, value)
        }
        if (event === 'recalled' || event === 'edited') counts.changes += 1
        if (random() < 0.7) return void take()
        return new Promise((resolve) => {
          time.after(random() * 400, () => {
            take()
            resolve()
          })
        })
      }
    const store = diskStore(saved)
    const connecting = world.connect('bob', {
      ...{ store, catchUpMax: JUMP_ABOVE, connectTimeoutMs: 0 },
      on: {
        message: write('message'),
        recalled: write('recalled'),
        edited: write('edited'),
        reaction: write('reaction'),
        conversation(change) {
          if (change.reason === 'reset') {
            counts.resets += 1
            disk = conversationView(room, 'bob')
          }
          if (change.reason === 'jumped') counts.jumps += 1
        },
      },
    })
    const talking = time.now() + 2_000
    const pause = random() < 0.5 ? 120 : 12
    const chatter = (): void => {
      act(world, counts)
      if (time.now() < talking) time.after(random() * pause, chatter)
    }
    if (random() < 0.5) chatter()
    const bob = await until(time, connecting)
    online = bob
    gateway.faults = given
    const read = (): void => {
      const head = gateway.streams.get(room)?.length ?? 0
      const at = Math.ceil(random() * (head + 1))
      const limit = 1 + Math.floor(random() * 12)
      bob.history(room, random() < 0.5 ? { before: at, limit } : { after: at, limit }).then(
        (page) => {
          if (alive) disk.applyPage(page)
          else for (let seq = page.firstSeq; seq <= page.lastSeq; seq++) lost.add(seq)
        },
        () => {},
      )
    }
    for (let i = random() * 12; i > 0; i--) {
      for (let n = random() * 4; n > 0; n--) act(world, counts)
      if (random() < 0.3) read()
      if (random() < 0.15) {
        gateway.killAll()
        if (random() < 0.5) for (let n = 0; n < 2 * JUMP_ABOVE; n++) act(world, counts)
        if (random() < 0.5) read()
      }
      await time.run(random() * (random() < 0.5 ? 100 : 800))
    }
    if (life === 4) break
    const crashes = random() < 0.5
    if (crashes) {
      alive = false
      counts.crashes += 1
      saved = store.saved()
    }
    const closing = bob.close({ deadlineMs: 300 })
    await time.run(1_000)
    await closing
    if (!crashes) saved = store.saved()
    alive = false
    if (random() < 0.1) gateway.syncFloor.set(room, gateway.streams.get(room)?.length ?? 0)
    for (let n = random() * (random() < 0.5 ? 8 : 4 * JUMP_ABOVE); n > 0; n--) act(world, counts)
  }
  gateway.faults = noFaults
  await time.run(120_000)

  const items = gateway.streams.get(room) ?? []
  const now = current(items, items.length)
  expect(world.errors).toEqual([])
  for (const message of disk.messages())
    expect(shown(message), 'no recall or edit is missed').toEqual(expected(now[message.seq - 1]))
  const { isOut } = absence(gateway, room, 'bob')
  const seqs = disk.messages().map(({ seq }) => seq)
  expect(seqs.filter(isOut), 'nothing of an absence').toEqual([])
  expect(seqs, 'no message twice, all in order').toEqual([...new Set(seqs)].sort((a, b) => a - b))
  const held = (online as Client).held(room)
  const inHeld = (seq: number): boolean => held.some(({ from, to }) => from <= seq && seq <= to)
  const whole = now
    .filter(({ seq, kind }) => kind === 'message' && inHeld(seq) && !isOut(seq))
    .map(({ seq }) => seq)
  expect(
    whole.filter((seq) => !seqs.includes(seq) && !lost.has(seq)),
    'no gap in what is held',
  ).toEqual([])
  expect(held.at(-1)?.to ?? items.length, 'held up to the head').toBe(items.length)
}

const shown = ({ seq, content, changedBy }: Message) => ({ seq, content, changedBy })
const expected = (item: Item | undefined) => ({
  seq: item?.seq,
  content: item?.content ? { ...(item.content as object), type: item.contentType } : null,
  changedBy: item?.targetSeq ?? null,
})

describe('a device that holds parts of a conversation', () => {
  test('has the current version of every message it ever took, without gap or double, whatever it missed', async () => {
    const counts: Counts = { jumps: 0, resets: 0, crashes: 0, changes: 0, absences: 0 }
    await fc.assert(
      fc.asyncProperty(fc.integer(), faults, (seed, given) => device(seed, given, counts)),
      { numRuns: 120 },
    )
    // Void if nothing of it happened.
    for (const [what, count] of Object.entries(counts)) expect(count, what).toBeGreaterThan(0)
  }, 300_000)
})
