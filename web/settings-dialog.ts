/** How the page looks and what it loads: kept with the user, so it is the same in all windows. */

import { field, openDialog, select } from './dialogs.ts'
import { attempt, el } from './dom.ts'
import { switchRow } from './panel.ts'
import type { Chat } from './state/chat.ts'
import type { Theme } from './state/settings.ts'

const themeNames: Readonly<Record<Theme, string>> = {
  system: 'As the system',
  light: 'Light',
  dark: 'Dark',
}

export function showSettings({ settings }: Chat): void {
  const theme = select('theme', settings.theme(), themeNames)
  const pictures = switchRow(
    'Show pictures of other sites at once',
    settings.showsPictures(),
    (on, input) => {
      void attempt(() => settings.setShowsPictures(on), dialog.error, input)
    },
  )
  const dialog = openDialog(
    'Settings',
    null,
    field('Colours', theme),
    pictures,
    el('p', {
      className: 'hint',
      textContent:
        'Another site learns when its picture is loaded, and from where. Without this, each is shown by a click.',
    }),
  )
  theme.onchange = () => void attempt(() => settings.setTheme(theme.value as Theme), dialog.error, theme)
}
