/** When a role that died is started again. Pure: lifetimes in, decisions out. */
export type Decision = { kind: 'restart'; afterMs: number } | { kind: 'give-up'; reason: string }

/** Exit code of a role whose settings are wrong: starting it again would end the same way. */
export const exitCodeBadSettings = 2

const quickDeathMs = 10_000
const quickDeathsMax = 5
const backoffMsMax = 8_000

export interface RestartPolicy {
  /** Call at each death with how long the process lived. */
  died(livedMs: number, code: number | null): Decision
}

/** Waits 0.25 s, 0.5 s, … up to 8 s between quick deaths; gives up after five in a row. */
export function createRestartPolicy(): RestartPolicy {
  let quickDeaths = 0
  return {
    died: (livedMs, code) => {
      if (code === exitCodeBadSettings) return { kind: 'give-up', reason: 'its settings are wrong' }
      quickDeaths = livedMs < quickDeathMs ? quickDeaths + 1 : 1
      if (quickDeaths >= quickDeathsMax)
        return { kind: 'give-up', reason: `it died ${quickDeaths} times in a row` }
      return { kind: 'restart', afterMs: Math.min(backoffMsMax, 250 * 2 ** (quickDeaths - 1)) }
    },
  }
}
