/** `npx node bench/sealing/run.ts`: what sealing and opening a content costs, in CPU time, with its month's key at hand and with one that much was cut out of. */
import { randomBytes } from 'node:crypto'
import { grouped, table } from '../../infra/terminal.ts'
import {
  encodeTree,
  type KeyTree,
  messagePath,
  monthPath,
  openContent,
  PART_DIGITS,
  sealContent,
  seedAt,
  wholeTree,
  without,
} from '../../schemas/content-keys.ts'

const CONTENTS = 20_000
const ROUNDS = 5
const CUTS = 400
const T0 = Date.UTC(2026, 10, 1)

function packIdAt(time: number): Buffer {
  const packId = randomBytes(16)
  packId.writeUIntBE(time, 0, 6)
  return packId
}

/** CPU time of one call, in µs: the least of all rounds, as others use the machine too. */
function cost(calls: number, work: (i: number) => void): number {
  let least = Number.POSITIVE_INFINITY
  for (let round = 0; round < ROUNDS; round++) {
    const from = process.cpuUsage()
    for (let i = 0; i < calls; i++) work(i)
    const { user, system } = process.cpuUsage(from)
    least = Math.min(least, (user + system) / calls)
  }
  return least
}

const packIds = Array.from({ length: CONTENTS }, (_, i) => packIdAt(T0 + i))
const root = wholeTree(randomBytes(16))
const MONTH = monthPath(T0)
/** As a process holds it for each user who writes. */
const whole: KeyTree = new Map([[MONTH, seedAt(root, MONTH) as Buffer]])
const part = messagePath(packIds[0] as Buffer).slice(0, PART_DIGITS)
const cuts = Array.from({ length: 40 * CUTS }, () => messagePath(packIdAt(T0)))
  .filter((path) => path.startsWith(part))
  .slice(0, CUTS)
const partly: KeyTree = cuts.reduce(without, new Map([[part, seedAt(whole, part) as Buffer]]))
const inPart = packIds.filter((packId) => messagePath(packId).startsWith(part))

const rows = [200, 2_000, 32_000].map((bytes) => {
  const content = randomBytes(bytes)
  const leaves = packIds.map((packId) => seedAt(whole, messagePath(packId)) as Buffer)
  const sealed = leaves.map((leaf) => sealContent(leaf, content))
  const of = (i: number): Buffer => packIds[i] as Buffer
  const seal = cost(CONTENTS, (i) => {
    sealContent(seedAt(whole, messagePath(of(i))) as Buffer, content)
  })
  const open = cost(CONTENTS, (i) => {
    openContent(seedAt(whole, messagePath(of(i))) as Buffer, sealed[i] as Buffer)
  })
  const cut = cost(inPart.length, (i) => {
    const leaf = seedAt(partly, messagePath(inPart[i] as Buffer))
    if (leaf) sealContent(leaf, content)
  })
  return [grouped(bytes), seal.toFixed(1), open.toFixed(1), cut.toFixed(1)]
})
console.log(table(['bytes', 'seal µs', 'open µs', `seal µs, ${CUTS} cut out`], rows))
console.log(
  `\n  a whole key: ${encodeTree(root).length} bytes; one sixteenth of a month with ${CUTS} messages cut out: ${grouped(encodeTree(partly).length)} bytes`,
)
