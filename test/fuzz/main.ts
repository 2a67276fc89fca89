/** `npm run fuzz -- --frames 1000000`: broken OMTP frames through the decoder, and one in fifty over TCP against a gateway. */
import { Command } from 'commander'
import { startTestGateway } from '../support/gateway.ts'
import { createRandom } from '../support/random.ts'
import { fuzzDecoder } from './decoder.ts'
import { fuzzSocket } from './socket.ts'

const values = new Command('npm run fuzz --')
  .description('Broken OMTP frames through the decoder, and some over TCP against a gateway.')
  .option('--frames <n>', 'through the decoder', '1000000')
  .option('--socket <n>', 'over TCP (default: one in fifty)')
  .option('--seed <n>', 'of the frames', String(Date.now() % 1_000_000_000))
  .parse()
  .opts<{ frames: string; socket?: string; seed: string }>()
const frames = Number(values.frames)
const socketFrames = Number(values.socket ?? Math.floor(frames / 50))
const seed = Number(values.seed)
if (![frames, socketFrames, seed].every(Number.isSafeInteger))
  throw new Error('--frames, --socket and --seed are whole numbers')

const uncaught: unknown[] = []
process.on('uncaughtException', (error) => uncaught.push(error))
process.on('unhandledRejection', (error) => uncaught.push(error))
const say = (line: string): void => void process.stdout.write(`${line}\n`)
const mebibytes = (bytes: number): string => `${(bytes / 1_048_576).toFixed(1)} MiB`

say(`seed ${seed}`)
const decoder = await fuzzDecoder(frames, createRandom(seed), (done) =>
  say(`  ${done.toLocaleString('en')} frames`),
)
say(`decoder: ${decoder.frames.toLocaleString('en')} frames, ${decoder.perSecond.toLocaleString('en')}/s`)
say(
  `  still good ${decoder.decoded}, framing ended ${decoder.ended}, refused ${JSON.stringify(decoder.refused)}`,
)
say(
  `  heap after collection, middle to end: ${mebibytes(decoder.heapMiddle)} to ${mebibytes(decoder.heapEnd)}`,
)
say(`  resident memory, middle to end: ${mebibytes(decoder.rssMiddle)} to ${mebibytes(decoder.rssEnd)}`)
say(`  crashes ${decoder.crashes.length}`)
for (const crash of decoder.crashes) say(`    ${crash}`)

const test = await startTestGateway({ gatewayId: 'gw-fuzz' })
const began = performance.now()
const socket = await fuzzSocket(test, socketFrames, createRandom(seed + 1))
const seconds = (performance.now() - began) / 1_000
say(
  `socket: ${socket.frames.toLocaleString('en')} frames on ${socket.connections} connections in ${seconds.toFixed(1)} s`,
)
say(`  ended by the gateway ${socket.endedByServer}, connections left ${socket.connectionsLeft}`)
say(`  a good login afterwards: ${socket.stillServes ? 'served' : 'NOT SERVED'}`)
say(`uncaught ${uncaught.length}`)
for (const error of uncaught.slice(0, 5)) say(`  ${String(error)}`)
await test.stop()
const clean = decoder.crashes.length === 0 && uncaught.length === 0 && socket.stillServes
say(clean ? 'nothing broke' : 'BROKEN')
process.exit(clean ? 0 : 1)
