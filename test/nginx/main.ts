/**
 * `npm run try:nginx`: the example of infra/deploy/nginx, with the nginx of this machine, before two gateways of which one is
 * killed and comes back. Clients on every transport send all the while; the run fails if anything is lost, doubled or out of order,
 * or if the clients are not back in time. Takes a minute and a half.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { type Client, connect } from '../../client/index.ts'
import { freePorts } from '../../infra/embedded/ports.ts'
import { table } from '../../infra/terminal.ts'
import { startPlatform } from '../support/platform.ts'
import { type Node, writeConfig } from './config.ts'

const perTransport = 12
const sendEveryMs = 100
const quietMs = 15_000
const deadMs = 15_000
const backMsMax = 10_000
/** Long enough for everyone to notice. */
const noticeMs = 6_000
const settleMsMax = 30_000
const streamModules = [
  '/usr/lib/nginx/modules/ngx_stream_module.so',
  '/usr/share/nginx/modules/ngx_stream_module.so',
]
const startMs = performance.now()
const say = (line: string) =>
  void process.stdout.write(`${((performance.now() - startMs) / 1_000).toFixed(1).padStart(6)} s  ${line}\n`)
const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

if (spawnSync('nginx', ['-v']).status !== 0) {
  process.stderr.write('there is no nginx on the PATH: install it (Debian: nginx and libnginx-mod-stream)\n')
  process.exit(2)
}
const dir = mkdtempSync(path.join(os.tmpdir(), 'longwire-nginx-'))
const [http = 0, omtp = 0, ...own] = await freePorts(7)
const [port1 = 0, omtp1 = 0, port2 = 0, omtp2 = 0, api2 = 0] = own
const nodes: Node[] = [
  { id: 'gw-1', port: port1, omtpPort: omtp1 },
  { id: 'gw-2', port: port2, omtpPort: omtp2 },
]
const proxied = { LONGWIRE_TRUSTED_PROXIES: '127.0.0.1' }
const second = {
  ...proxied,
  LONGWIRE_PORT: String(port2),
  LONGWIRE_OMTP_PORT: String(omtp2),
  LONGWIRE_API_PORT: String(api2),
}
const platform = await startPlatform(undefined, {
  ...proxied,
  LONGWIRE_PORT: String(port1),
  LONGWIRE_OMTP_PORT: String(omtp1),
})
let nginx: ChildProcess | null = null
let failed = true
try {
  let gateway = await platform.addGateway('gw-2', second)
  say('two gateways are ready')
  writeConfig(dir, nodes, { http, omtp }, streamModules.find(existsSync) ?? null)
  nginx = spawn('nginx', ['-p', dir, '-c', path.join(dir, 'nginx.conf'), '-g', 'daemon off;'], {
    stdio: 'inherit',
  })
  await sleep(1_000)
  if (nginx.exitCode !== null) throw new Error('nginx did not start')
  const addresses = {
    ws: `ws://127.0.0.1:${http}/ws`,
    poll: `http://127.0.0.1:${http}/poll`,
    omtp: `omtp://127.0.0.1:${omtp}`,
  }
  const people = await Promise.all(
    Object.entries(addresses).flatMap(([transport, url]) =>
      Array.from({ length: perTransport }, (_, i) => open(transport, url, `${transport}${i}`)),
    ),
  )
  say(`${people.length} clients are connected through nginx`)
  const sent = new Map<string, string>()
  let turn = 0
  const sending = setInterval(() => {
    const from = people[turn % people.length]
    const to = people[(turn * 7 + 1) % people.length]
    turn += 1
    if (!from || !to || from === to) return
    const text = `m${turn}`
    void from.client.send({ to: to.user, text }).then(() => sent.set(text, to.user))
  }, sendEveryMs)
  await sleep(quietMs)
  const spread = nodes.map(({ port, omtpPort }) => connectionsOf(port) + connectionsOf(omtpPort))
  const killedMs = performance.now()
  for (const person of people) person.lastOnlineMs = 0
  await gateway.kill()
  say('gw-2 was killed')
  while (people.some(({ online }) => !online()) || performance.now() - killedMs < noticeMs) {
    if (performance.now() - killedMs > backMsMax) break
    await sleep(20)
  }
  const lastBackMs = Math.max(0, ...people.map(({ lastOnlineMs }) => lastOnlineMs - killedMs))
  const moved = people.filter(({ lastOnlineMs }) => lastOnlineMs > 0).length
  const away = people.filter(({ online }) => !online()).map(({ user }) => user)
  say(`${moved} clients moved, the last after ${(lastBackMs / 1_000).toFixed(1)} s`)
  await sleep(Math.max(0, deadMs - (performance.now() - killedMs)))
  gateway = await platform.addGateway('gw-2', second)
  say('gw-2 is back')
  await sleep(quietMs)
  clearInterval(sending)
  const missing = () =>
    [...sent].filter(([text, user]) => !people.find((one) => one.user === user)?.seen.includes(text))
  for (const untilMs = performance.now() + settleMsMax; performance.now() < untilMs; await sleep(250))
    if (people.every(({ client }) => client.stats().outbox === 0) && missing().length === 0) break
  const doubled = people.reduce((sum, { seen }) => sum + seen.length - new Set(seen).size, 0)
  const disordered = people.reduce((sum, person) => sum + person.disordered, 0)
  process.stdout.write(
    `\n${table(
      ['what', 'figure'],
      [
        ['clients, a third on each transport', people.length],
        ['connections at gw-1 (weight 2) and gw-2 (weight 1)', spread.join(' and ')],
        ['moved when gw-2 was killed', moved],
        ['last of them back, s', (lastBackMs / 1_000).toFixed(1)],
        ['messages committed', sent.size],
        ['missing', missing().length],
        ['doubled', doubled],
        ['out of order', disordered],
      ],
    )}\n`,
  )
  failed = sent.size === 0 || moved === 0 || away.length + missing().length + doubled + disordered > 0
  if (away.length > 0) say(`not back: ${away.join(', ')}`)
  await Promise.all(people.map(({ client }) => client.close()))
} finally {
  nginx?.kill('SIGQUIT')
  await platform.stop()
  rmSync(dir, { recursive: true, force: true })
}
say(failed ? 'FAILED' : 'PASSED')
process.exit(failed ? 1 : 0)

interface Person {
  readonly user: string
  readonly client: Client
  readonly seen: string[]
  disordered: number
  lastOnlineMs: number
  online(): boolean
}

async function open(transport: string, url: string, user: string): Promise<Person> {
  const seen: string[] = []
  const last = new Map<string, number>()
  let online = false
  const person = { user, seen, disordered: 0, lastOnlineMs: 0, online: () => online }
  const client = await connect({
    ...{ url, token: await platform.mint(user), deviceId: transport, deviceType: transport },
    on: {
      state({ state }) {
        online = state === 'online'
        if (online) person.lastOnlineMs = performance.now()
      },
      message({ conversationId, seq, senderId, content }) {
        if (senderId === user) return
        if (seq <= (last.get(conversationId) ?? 0)) person.disordered += 1
        last.set(conversationId, seq)
        seen.push((content as { text: string }).text)
      },
    },
  })
  return Object.assign(person, { client })
}

/** Established connections to a local port, as the kernel knows them. */
function connectionsOf(port: number): number {
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const lines = readFileSync('/proc/net/tcp', 'utf8').trim().split('\n').slice(1)
  return lines.filter((line) => {
    const [, local = '', , state] = line.trim().split(/\s+/)
    return local.endsWith(wanted) && state === '01'
  }).length
}
