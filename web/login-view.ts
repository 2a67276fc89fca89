/** Logging in: a user id and a token. The token stays in this tab, and out of every address. */
import { el } from './dom.ts'

const KEY = 'longwire.login'

export interface Login {
  readonly userId: string
  readonly token: string
}

/** What this tab logged in with before, or what the address brings; its token is taken out of the address at once. */
export function knownLogin(): Partial<Login> {
  const url = new URL(location.href)
  const userId = url.searchParams.get('user') ?? undefined
  const token = new URLSearchParams(url.hash.slice(1)).get('token') ?? undefined
  if (url.hash !== '') history.replaceState(null, '', url.pathname + url.search)
  if (token !== undefined) return { userId, token }
  const saved = JSON.parse(sessionStorage.getItem(KEY) ?? '{}') as Partial<Login>
  return userId === undefined || saved.userId === userId ? saved : { userId }
}

/** What a token allows beyond the usual. Only for what is offered here: the server reads it for itself. */
export function rightsIn(token: string): readonly string[] {
  try {
    const [, payload = ''] = token.split('.')
    const { rights } = JSON.parse(atob(payload.replaceAll('-', '+').replaceAll('_', '/'))) as {
      rights?: unknown
    }
    return Array.isArray(rights) ? rights.filter((right) => typeof right === 'string') : []
  } catch {
    return []
  }
}

export const keepLogin = (login: Login): void => sessionStorage.setItem(KEY, JSON.stringify(login))
export const forgetLogin = (): void => sessionStorage.removeItem(KEY)

export function loginView(
  known: Partial<Login>,
  problem: string,
  enter: (login: Login) => Promise<void>,
): HTMLElement {
  const user = el('input', {
    name: 'user',
    value: known.userId ?? '',
    required: true,
    pattern: '[A-Za-z0-9_.\\-]{1,64}',
    title: 'Letters, digits, dot, dash and underscore, up to 64',
    autocomplete: 'username',
    spellcheck: false,
  })
  const token = el('input', {
    name: 'token',
    type: 'password',
    required: true,
    autocomplete: 'off',
    placeholder: 'Paste it here',
  })
  const error = el('p', { className: 'error', role: 'alert', textContent: problem })
  const submit = el('button', { type: 'submit', className: 'primary', textContent: 'Log in' })
  const form = el(
    'form',
    { className: 'login' },
    el('img', { src: '/favicon.svg', alt: '', width: 48, height: 48 }),
    el('h1', { textContent: 'Longwire' }),
    el('label', {}, el('span', { textContent: 'User id' }), user),
    el('label', {}, el('span', { textContent: 'Token' }), token),
    error,
    submit,
    el(
      'p',
      { className: 'hint' },
      'A token for development: ',
      el('code', { textContent: 'npm run -s token -- USER' }),
    ),
  )
  form.onsubmit = async (event) => {
    event.preventDefault()
    error.textContent = ''
    submit.disabled = true
    submit.textContent = 'Logging in…'
    try {
      await enter({ userId: user.value.trim(), token: token.value.trim() })
    } catch (refused) {
      error.textContent = refused instanceof Error ? refused.message : String(refused)
      submit.disabled = false
      submit.textContent = 'Log in'
    }
  }
  return el('div', { className: 'entry' }, form)
}
