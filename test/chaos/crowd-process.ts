/** A crowd's process, seen from the run. */
import { spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { mintToken } from '../../gateway/tokens/mint.ts'
import type { Cluster } from './cluster.ts'
import type { CrowdConfig, CrowdStats } from './crowd/protocol.ts'
import {
  type CrowdName,
  flapperName,
  flappers,
  fuzzerName,
  fuzzers,
  type RunSettings,
  userName,
} from './settings.ts'

export interface Crowd {
  readonly name: CrowdName
  /** Null where its process has died. */
  stop(): Promise<CrowdStats | null>
  kill(): void
}

const tokenTtlSec = 86_400
const stopMsMax = 20_000

/** Those who flap are users of their own; the deaf are devices of users who are sent much. */
function usersOf(name: CrowdName, settings: RunSettings): string[] {
  switch (name) {
    case 'deaf':
      return Array.from({ length: settings.users }, (_, i) => userName(i))
    case 'flapping':
      return Array.from({ length: flappers }, (_, i) => flapperName(i))
    case 'fuzz':
      return Array.from({ length: fuzzers }, (_, i) => fuzzerName(i))
  }
}

export async function startCrowd(cluster: Cluster, settings: RunSettings, name: CrowdName): Promise<Crowd> {
  const secret = Buffer.from(readFileSync(cluster.secretFile, 'utf8').trim())
  const tokens: Record<string, string> = {}
  for (const user of usersOf(name, settings)) tokens[user] = await mintToken(secret, user, tokenTtlSec)
  const configFile = path.join(cluster.dir, `crowd-${name}.json`)
  const { urls, omtpPorts } = cluster
  const config: CrowdConfig = { name, urls, omtpPorts, tokens, seed: settings.seed }
  writeFileSync(configFile, JSON.stringify(config), { mode: 0o600 })
  const out = openSync(path.join(cluster.dir, 'logs', `crowd-${name}.log`), 'a', 0o600)
  const child = spawn(process.execPath, [path.join(import.meta.dirname, 'crowd/main.ts'), configFile], {
    detached: true,
    stdio: ['ignore', out, out, 'ipc'],
  })
  closeSync(out)
  if (child.pid !== undefined) cluster.engines.record.add(`crowd-${name}`, child.pid)
  let stats: CrowdStats | null = null
  child.on('message', (message: CrowdStats) => {
    stats = message
  })
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  return {
    name,
    async stop() {
      if (child.connected) child.send('stop')
      const hard = setTimeout(() => child.kill('SIGKILL'), stopMsMax)
      await exited
      clearTimeout(hard)
      return stats
    },
    kill: () => void child.kill('SIGKILL'),
  }
}
