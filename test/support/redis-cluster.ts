/** Three Redis nodes that share the slots, on loopback, for the tests that must hold on a Cluster too. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { ensureRedisServer } from '../../infra/embedded/engines.ts'
import { stablePorts } from '../../infra/embedded/ports.ts'

const SLOTS = 16_384

export async function startRedisCluster(): Promise<{ urls: string[]; stop(): void }> {
  const dir = mkdtempSync(path.join(tmpdir(), 'longwire-redis-cluster-'))
  const binary = await ensureRedisServer(path.resolve('.longwire/engines'), () => {})
  // The cluster bus listens 10,000 above, which must be a port as well.
  const ports = (await stablePorts(dir, 12)).filter((port) => port < 55_000).slice(0, 3)
  if (ports.length < 3) throw new Error('no three ports with room for the cluster bus above them')
  const nodes: ChildProcess[] = ports.map((port) => {
    const home = path.join(dir, String(port))
    mkdirSync(home)
    const args = ['--port', String(port), '--bind', '127.0.0.1', '--cluster-enabled', 'yes', '--dir', home]
    return spawn(binary, [...args, '--save', '', '--appendonly', 'no'], { stdio: 'ignore' })
  })
  for (const [i, port] of ports.entries()) {
    const first = Math.floor((i * SLOTS) / ports.length)
    const end = Math.floor(((i + 1) * SLOTS) / ports.length)
    const slots = Array.from({ length: end - first }, (_, n) => first + n)
    await untilOk(port, `CLUSTER ADDSLOTS ${slots.join(' ')}`, 'OK')
    if (i > 0) await untilOk(port, `CLUSTER MEET 127.0.0.1 ${ports[0]}`, 'OK')
  }
  for (const port of ports) {
    await untilOk(port, 'CLUSTER INFO', 'cluster_state:ok')
    await untilOk(port, 'CLUSTER INFO', 'cluster_known_nodes:3')
  }
  return {
    urls: ports.map((port) => `redis://127.0.0.1:${port}`),
    stop() {
      for (const node of nodes) node.kill('SIGKILL')
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

async function untilOk(port: number, command: string, wanted: string): Promise<void> {
  const deadline = Date.now() + 20_000
  for (;;) {
    const answer = await ask(port, command).catch(() => '')
    if (answer.includes(wanted)) return
    if (Date.now() > deadline) throw new Error(`node ${port}: ${answer.slice(0, 200)}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** One inline command; the answer as far as it comes in one piece. */
const ask = (port: number, command: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      const words = command.split(' ')
      socket.write(`*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`)
    })
    socket.once('data', (data) => {
      resolve(data.toString())
      socket.destroy()
    })
    socket.once('error', reject)
  })
