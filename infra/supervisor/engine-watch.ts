import type { Embedded, Need } from '../embedded/services.ts'
import type { Screen } from './screen.ts'

interface Restartable {
  readonly running: boolean
  restart(): Promise<void>
}

const lookEveryMs = 500
const restartsMax = 5

/** Starts an engine again that died on its own; the roles wait for it and catch up. Gives up after five deaths. */
export function watchEngines(
  engines: Embedded<Need>,
  screen: Screen,
  gaveUp: (reason: string) => void,
): { stop(): void } {
  const watched: [string, Restartable | undefined][] = [
    ...(engines.kafka?.nodes ?? []).map((node): [string, Restartable] => ['kafka', node]),
    ['redis', engines.redis],
    ['clickhouse', engines.clickhouse],
  ]
  const timers = watched.flatMap(([name, engine]) => (engine ? [watchOne(name, engine, screen, gaveUp)] : []))
  return { stop: () => timers.forEach(clearInterval) }
}

function watchOne(
  name: string,
  engine: Restartable,
  screen: Screen,
  gaveUp: (reason: string) => void,
): NodeJS.Timeout {
  let restarts = 0
  let busy = false
  const look = async () => {
    if (busy || engine.running) return
    busy = true
    restarts += 1
    screen.line(name, 'ended unexpectedly; starting it again')
    const fromMs = Date.now()
    try {
      if (restarts > restartsMax) throw new Error(`it died ${restarts} times`)
      await engine.restart()
      screen.line(name, 'back', Date.now() - fromMs)
      busy = false
    } catch (err) {
      gaveUp(`${name} cannot be kept running: ${(err as Error).message}`)
    }
  }
  return setInterval(look, lookEveryMs)
}
