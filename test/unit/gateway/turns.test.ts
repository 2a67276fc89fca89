import { expect, test } from 'vitest'
import { createConnections } from '../../../gateway/connections.ts'
import { createTurns } from '../../../gateway/turns.ts'
import { createVirtualClock } from '../../../infra/memory/virtual-clock.ts'
import { limits } from '../../../schemas/limits.ts'
import { connect } from '../../support/fake-connection.ts'

function given() {
  const clock = createVirtualClock()
  const connections = createConnections(1_000)
  const failed: string[] = []
  const turns = createTurns(clock, ({ user }, error) => void failed.push(`${user} ${String(error)}`))
  const someone = (user: string) => connect(connections, user)
  const inside = Array.from({ length: limits.loginsAtOnceMax }, (_, i) => someone(`u${i}`))
  for (const one of inside) turns.take(one, () => {})
  return { clock, turns, failed, someone, inside }
}
const broken = () => {
  throw new Error('defect')
}

test('a login that meets a defect when its turn comes disturbs neither whoever left nor who comes next', () => {
  const { turns, failed, someone, inside } = given()
  const came: string[] = []
  turns.take(someone('bad'), broken)
  turns.take(someone('ann'), () => void came.push('ann'))
  turns.end(inside[0] as (typeof inside)[0])
  turns.end(inside[1] as (typeof inside)[0])
  expect(came).toEqual(['ann'])
  expect(failed).toEqual(['bad Error: defect'])
})

test('a turn that takes too long ends by itself, and what comes next may be broken', async () => {
  const { clock, turns, failed, someone } = given()
  let came = 0
  turns.take(someone('bad'), broken)
  turns.take(someone('ann'), () => {
    came += 1
  })
  await clock.advance(limits.loginTurnMsMax)
  expect([came, failed.length, turns.waiting()]).toEqual([1, 1, 0])
})
