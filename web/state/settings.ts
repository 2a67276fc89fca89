/** One's own settings, the same in all windows. The page's own keys begin with `page:`. */
import type { Client } from '../../client/index.ts'

export type Theme = 'system' | 'light' | 'dark'
export const themes: readonly Theme[] = ['system', 'light', 'dark']

export interface Settings {
  theme(): Theme
  /** Whether pictures of other sites are shown without being asked for: they tell that site who looks. */
  showsPictures(): boolean
  /** Conversations that are observed. */
  observed(): readonly string[]
  setTheme(theme: Theme): Promise<void>
  setShowsPictures(on: boolean): Promise<void>
  setObserved(conversationId: string, on: boolean): Promise<void>
}

const OBSERVED = 'page:observed:'
const THEME = 'page:theme'
const PICTURES = 'page:pictures'

export function createSettings(client: Client, changed: () => void): Settings {
  let values = new Map<string, string>()
  const told = new Map<string, string | null>()

  function put(key: string, value: string | null): void {
    if (value === null) values.delete(key)
    else values.set(key, value)
  }
  client.on('setting', ({ key, value }) => {
    told.set(key, value)
    put(key, value)
    changed()
  })
  async function read(): Promise<void> {
    told.clear()
    const answer = await client.settings()
    values = new Map(answer)
    for (const [key, value] of told) put(key, value)
    changed()
  }
  client.on('state', ({ state }) => {
    if (state === 'online') read().catch(() => {})
  })
  // Without them the page looks as it does for everyone; the next connection reads them.
  read().catch(() => {})

  async function set(key: string, value: string | null): Promise<void> {
    const before = values.get(key) ?? null
    if (before === value) return
    put(key, value)
    changed()
    try {
      await client.setSetting(key, value)
    } catch (error) {
      put(key, before)
      changed()
      throw error
    }
  }

  return {
    theme: () => themes.find((theme) => theme === values.get(THEME)) ?? 'system',
    showsPictures: () => values.get(PICTURES) === '1',
    observed: () =>
      [...values.keys()].filter((key) => key.startsWith(OBSERVED)).map((key) => key.slice(OBSERVED.length)),
    setTheme: (theme) => set(THEME, theme === 'system' ? null : theme),
    setShowsPictures: (on) => set(PICTURES, on ? '1' : null),
    setObserved: (conversationId, on) => set(OBSERVED + conversationId, on ? '1' : null),
  }
}
