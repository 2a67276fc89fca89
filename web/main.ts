/** The page: logs in, then shows the conversations on the left and the open one on the right. */
import { connect } from '../client/index.ts'
import { type Chat, createChat } from './chat.ts'
import { askGroup, askUser, showMembers } from './dialogs.ts'
import { eachFrame, el } from './dom.ts'
import { titleOf } from './format.ts'
import { listView } from './list-view.ts'
import { forgetLogin, keepLogin, knownLogin, type Login, loginView } from './login-view.ts'
import { threadView } from './thread-view.ts'

const DEVICE_KEY = 'longwire.device'
const TOAST_MS = 6_000
const address = `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/ws`

/** One per tab, since each tab is a connection of its own. */
function deviceId(): string {
  const kept = sessionStorage.getItem(DEVICE_KEY)
  if (kept) return kept
  const made = `web-${[...crypto.getRandomValues(new Uint8Array(8))].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`
  sessionStorage.setItem(DEVICE_KEY, made)
  return made
}

function toast(text: string): void {
  const element = el('div', { className: 'toast', role: 'alert', textContent: text })
  document.body.append(element)
  setTimeout(() => element.remove(), TOAST_MS)
}

async function enter(login: Login): Promise<void> {
  const client = await connect({ url: address, token: login.token, deviceId: deviceId(), deviceType: 'web' })
  if (client.userId !== login.userId) {
    await client.close()
    throw new Error(`This token belongs to ${client.userId}.`)
  }
  keepLogin(login)
  let chat: Chat | null = null
  let loggedOut = false

  const list = listView(client.userId, {
    open: (conversationId) => chat?.open(conversationId),
    newChat: () => askUser((userId) => chat?.openWith(userId)),
    newGroup: () => askGroup(async (name, members) => chat?.createGroup(name, members)),
    logout() {
      loggedOut = true
      forgetLogin()
      void client.close().then(() => showLogin({}, ''))
    },
  })
  const thread = threadView({
    back: () => chat?.open(null),
    members({ conversation }) {
      const { conversationId } = conversation
      showMembers(titleOf(conversation, client.userId), {
        userId: client.userId,
        load: async () => (await chat?.members(conversationId)) ?? [],
        add: (members) => client.addMembers(conversationId, members),
        remove: (member) => client.removeMembers(conversationId, [member]),
      })
    },
  })
  const app = el('div', { className: 'app' }, list.element, thread.element)
  const show = eachFrame(() => {
    if (!chat) return
    app.classList.toggle('in-thread', chat.active() !== null)
    list.show(chat)
    thread.show(chat)
    const unread = chat.threads().reduce((sum, { conversation }) => sum + conversation.unread, 0)
    document.title = unread > 0 ? `(${unread}) Longwire` : 'Longwire'
  })
  chat = createChat(client, show, toast)
  document.addEventListener('visibilitychange', chat.seen)
  client.on('state', ({ state, code }) => {
    if (state !== 'closed' || loggedOut) return
    forgetLogin()
    showLogin(
      { userId: client.userId },
      code === 'kicked' ? 'You logged in elsewhere.' : 'The session has ended.',
    )
  })
  document.body.replaceChildren(app)
  show()
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
    showLogin({ userId: known.userId }, error instanceof Error ? error.message : String(error))
  })
} else showLogin(known, '')
