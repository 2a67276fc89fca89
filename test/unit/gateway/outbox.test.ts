import { expect, test } from 'vitest'
import type { Connection } from '../../../gateway/connections.ts'
import { createOutbox } from '../../../gateway/outbox.ts'

/** An outbox whose turns and timers are run by hand, with one connection whose writes are kept. */
function setUp() {
  let deferred: (() => void)[] = []
  let timers: { ms: number; fn: () => void }[] = []
  const writes: string[][] = []
  const connection = {
    out: null,
    socket: {
      send: (bytes: Buffer) => {
        current.push(bytes.toString())
        return true
      },
      cork: (fn: () => void) => fn(),
      end: () => {},
    },
  } as unknown as Connection
  let current: string[] = []
  const run = (fns: (() => void)[]): void => {
    for (const fn of fns) {
      current = []
      fn()
      if (current.length > 0) writes.push(current)
    }
  }
  const outbox = createOutbox(
    (fn) => void deferred.push(fn),
    (ms, fn) => {
      timers.push({ ms, fn })
      return () => {}
    },
    () => {},
  )
  return {
    outbox,
    connection,
    writes,
    timers: () => timers.length,
    endTurn() {
      const now = deferred
      deferred = []
      run(now)
    },
    timePasses() {
      const now = timers
      timers = []
      run(now.map(({ fn }) => fn))
    },
  }
}

test('what one turn brings leaves together and in order, what is not in a hurry included', () => {
  const { outbox, connection, writes, endTurn, timePasses } = setUp()
  outbox.writeSoon(connection, Buffer.from('a'))
  endTurn()
  expect(writes).toEqual([])
  outbox.write(connection, Buffer.from('b'))
  outbox.writeSoon(connection, Buffer.from('c'))
  outbox.write(connection, Buffer.from('d'))
  endTurn()
  expect(writes).toEqual([['a', 'b', 'c', 'd']])
  timePasses()
  expect(writes.length).toBe(1)
})

test('what is not in a hurry leaves when nothing else does, on one timer for all', () => {
  const { outbox, connection, writes, timers, endTurn, timePasses } = setUp()
  outbox.writeSoon(connection, Buffer.from('a'))
  outbox.write(connection, Buffer.from('b'))
  endTurn()
  outbox.writeSoon(connection, Buffer.from('c'))
  expect(timers()).toBe(1)
  timePasses()
  expect(writes).toEqual([['a', 'b'], ['c']])
  outbox.writeSoon(connection, Buffer.from('d'))
  timePasses()
  expect(writes.at(-1)).toEqual(['d'])
})

test('a connection that is closed meanwhile gets nothing', () => {
  const { outbox, connection, writes, endTurn, timePasses } = setUp()
  outbox.writeSoon(connection, Buffer.from('a'))
  connection.socket = null
  connection.out = null
  endTurn()
  timePasses()
  expect(writes).toEqual([])
})

test('what was taken back before it left is not sent', () => {
  const { outbox, connection, writes, endTurn } = setUp()
  const [said, recalled] = [Buffer.from('text'), Buffer.from('no text')]
  outbox.write(connection, Buffer.from('a'))
  outbox.writeSoon(connection, said)
  outbox.replace(connection, said, recalled)
  endTurn()
  expect(writes).toEqual([['a', 'no text']])
  outbox.replace(connection, said, recalled)
  endTurn()
  expect(writes.length).toBe(1)
})
