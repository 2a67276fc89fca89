/** What an idle connection costs the gateway in memory. */
import { type LoadPool, startLoad } from './load/pool.ts'
import type { Platform } from './support/platform.ts'
import { type Usage, usageOf } from './support/processes.ts'

export interface IdleMeasurement {
  readonly connections: number
  /** Were there before the first look. */
  readonly connectionsBefore: number
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
/** The first ones pay for the heap's own growth and for compiled code: they are there before the first look. */
const SHARE_BEFORE = 0.1
const SETTLE_BEFORE_MS = 8_000

export async function measureIdle(
  platform: Platform,
  connections: number,
  say: (text: string) => void,
): Promise<IdleMeasurement> {
  const gateways = platform.processes().filter(({ name }) => name === 'gateway')
  const gatewayBytes = (): number => usageOf(gateways).reduce((sum, usage) => sum + usage.rssBytes, 0)
  const load: LoadPool = await startLoad(LOAD_PROCESSES)
  const { url, secret } = platform
  const connectMore = async (count: number, name: string): Promise<number> => {
    const prefix = `idle-${name}-${process.pid}`
    return (await load.connect({ url, secret, prefix, count, codec: 'json', atOnce: AT_ONCE })).ms
  }
  const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
  try {
    const connectionsBefore = Math.ceil((connections * SHARE_BEFORE) / 2) * 2
    say(`connecting ${connectionsBefore}`)
    await connectMore(connectionsBefore, 'a')
    await sleep(SETTLE_BEFORE_MS)
    const gatewayBytesBefore = gatewayBytes()
    say(`connecting ${connections - connectionsBefore} more`)
    const ms = await connectMore(connections - connectionsBefore, 'b')
    say(`${connections} connections are there, waiting until all is quiet`)
    await sleep(SETTLE_MS)
    const gatewayBytesAfter = gatewayBytes()
    return {
      connections,
      connectionsBefore,
      connectMs: ms,
      gatewayBytesBefore,
      gatewayBytesAfter,
      bytesPerConnection: (gatewayBytesAfter - gatewayBytesBefore) / (connections - connectionsBefore),
      processes: usageOf([...platform.processes(), ...load.processes()]),
    }
  } finally {
    await load.close()
  }
}
