import { describe, expect, test } from 'vitest'
import { createLineLimit } from '../../../infra/supervisor/line-limit.ts'
import { createRestartPolicy } from '../../../infra/supervisor/restart-policy.ts'
import { formatLine, forScreen } from '../../../infra/supervisor/screen.ts'

describe('a role that dies', () => {
  test('is started again, later each time, until five quick deaths in a row', () => {
    const policy = createRestartPolicy()
    const decisions = [1, 2, 3, 4].map(() => policy.died(100, 1))
    expect(decisions).toEqual([250, 500, 1000, 2000].map((afterMs) => ({ kind: 'restart', afterMs })))
    expect(policy.died(100, 1).kind).toBe('give-up')
  })

  test('after a long life begins at the shortest wait again', () => {
    const policy = createRestartPolicy()
    for (let i = 0; i < 4; i += 1) policy.died(100, null)
    expect(policy.died(60_000, null)).toEqual({ kind: 'restart', afterMs: 250 })
  })

  test('over a wrong setting is not started again', () => {
    expect(createRestartPolicy().died(100, 2).kind).toBe('give-up')
  })
})

describe('the screen', () => {
  test('aligns times', () => {
    const lines = [formatLine('kafka', 'embedded', 2612), formatLine('clickhouse', 'embedded', 12_345)]
    expect(lines[0]?.length).toBe(lines[1]?.length)
    expect(lines[0]).toMatch(/^ {2}kafka {7}embedded +2\.6 s$/)
  })

  test('shows warnings and worse of a role, not its routine and not its stack traces', () => {
    expect(forScreen('gateway', '{"level":"info","msg":"listening"}', true)).toBeUndefined()
    expect(forScreen('gateway', '    at Function.run (x.ts:1:2)', true)).toBeUndefined()
    const line =
      '{"level":"error","msg":"cannot go on","pid":7,"code":"x","err":{"message":"gone","stack":"…"}}'
    expect(forScreen('gateway', line, true)).toBe('  gateway     error: cannot go on code=x err="gone"')
    expect(forScreen('gateway', 'TypeError: x is not a function', true)).toContain('TypeError: x is not')
    expect(forScreen('gateway', 'LONGWIRE_PORT is "x": must be a port', true)).toContain('LONGWIRE_PORT')
  })

  test('keeps warnings to the file while parts wait for each other', () => {
    expect(forScreen('gateway', '{"level":"warn","msg":"away"}', false)).toBeUndefined()
    expect(forScreen('gateway', '{"level":"warn","msg":"away"}', true)).toContain('warn: away')
    expect(forScreen('gateway', '{"level":"error","msg":"gone"}', false)).toContain('error: gone')
  })

  test('shows a few lines of a flood and says how many it held back', () => {
    const limit = createLineLimit(2, 1000)
    const at = [0, 1, 2, 3, 999].map((nowMs) => limit.take(nowMs).show)
    expect(at).toEqual([true, true, false, false, false])
    expect(limit.take(1000)).toEqual({ show: true, heldBack: 3 })
    expect(limit.take(1001)).toEqual({ show: true, heldBack: 0 })
  })

  test('lets no control character of a log line through', () => {
    const shown =
      forScreen('gateway', JSON.stringify({ level: 'warn', msg: 'a\nb\u001b[2Jc', x: '\r' }), true) ?? ''
    expect([...shown].every((char) => char >= ' ')).toBe(true)
  })
})
