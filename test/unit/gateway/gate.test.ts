import { describe, expect, test } from 'vitest'
import { createGate } from '../../../gateway/gate.ts'

function given(insideMax: number, waitingMax: number) {
  const gate = createGate<string>(insideMax, waitingMax)
  const gone: string[] = []
  const pass = (who: string) => gate.pass(who, () => void gone.push(who))
  return { gate, gone, pass }
}

describe('a gate', () => {
  test('lets so many in, so many wait, and turns the rest away', () => {
    const { gate, gone, pass } = given(2, 2)
    expect(['a', 'b', 'c', 'd', 'e'].map(pass)).toEqual([true, true, true, true, false])
    expect(gone).toEqual(['a', 'b'])
    expect([gate.inside(), gate.waiting()]).toEqual([2, 2])
  })

  test('lets those who wait in, in order, one for each who leaves', () => {
    const { gate, gone, pass } = given(1, 9)
    for (const who of ['a', 'b', 'c', 'd']) pass(who)
    gate.leave('c')
    gate.leave('a')
    expect(gone).toEqual(['a', 'b'])
    gate.leave('b')
    expect(gone).toEqual(['a', 'b', 'd'])
    gate.leave('d')
    gate.leave('d')
    expect([gate.inside(), gate.waiting()]).toEqual([0, 0])
  })

  test('lets whoever is inside go on at once, though others wait', () => {
    const { gone, pass } = given(1, 9)
    for (const who of ['a', 'b', 'a']) pass(who)
    expect(gone).toEqual(['a', 'a'])
  })

  test('goes on where one leaves as soon as it is in', () => {
    const gate = createGate<number>(3, 1_000)
    let count = 0
    for (let who = 0; who < 1_000; who++)
      gate.pass(who, () => {
        count += 1
        queueMicrotask(() => gate.leave(who))
      })
    return Promise.resolve().then(async () => {
      for (let i = 0; i < 2_000; i++) await null
      expect(count).toBe(1_000)
      expect(gate.inside()).toBe(0)
    })
  })

  test('lets thousands in who leave at once, without a call within a call for each', () => {
    const gate = createGate<number>(1, 100_000)
    let left = 0
    gate.pass(-1, () => {})
    for (let who = 0; who < 50_000; who++)
      gate.pass(who, () => {
        left += 1
        gate.leave(who)
      })
    gate.leave(-1)
    expect([left, gate.inside(), gate.waiting()]).toEqual([50_000, 0, 0])
  })
})
