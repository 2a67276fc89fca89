import { existsSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'

const places = [
  process.env.CHROMIUM,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
]

/** A headless Chromium of this machine. */
export function launchBrowser(): Promise<Browser> {
  const executablePath = places.find((place) => place && existsSync(place))
  if (!executablePath)
    throw new Error(
      'no Chromium here: install it (Debian: apt-get install chromium) or set CHROMIUM to its path',
    )
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] })
}
