import { describe, expect, test } from 'vitest'
import type { AssignedPartition } from '../../../../infra/kafka/consumer.ts'
import { createWatchdog } from '../../../../infra/kafka/watchdog.ts'
import { createVirtualClock } from '../../../../infra/memory/virtual-clock.ts'

const INTERVAL_MS = 5_000

function given() {
  const clock = createVirtualClock()
  const at = { next: 10, end: 10 }
  const faults: string[] = []
  const one = {
    ...{ topic: 't', partition: 0, assigned: true, pausedInKafka: false },
    feed: { next: () => at.next, idle: () => true },
  } as unknown as AssignedPartition
  const watchdog = createWatchdog({
    clock,
    intervalMs: INTERVAL_MS,
    range: async () => ({ begin: 0, end: at.end }),
    active: () => [one],
    suspect: () => {},
    fail: ({ code }) => void faults.push(code),
  })
  watchdog.start()
  return { clock, at, faults }
}

describe('the watchdog of a consumer', () => {
  test('takes nobody for stuck who had nothing to read for long, at the moment at which something comes', async () => {
    const { clock, at, faults } = given()
    for (let round = 0; round < 20; round++) {
      await clock.advance(7 * INTERVAL_MS)
      // Looked at before the fetch has brought it.
      at.end += 1
      await clock.advance(INTERVAL_MS)
      at.next = at.end
    }
    expect(faults).toEqual([])
  })

  test('tells of one who stands still while there is something to read', async () => {
    const { clock, at, faults } = given()
    await clock.advance(6 * INTERVAL_MS)
    at.end += 1
    await clock.advance(5 * INTERVAL_MS)
    expect(faults[0]).toBe('consumer_stuck')
  })
})
