/** A log that is only ever appended to, and the ways in which an append to it can go. */
import type { LogRecord } from '../../../schemas/ports.ts'
import type { Random } from '../random.ts'

export interface Network {
  readonly log: LogRecord[]
  /** One atomic request. `answer` gets the first offset, or null: the outcome is unknown to the writer. */
  append(values: readonly Buffer[], answer: (offset: number | null) => void, claim: boolean): void
  /** Lets one thing that is on its way arrive: a request or an answer. */
  deliverOne(): void
  /** No faults while healthy. */
  setHealthy(healthy: boolean): void
  pending(): number
}

/** Weights of the fates; what is not named here goes well. */
const FATES = [
  ['slow', 6],
  ['answer late', 6],
  ['answer lost', 3],
  ['lost', 3],
  ['late', 4],
  ['twice', 2],
  ['swallowed', 1],
  ['ok', 25],
] as const
type Fate = (typeof FATES)[number][0]
const BAG: Fate[] = FATES.flatMap(([fate, weight]) => Array<Fate>(weight).fill(fate))

export function createNetwork(random: Random): Network {
  const log: LogRecord[] = []
  const onTheWay: (() => void)[] = []
  let healthy = false

  const land = (values: readonly Buffer[]): number => {
    const first = log.length
    for (const value of values) log.push({ offset: log.length, key: null, value, timestamp: 0 })
    return first
  }
  const later = (fn: () => void) => {
    onTheWay.push(fn)
  }

  return {
    log,
    append(values, answer, claim) {
      const fate = healthy ? 'ok' : random.pick(BAG)
      switch (fate) {
        case 'ok':
          return answer(land(values))
        case 'slow':
          return later(() => {
            const offset = land(values)
            later(() => answer(offset))
          })
        case 'answer late': {
          const offset = land(values)
          return later(() => answer(offset))
        }
        case 'answer lost':
          land(values)
          return later(() => answer(null))
        case 'lost':
          return later(() => answer(null))
        case 'late':
          later(() => answer(null))
          return later(() => land(values))
        case 'twice': {
          const offset = land(values)
          later(() => land(values))
          return later(() => answer(random.chance(0.5) ? offset : land(values)))
        }
        case 'swallowed':
          // Told "written" and never written. Of a claim this is never told: its offset has to be its own.
          return later(() => answer(claim ? null : Math.max(0, log.length - values.length)))
      }
    },
    deliverOne() {
      if (onTheWay.length === 0) return
      const [fn] = onTheWay.splice(random.int(onTheWay.length), 1)
      fn?.()
    },
    setHealthy(now) {
      healthy = now
    },
    pending: () => onTheWay.length,
  }
}
