import { describe, expect, it } from 'vitest'
import { createGaps } from '../../../gateway/gaps.ts'

describe('running numbers of deliveries', () => {
  it('the first of a partition is no gap, the next by one neither, a jump is', () => {
    const gaps = createGaps()
    expect([gaps.note(0, 'a', 7), gaps.note(0, 'a', 8), gaps.note(0, 'a', 10)]).toEqual([false, false, true])
    expect(gaps.note(1, 'a', 0)).toBe(false)
  })

  it('a new instance for a known partition is a gap once, whatever the old one still writes', () => {
    const gaps = createGaps()
    gaps.note(0, 'a', 0)
    expect(gaps.note(0, 'b', 0)).toBe(true)
    expect(gaps.note(0, 'a', 1)).toBe(false)
    expect(gaps.note(0, 'b', 1)).toBe(false)
  })

  it('what came before is no gap', () => {
    const gaps = createGaps()
    gaps.note(0, 'a', 5)
    expect(gaps.note(0, 'a', 4)).toBe(false)
    expect(gaps.note(0, 'a', 6)).toBe(false)
  })
})
