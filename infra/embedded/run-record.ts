import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { EngineError } from './engine-process.ts'
import { endProcess, identify, isRunning, type ProcessIdentity } from './process-identity.ts'

/** The processes started for a data folder, written down so that the next start recognises what a killed run left behind. */
export interface RunRecord {
  add(name: string, pid: number): void
  remove(pid: number): void
}

type Entry = ProcessIdentity & { readonly name: string }

const recordFile = (dataDir: string) => path.join(dataDir, 'run.json')
const lockFile = (dataDir: string) => path.join(dataDir, 'lock.json')

/** For tests of a single engine without a data folder. */
export const noRunRecord: RunRecord = { add: () => {}, remove: () => {} }

export function openRunRecord(dataDir: string): RunRecord {
  let entries: Entry[] = []
  const save = () => writeAtomically(recordFile(dataDir), JSON.stringify(entries, null, 1))
  save()
  return {
    add: (name, pid) => {
      const identity = identify(pid)
      if (!identity) return
      entries = [...entries, { ...identity, name }]
      save()
    },
    remove: (pid) => {
      entries = entries.filter((entry) => entry.pid !== pid)
      save()
    },
  }
}

/** Stops what an earlier run of this folder left running; answers the names. Call it only while holding the lock. */
export async function stopLeftovers(dataDir: string, graceMs = 5_000): Promise<string[]> {
  const left = (readJson<Entry[]>(recordFile(dataDir)) ?? []).filter(isRunning)
  await Promise.all(left.map((entry) => endProcess(entry, graceMs)))
  return left.map((entry) => entry.name)
}

/** Takes the data folder for this process; throws `EngineError` while another one that still runs holds it. */
export function lockDataDir(dataDir: string): { release(): void } {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  const file = lockFile(dataDir)
  const mine = identify(process.pid)
  if (!mine) throw new EngineError('cannot tell when this process was started')
  for (let attempt = 0; attempt < 3; attempt += 1) {
    try {
      writeFileSync(file, JSON.stringify(mine), { flag: 'wx', mode: 0o600 })
      return { release: () => rmSync(file, { force: true }) }
    } catch (err) {
      if ((err as NodeJS.ErrnoException).code !== 'EEXIST') {
        throw new EngineError(`cannot write ${file}: ${(err as Error).message}`)
      }
    }
    const holder = readJson<ProcessIdentity>(file)
    if (holder && isRunning(holder)) {
      throw new EngineError(
        `data folder ${dataDir} is in use by process ${holder.pid}: stop it, or set LONGWIRE_DATA to another folder`,
      )
    }
    // Its owner is dead. If two starts race here, `wx` lets only one of them win the next round.
    rmSync(file, { force: true })
  }
  throw new EngineError(`cannot lock data folder ${dataDir}: another start holds it`)
}

export function readJson<T>(file: string): T | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as T
  } catch {
    return undefined
  }
}

export function writeAtomically(file: string, content: string): void {
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 })
  writeFileSync(`${file}.tmp`, content, { mode: 0o600 })
  renameSync(`${file}.tmp`, file)
}
