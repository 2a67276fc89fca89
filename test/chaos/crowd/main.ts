/** A crowd of bad clients: a process of its own, on bare sockets. Ends when it is told to, or when its parent is gone. */
import { readFileSync } from 'node:fs'
import { exitWithParent } from '../../../infra/lifecycle.ts'
import { corpus, mutated } from '../../fuzz/mutate.ts'
import { type DeafClient, deafClient } from '../../support/deaf-client.ts'
import { omtpClient } from '../../support/omtp-client.ts'
import { type Random, randomOf } from '../random.ts'
import type { CrowdConfig, CrowdStats } from './protocol.ts'

const config = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as CrowdConfig
const stats = { logins: 0, dropped: 0, closed: 0, told: 0, broken: 0 }
const good = corpus()
const welcomeMsMax = 5_000
/** Longer than all times that a gateway sends again before it gives a client up. */
const deafMs = 50_000
const pingMs = 5_000
const framesPerVisit = 60
const fuzzEveryMs = 20
let stopping = false
const sleepers = new Set<() => void>()

exitWithParent(() => process.exit(1))
process.on('message', () => {
  stopping = true
  for (const wake of sleepers) wake()
})
const behave = { flapping: flap, deaf: stayDeaf, fuzz: async () => {} }[config.name]
await Promise.all(Object.keys(config.tokens).map((user, i) => live(user, randomOf(config.seed + i))))
process.send?.(stats satisfies CrowdStats, () => process.exit(0))

async function live(user: string, random: Random): Promise<void> {
  await sleep(random.between(0, 3_000))
  for (let visit = 0; !stopping; visit++) {
    // One that is not let in, or dies on the way, comes back like the others.
    const visiting = config.name === 'fuzz' ? breakIn(user, visit, random) : comeIn(user, visit, random)
    await visiting.catch(() => {})
    await sleep(random.between(500, 2_000))
  }
}

function loginOf(user: string, visit: number): object {
  const device = { deviceId: `${config.name}-${visit % 7}`, deviceType: 'crowd' }
  return { type: 'login', token: config.tokens[user], protocol: 1, ...device }
}

async function comeIn(user: string, visit: number, random: Random): Promise<void> {
  const client = await deafClient(random.pick(config.urls))
  try {
    client.send(loginOf(user, visit))
    const untilMs = performance.now() + welcomeMsMax
    while (!client.frames.some(({ type }) => type === 'welcome') && !client.closed && !stopping) {
      if (performance.now() > untilMs) return
      await sleep(20)
    }
    if (client.closed) return
    stats.logins += 1
    await behave(client, random)
  } finally {
    client.close()
  }
}

async function flap(client: DeafClient, random: Random): Promise<void> {
  await sleep(random.between(0, 3_000))
  stats.dropped += 1
  if (random.next() >= 0.3) return
  client.send({ type: 'logout' })
  await sleep(random.between(0, 50))
}

async function stayDeaf(client: DeafClient): Promise<void> {
  client.pause()
  // It lives and hears nothing: its heartbeats arrive.
  for (let ms = 0; ms < deafMs && !stopping; ms += pingMs) {
    client.send({ type: 'ping', id: ms })
    await sleep(pingMs)
  }
  client.resume()
  await sleep(1_000)
  if (client.closed) stats.closed += 1
  if (client.frames.some((frame) => frame.type === 'bye' && frame.code === 'slow_consumer')) stats.told += 1
}

/** Broken frames over OMTP or WebSocket, with and without a login. */
async function breakIn(user: string, visit: number, random: Random): Promise<void> {
  const draw = { ...random, int: random.below, chance: (share: number) => random.next() < share }
  const frame = () => mutated(good, draw, draw.chance(0.95))
  const loginFirst = visit % 2 === 0
  if (visit % 4 < 2) {
    const client = await omtpClient(random.pick(config.omtpPorts))
    if (loginFirst) client.login(config.tokens[user] ?? '', { deviceId: `fuzz-${visit % 7}` })
    for (let i = 0; i < framesPerVisit && !client.isClosed() && !stopping; i++) {
      client.raw(frame())
      stats.broken += 1
      await sleep(fuzzEveryMs)
    }
    if (client.isClosed()) stats.closed += 1
    client.close()
    return
  }
  const client = await deafClient(random.pick(config.urls))
  if (loginFirst) client.send(loginOf(user, visit))
  for (let i = 0; i < framesPerVisit && !client.closed && !stopping; i++) {
    client.raw(frame())
    stats.broken += 1
    await sleep(fuzzEveryMs)
  }
  if (client.closed) stats.closed += 1
  client.close()
}

function sleep(ms: number): Promise<void> {
  if (stopping) return Promise.resolve()
  return new Promise((resolve) => {
    const wake = () => {
      clearTimeout(timer)
      sleepers.delete(wake)
      resolve()
    }
    const timer = setTimeout(wake, ms)
    sleepers.add(wake)
  })
}
