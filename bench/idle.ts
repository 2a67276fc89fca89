/** What an idle connection costs the gateway in memory. */
import { type LoadPool, startLoad } from './load/pool.ts'
import type { Platform } from './support/platform.ts'
import { type Usage, usageOf } from './support/processes.ts'

export interface IdleMeasurement {
  readonly connections: number
  readonly connectMs: number
  readonly gatewayBytesBefore: number
  readonly gatewayBytesAfter: number
  readonly bytesPerConnection: number
  readonly processes: readonly Usage[]
}

const LOAD_PROCESSES = 2
/** The clients ask for heads again some 2 s after they connect; then nothing is left to do. */
const SETTLE_MS = 20_000
const AT_ONCE = 100

export async function measureIdle(
  platform: Platform,
  connections: number,
  say: (text: string) => void,
): Promise<IdleMeasurement> {
  const gateways = platform.processes().filter(({ name }) => name === 'gateway')
  const gatewayBytes = (): number => usageOf(gateways).reduce((sum, usage) => sum + usage.rssBytes, 0)
  const load: LoadPool = await startLoad(LOAD_PROCESSES)
  try {
    const gatewayBytesBefore = gatewayBytes()
    say(`connecting ${connections}`)
    const { url, secret } = platform
    const prefix = `idle-${process.pid}`
    const { ms } = await load.connect({
      url,
      secret,
      prefix,
      count: connections,
      codec: 'json',
      atOnce: AT_ONCE,
    })
    say(`${connections} connections are there, waiting until all is quiet`)
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS))
    const gatewayBytesAfter = gatewayBytes()
    return {
      connections,
      connectMs: ms,
      gatewayBytesBefore,
      gatewayBytesAfter,
      bytesPerConnection: (gatewayBytesAfter - gatewayBytesBefore) / connections,
      processes: usageOf([...platform.processes(), ...load.processes()]),
    }
  } finally {
    await load.close()
  }
}
