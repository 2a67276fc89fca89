/** The load's process, seen from the run. */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { mintToken } from '../../gateway/tokens/mint.ts'
import type { Cluster } from './cluster.ts'
import type { FromLoad, LoadConfig, LoadStats, ToLoad } from './load/protocol.ts'
import { type RunSettings, usersOf } from './settings.ts'

export interface Load {
  readonly historyFile: string
  readonly stats: () => LoadStats
  begin(): Promise<void>
  arrive(users: readonly string[]): Promise<void>
  speak(): void
  quiet(): void
  /** What a broken store never gives must not hold the run up: what is left after `msMax` is told. */
  finalRead(msMax: number): Promise<readonly string[]>
  exit(): Promise<void>
  kill(): void
}

const tokenTtlSec = 86_400
const answerMsMax = 240_000
/**
 * A device has no place to come back to until heads have answered it once, for which Redis must be there and rebuilt.
 */
const rebuildMsMax = 30_000
const nothing: LoadStats = {
  ...{ attempts: 0, ok: 0, fail: 0, pending: 0, received: 0, online: 0, devices: 0, lacking: 0 },
  ...{ reconnects: 0, resends: 0, duplicates: 0, gapsHealed: 0, jumps: 0 },
}

/** Resolves when every device is connected. */
export async function startLoad(cluster: Cluster, settings: RunSettings): Promise<Load> {
  const historyFile = path.join(cluster.dir, 'history-load.jsonl')
  const configFile = path.join(cluster.dir, 'load.json')
  const secret = Buffer.from(readFileSync(cluster.secretFile, 'utf8').trim())
  const tokens: Record<string, string> = {}
  for (const user of usersOf(settings)) tokens[user] = await mintToken(secret, user, tokenTtlSec)
  const { users, groups, ratePerSecond, seed } = settings
  const config: LoadConfig = {
    ...{ urls: cluster.urls, tokens, users, groups, ratePerSecond, seed, historyFile },
    awayFromMs: settings.redisLateMs === 0 ? 0 : settings.redisLateMs + rebuildMsMax,
  }
  writeFileSync(configFile, JSON.stringify(config), { mode: 0o600 })
  const out = openSync(path.join(cluster.dir, 'logs', 'load.log'), 'a', 0o600)
  const child = spawn(process.execPath, [path.join(import.meta.dirname, 'load/main.ts'), configFile], {
    detached: true,
    stdio: ['ignore', out, out, 'ipc'],
  })
  closeSync(out)
  if (child.pid !== undefined) cluster.engines.record.add('load', child.pid)
  let stats = nothing
  child.on('message', (message: FromLoad) => {
    if (message.kind === 'stats') stats = message.stats
  })
  // A fault that is under way when the run is stopped finds nobody there.
  const tell = (message: ToLoad) => void (child.connected && child.send(message))
  await answer(child, 'connected')
  return {
    historyFile,
    stats: () => stats,
    async begin() {
      tell({ kind: 'begin' })
      await answer(child, 'begun')
    },
    async arrive(users) {
      tell({ kind: 'arrive', users })
      await answer(child, 'arrived')
    },
    speak: () => tell({ kind: 'speak' }),
    quiet: () => tell({ kind: 'quiet' }),
    async finalRead(msMax) {
      tell({ kind: 'final-read', msMax })
      const { errors } = await answer(child, 'read')
      return errors
    },
    async exit() {
      const gone = new Promise((resolve) => child.once('exit', resolve))
      tell({ kind: 'exit' })
      const hard = setTimeout(() => child.kill('SIGKILL'), 20_000)
      await gone
      clearTimeout(hard)
    },
    kill: () => void child.kill('SIGKILL'),
  }
}

function answer<K extends FromLoad['kind']>(
  child: ChildProcess,
  kind: K,
): Promise<Extract<FromLoad, { kind: K }>> {
  return new Promise((resolve, reject) => {
    if (!child.connected) return reject(new Error(`the load has ended before '${kind}'`))
    const end = (error?: Error) => {
      clearTimeout(timer)
      child.off('message', heard)
      child.off('exit', died)
      if (error) reject(error)
    }
    const heard = (message: FromLoad) => {
      if (message.kind !== kind) return
      end()
      resolve(message as Extract<FromLoad, { kind: K }>)
    }
    const died = (code: number | null) => end(new Error(`the load ended with code ${code} before '${kind}'`))
    const timer = setTimeout(
      () => end(new Error(`the load did not say '${kind}' within ${answerMsMax / 1_000} s`)),
      answerMsMax,
    )
    child.on('message', heard)
    child.once('exit', died)
  })
}
