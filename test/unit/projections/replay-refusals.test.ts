import { expect, test } from 'vitest'
import { refusalIn } from '../../../projections/replay/refusals.ts'
import { Fault } from '../../../schemas/ports.ts'

const fault = (code: string) => new Fault(code, 'what to do', { retriable: false })

test('what a replay refuses is told as it is; a service that does not answer, or a bug, is no refusal', () => {
  for (const code of ['truncated', 'events_truncated', 'outside_log', 'unknown_schema', 'no_namespace'])
    expect(refusalIn(fault(code))).toBe('what to do')
  expect(refusalIn(fault('leased'))).toMatch(/one replay of a projection at a time/)
  for (const err of [fault('redis_unavailable'), fault('lease_lost'), new Error('a bug')])
    expect(refusalIn(err)).toBe(null)
})
