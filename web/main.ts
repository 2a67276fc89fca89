/** The page: logs in, then shows the conversations on the left and the open one on the right. */

import { connect } from '../client/index.ts'
import { el } from './dom.ts'
import { explain, kickedText } from './format.ts'
import { forgetLogin, keepLogin, knownLogin, type Login, loginView, rightsIn } from './login-view.ts'
import { showPage } from './page.ts'
import { type Chat, createChat } from './state/chat.ts'

const DEVICE_KEY = 'longwire.device'
const address = `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/ws`

/** One per tab, since each tab is a connection of its own. */
function deviceId(): string {
  const kept = sessionStorage.getItem(DEVICE_KEY)
  if (kept) return kept
  const made = `web-${[...crypto.getRandomValues(new Uint8Array(8))].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`
  sessionStorage.setItem(DEVICE_KEY, made)
  return made
}

async function enter(login: Login): Promise<void> {
  const client = await connect({ url: address, token: login.token, deviceId: deviceId(), deviceType: 'web' })
  if (client.userId !== login.userId) {
    await client.close()
    throw new Error(`This token belongs to ${client.userId}.`)
  }
  keepLogin(login)
  let isLoggingOut = false
  let changed: () => void = () => {}
  const chat: Chat = createChat(client, () => changed())
  const page = showPage(chat, {
    mayObserve: rightsIn(login.token).includes('observe'),
    logout() {
      isLoggingOut = true
      forgetLogin()
      void client.close().then(() => leave({}, ''))
    },
  })
  changed = page.show

  function leave(known: Partial<Login>, problem: string): void {
    page.close()
    showLogin(known, problem)
  }
  const endings: Record<string, string> = {
    kicked: 'You logged in elsewhere.',
    replaced: 'This device is connected from another window.',
  }
  client.on('kicked', ({ by }) => {
    if (by) endings.kicked = kickedText(by)
  })
  client.on('state', ({ state, code }) => {
    if (state !== 'closed' || isLoggingOut) return
    forgetLogin()
    leave({ userId: client.userId }, endings[code ?? ''] ?? 'The session has ended.')
  })
  page.show()
}

function showLogin(known: Partial<Login>, problem: string): void {
  document.title = 'Longwire'
  document.body.replaceChildren(loginView(known, problem, enter))
}

const known = knownLogin()
if (known.userId && known.token) {
  document.body.replaceChildren(el('p', { className: 'entry', textContent: 'Connecting…' }))
  enter({ userId: known.userId, token: known.token }).catch((error: unknown) => {
    forgetLogin()
    showLogin({ userId: known.userId }, explain(error))
  })
} else showLogin(known, '')
