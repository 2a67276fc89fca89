import { expect, test } from 'vitest'
import { createProcessClock, createVirtualClock } from '../../../../infra/memory/virtual-clock.ts'

test('timers run in order of time, then of creation, with their promises settled in between', async () => {
  const clock = createVirtualClock(0)
  const seen: string[] = []
  clock.after(20, () => seen.push(`third at ${clock.now()}`))
  clock.after(10, () => {
    seen.push('first')
    void Promise.resolve()
      .then(() => undefined)
      .then(() => seen.push('its promise'))
  })
  clock.after(10, () => seen.push('second'))
  await clock.advance(15)
  expect(seen).toEqual(['first', 'its promise', 'second'])
  expect(clock.now()).toBe(15)
  await clock.runUntilIdle()
  expect(seen.at(-1)).toBe('third at 20')
})

test('a cancelled timer never runs, and timers made by timers do', async () => {
  const clock = createVirtualClock(0)
  const seen: number[] = []
  const cancel = clock.after(5, () => seen.push(5))
  clock.after(1, () => {
    cancel()
    clock.after(2, () => seen.push(clock.now()))
  })
  await clock.runUntilIdle()
  expect(seen).toEqual([3])
  expect(clock.pending()).toBe(0)
})

test('runUntil stops as soon as its condition holds, and says so when it never does', async () => {
  const clock = createVirtualClock(0)
  let count = 0
  const tick = () => {
    count += 1
    clock.after(10, tick)
  }
  tick()
  expect(await clock.runUntil(() => count === 4, 1_000)).toBe(true)
  expect(clock.now()).toBe(30)
  expect(await clock.runUntil(() => false, 100)).toBe(false)
})

test('a stopped process catches up on its timers when it is woken; a killed one never runs again', async () => {
  const clock = createVirtualClock(0)
  const own = createProcessClock(clock)
  const seen: string[] = []
  own.after(10, () => seen.push('a'))
  own.stop()
  await clock.advance(100)
  expect(seen).toEqual([])
  own.wake()
  expect(seen).toEqual(['a'])
  own.after(10, () => seen.push('b'))
  own.kill()
  own.wake()
  await clock.advance(100)
  expect(seen).toEqual(['a'])
})
