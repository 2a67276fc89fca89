import { existsSync } from 'node:fs'
import bundled from '@sparticuz/chromium'
import { type Browser, chromium } from 'playwright-core'

const places = [
  process.env.CHROMIUM,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
]

/** A browser under test has no business outside: its own look-ups are refused on a closed network, and make noise. */
const quiet = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-background-networking',
  '--disable-component-update',
]

/** A headless Chromium: CHROMIUM, the machine's own, else the one that comes with the packages. */
export async function launchBrowser(): Promise<Browser> {
  const own = places.find((place) => place && existsSync(place))
  if (own) return chromium.launch({ executablePath: own, args: quiet })
  const executablePath = await bundled.executablePath()
  return chromium.launch({ executablePath, args: [...bundled.args, ...quiet], headless: true })
}
