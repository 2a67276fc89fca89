/** Settings of one's own: set at most once in 1 s per key, and read together with what was told meanwhile. */
import type { Clock } from '../schemas/ports.ts'
import type { SettingChange } from './api.ts'
import { createCoalescer } from './coalesce.ts'
import { LongwireError } from './error.ts'
import type { Requests } from './requests.ts'

const EVERY_MS = 1_000
const ASK_MS_MAX = 15_000

export interface Settings {
  read(): Promise<ReadonlyMap<string, string>>
  set(key: string, value: string | null): Promise<void>
  /** Told by one's own stream. */
  noted(change: SettingChange): void
  /** One's own stream went on to `position` without telling all: reads them and tells what is other than it was. */
  jumped(position: number): Promise<void>
  flush(): Promise<void>
}

export interface SettingsDeps {
  readonly clock: Clock
  readonly requests: Requests
  readonly submit: (key: string, value: string | null) => Promise<unknown>
  readonly tell: (change: SettingChange) => void
}

interface Known {
  readonly value: string | null
  readonly seq: number
  /** When it was learnt, in steps of this client. */
  readonly at: number
}

export function createSettings(deps: SettingsDeps): Settings {
  const known = new Map<string, Known>()
  const wanted = new Map<string, string | null>()
  let step = 0

  const coalescer = createCoalescer({
    clock: deps.clock,
    everyMs: EVERY_MS,
    async run(key) {
      try {
        await deps.submit(key, wanted.get(key) ?? null)
      } catch (error) {
        // It was not there, which is what was asked for.
        if (!(error instanceof LongwireError) || error.code !== 'no_change') throw error
      }
    },
  })

  function note({ key, value, seq }: SettingChange): void {
    if (seq <= (known.get(key)?.seq ?? 0)) return
    step += 1
    known.set(key, { value, seq, at: step })
  }

  /** All as they stand on the server, or as told while it answered. Keys that have gone since are returned. */
  async function refresh(): Promise<string[]> {
    const since = step
    const { settings } = await deps.requests.insist({ type: 'settings' }, ASK_MS_MAX)
    const there = new Set(settings.map(({ key }) => key))
    const gone: string[] = []
    for (const [key, { value, at }] of known) {
      if (there.has(key) || at > since) continue
      known.delete(key)
      if (value !== null) gone.push(key)
    }
    for (const setting of settings) note(setting)
    return gone
  }

  return {
    async read() {
      await refresh()
      return new Map([...known].flatMap(([key, { value }]) => (value === null ? [] : [[key, value]])))
    },
    set(key, value) {
      wanted.set(key, value)
      step += 1
      return coalescer.want(key, step)
    },
    noted: note,
    async jumped(position) {
      const since = step
      const gone = await refresh()
      for (const key of gone) deps.tell({ key, value: null, seq: position })
      for (const [key, { value, seq, at }] of known) if (at > since) deps.tell({ key, value, seq })
    },
    flush: coalescer.flush,
  }
}
