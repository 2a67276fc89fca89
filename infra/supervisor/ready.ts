import { EngineError } from '../embedded/engine-process.ts'

const deadlineMs = 120_000
const pollMs = 100

/** Waits until `url` answers 200; returns early when `hopeless` says so, throws `EngineError` after two minutes. */
export async function untilReady(url: string, hopeless: () => boolean): Promise<void> {
  const until = Date.now() + deadlineMs
  let last = 'no answer'
  while (!hopeless()) {
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(2_000) })
      if (response.status === 200) return
      last = `${response.status} ${(await response.text()).slice(0, 200)}`
    } catch {
      last = 'no answer'
    }
    if (Date.now() > until)
      throw new EngineError(`not ready after ${deadlineMs / 1000} s: ${url} says ${last}`)
    await new Promise((resolve) => setTimeout(resolve, pollMs))
  }
}
