/** The frame of a measurement on a platform. */
import { openPlatform, type Platform } from './platform.ts'

/** Closes what a measurement opened; the last opened first. */
export type Ends = (() => Promise<unknown>)[]

/**
 * Opens the platform, measures, and stops all again, however it ends, by a signal too. Answers the exit code: that of `measure`,
 * 1 where it fails.
 */
export async function onPlatform(
  options: { readonly name: string; readonly env?: Readonly<Record<string, string>> },
  measure: (platform: Platform, ends: Ends) => Promise<number>,
): Promise<number> {
  let platform: Platform | undefined
  const ends: Ends = []
  let ended: Promise<void> | undefined
  const end = (): Promise<void> => {
    ended ??= (async () => {
      for (const one of ends.toReversed()) await one().catch(() => {})
      console.log('  stopping …')
      await platform?.stop()
    })()
    return ended
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void end().finally(() => process.exit(130)))
  try {
    platform = await openPlatform({
      name: options.name,
      say: (line) => console.log(line),
      env: { LONGWIRE_LOG_LEVEL: 'warn', ...options.env },
    })
    return await measure(platform, ends)
  } catch (error) {
    console.error(`\n  ${(error as Error).stack ?? String(error)}`)
    return 1
  } finally {
    await end()
  }
}
