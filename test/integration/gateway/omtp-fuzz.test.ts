import { expect, it } from 'vitest'
import { fuzzSocket } from '../../fuzz/socket.ts'
import { startTestGateway } from '../../support/gateway.ts'
import { createRandom } from '../../support/random.ts'

it('2,000 broken frames over TCP leave a gateway that serves the next client, and no connection behind', async () => {
  const test = await startTestGateway({ gatewayId: 'gw-omtp-fuzz' })
  const seed = Date.now() % 1_000_000_000
  const report = await fuzzSocket(test, 2_000, createRandom(seed))
  expect(report, `seed ${seed}`).toMatchObject({ stillServes: true, connectionsLeft: 0 })
  await test.stop()
})
