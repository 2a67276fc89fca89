/** Live rooms: random joins, switches, leaves, reconnects, slow connections, lost deliveries and recalls. */
import { describe, expect, test } from 'vitest'
import type { ClientFrame } from '../../../schemas/frames.ts'
import { createRandom } from '../../support/random.ts'
import { reader, roomWorld } from '../../support/room-world.ts'
import { virtualTime } from '../../support/virtual-time.ts'

const SCHEDULES = Math.min(Number(process.env.SCHEDULES ?? 300), 1_000)
const SEED = Number(process.env.LONGWIRE_SEED ?? 1)
const ROOMS = ['red', 'blue']
const CLIENTS = 6
const STEPS = 150

async function play(seed: number): Promise<{ told: number; skipped: number }> {
  const random = createRandom(seed)
  const time = virtualTime(1_000_000)
  const world = roomWorld(time)
  world.trailsBy = random.pick([0, 0, 3, 40])
  const make = () => {
    const client = world.client()
    return { client, reading: reader(client), wants: null as string | null, id: 0 }
  }
  const people = Array.from({ length: CLIENTS }, make)
  const past: ReturnType<typeof make>[] = []
  const speed = random.pick([1, 10, 60])
  const ask = (person: (typeof people)[number], roomId: string | null): void => {
    person.wants = roomId
    const id = ++person.id
    const frame: ClientFrame =
      roomId === null ? { type: 'leaveRoom', id } : { type: 'joinRoom', id, roomId, newest: random.int(10) }
    person.client.say(frame)
  }

  for (let at = 0; at < STEPS; at++) {
    const i = random.int(CLIENTS)
    const person = people[i] as (typeof people)[number]
    const what = random.int(100)
    if (what < 15) ask(person, random.chance(0.2) ? null : random.pick(ROOMS))
    else if (what < 20) {
      person.client.close()
      past.push(person)
      const again = make()
      people[i] = again
      if (person.wants) ask(again, person.wants)
    } else if (what < 24) person.client.buffered = random.pick([0, 10_000_000])
    else if (what < 26) world.online.down = !world.online.down
    else if (what < 28) world.online.forgetInterest(`r:${random.pick(ROOMS)}`)
    else if (what < 32) void world.rooms.refresh().catch(() => {})
    else {
      const roomId = random.pick(ROOMS)
      const head = world.head(roomId)
      const change = random.chance(0.1) && head > 0 ? 1 + random.int(head) : undefined
      await world.said(roomId, { lost: random.chance(0.03), change })
    }
    if (random.chance(0.7)) await time.run(random.int(speed))
  }

  world.online.down = false
  for (const person of people) person.client.buffered = 0
  await time.run(5_000)
  void world.rooms.refresh()
  await time.run(100)
  for (const roomId of ROOMS) await world.said(roomId)
  await time.run(5_000)

  let told = 0
  let skipped = 0
  for (const { reading, wants, client } of [...people, ...past]) {
    const now = reading.read()
    expect(reading.wrong, `seed ${seed}`).toEqual([])
    told += now.shown
    skipped += now.skipped
    if (client.connection.socket === null) continue
    // Quiet at last: everyone is where he asked to be, and has been told of all that was said there.
    expect(now.room, `seed ${seed}`).toBe(wants === null ? null : `r:${wants}`)
    if (wants !== null) expect(now.last, `seed ${seed}`).toBe(world.head(wants))
  }
  expect(world.rooms.seated()).toBe(people.filter(({ wants }) => wants !== null).length)
  return { told, skipped }
}

describe('live rooms', () => {
  test('show from each answer on the messages of that room alone, each once, and say what they skip', async () => {
    const totals = { told: 0, skipped: 0 }
    for (let seed = SEED; seed < SEED + SCHEDULES; seed++) {
      const { told, skipped } = await play(seed)
      totals.told += told
      totals.skipped += skipped
    }
    // Neither is the rare case here.
    expect(totals.told).toBeGreaterThan(10 * SCHEDULES)
    expect(totals.skipped).toBeGreaterThan(SCHEDULES)
  })
})
