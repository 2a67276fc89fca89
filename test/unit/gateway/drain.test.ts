import { describe, expect, test } from 'vitest'
import { type Connection, createConnections } from '../../../gateway/connections.ts'
import { goingNow, inOrder, sendAway, spreadMs, TURN_MS } from '../../../gateway/drain.ts'
import { connect } from '../../support/fake-connection.ts'
import { virtualTime } from '../../support/virtual-time.ts'

/** So many connections; those sent away, with when. */
function given(count: number, drainMs: number) {
  const time = virtualTime(0)
  const connections = createConnections(count)
  for (let i = 0; i < count; i++) connect(connections, `user-${i}`)
  const gone: { connection: Connection; at: number; after: number }[] = []
  const done = sendAway({
    connections: connections.all,
    input(connection, input) {
      if (input.kind !== 'drain') return
      gone.push({ connection, at: time.now(), after: input.reconnectAfterMs })
      connections.remove(connection)
    },
    clock: time,
    random: () => 0.5,
    defer: (fn) => void time.after(0, fn),
    drainMs,
  })
  return { time, connections, gone, done }
}

describe('sending clients away', () => {
  test('takes the whole time for many and less for few, evenly', async () => {
    const many = given(10_000, 8_000)
    await many.time.run(4_000)
    expect(many.gone.length).toBeGreaterThan(4_500)
    expect(many.gone.length).toBeLessThan(5_500)
    await many.time.run(4_100)
    expect(many.gone).toHaveLength(10_000)
    expect(Math.max(...many.gone.map(({ after }) => after))).toBeLessThan(TURN_MS)
    await many.done
    const few = given(10, 8_000)
    await few.time.run(100)
    expect(few.gone).toHaveLength(10)
  })

  test('at once tells each to return some time later', async () => {
    const { time, gone, done } = given(2_000, 0)
    await time.run(0)
    expect(gone).toHaveLength(2_000)
    expect(gone[0]?.after).toBe(2_000)
    await done
  })

  test('misses nobody who comes meanwhile', async () => {
    const { time, connections, gone, done } = given(1_000, 2_000)
    await time.run(1_000)
    for (let i = 0; i < 50; i++) connect(connections, `late-${i}`)
    await time.run(3_000)
    expect(gone).toHaveLength(1_050)
    expect(connections.size()).toBe(0)
    await done
  })

  test('begins with those who wait for nothing', () => {
    const connections = createConnections(9)
    const [busy, idle] = ['busy', 'idle'].map((user) => connect(connections, user))
    if (!busy || !idle) throw new Error('none')
    busy.session = { ...busy.session, appending: 2 } as Connection['session']
    expect(inOrder(connections.all()).map(({ user }) => user)).toEqual(['idle', 'busy'])
  })

  test('ends with the last turn, whatever is left', () => {
    expect(goingNow(7, 1)).toBe(7)
    expect(goingNow(7, 0)).toBe(7)
    expect(goingNow(100, 10)).toBe(10)
    expect(spreadMs(100_000, 8_000)).toBe(8_000)
  })
})
