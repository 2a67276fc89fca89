import { createMemoryLog } from '../../infra/memory/log.ts'
import { createVirtualClock } from '../../infra/memory/virtual-clock.ts'
import { logContract } from '../integration/log-contract.ts'

logContract('memory', async () => {
  const clock = createVirtualClock()
  let running = true
  // Time passes by itself here: the suite is written against a real log and knows no virtual clock.
  const passing = (async () => {
    while (running) await clock.advance(1)
  })()
  return {
    store: createMemoryLog(clock),
    close: async () => {
      running = false
      await passing
    },
  }
})
