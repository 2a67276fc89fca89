/** Search within one conversation or over all of one's own; a hit leads to its page. */
import type { Message } from '../client/index.ts'
import { avatar, faceOf, faceOfUser } from './avatar.ts'
import { el, problemLine, type Row, showRows, whenNear } from './dom.ts'
import { explain, messageText, whenOf } from './format.ts'
import { marked } from './rich-text.ts'
import type { Chat } from './state/chat.ts'

export interface SearchView {
  readonly element: HTMLElement
  /** Something is looked for. */
  isActive(): boolean
  show(): void
  focus(): void
  /** It is taken off the page. */
  close(): void
}

const WAIT_MS = 300
const AGAIN_MS = 1_500
const SNIPPET_BEFORE = 30
const SNIPPET_CHARS = 160

/** `conversationId` null: over all. `changed`: it became active, or no longer is. */
export function searchView(
  chat: Chat,
  conversationId: string | null,
  placeholder: string,
  changed: () => void,
): SearchView {
  const input = el('input', {
    type: 'search',
    className: 'search-box',
    placeholder,
    aria: { label: placeholder },
    maxLength: 80,
    autocomplete: 'off',
  })
  const list = el('nav', { className: 'hits', aria: { label: 'Found messages' } })
  const state = el('p', { className: 'empty', role: 'status' })
  const problem = problemLine()
  const end = el('div', { className: 'list-end' })
  const results = el('div', { className: 'scrolled', hidden: true }, problem, list, state, end)
  const element = el('div', { className: 'search' }, input, results)
  whenNear(end, results, () => void more())

  let query = ''
  let found: Message[] = []
  let next: string | null = null
  let loading = false
  let partial = false
  let timer: ReturnType<typeof setTimeout> | null = null
  let againTimer: ReturnType<typeof setTimeout> | null = null

  async function read(before: string | undefined): Promise<void> {
    const mine = query
    loading = true
    show()
    try {
      const page = await chat.client.search({
        query: mine,
        conversationId: conversationId ?? undefined,
        before,
      })
      if (mine !== query) return
      found = before === undefined ? [...page.messages] : [...found, ...page.messages]
      next = page.next
      partial = page.partial
      if (partial && before === undefined) againSoon()
      problem.textContent = ''
    } catch (error) {
      if (mine === query) problem.textContent = explain(error)
      next = null
    } finally {
      if (mine === query) loading = false
      show()
    }
  }
  /** The index catches up within seconds; who looks further down is left alone. */
  function againSoon(): void {
    if (againTimer !== null) clearTimeout(againTimer)
    againTimer = setTimeout(() => {
      againTimer = null
      if (!loading && query !== '' && results.isConnected && results.scrollTop === 0) void read(undefined)
    }, AGAIN_MS)
  }
  async function more(): Promise<void> {
    if (!loading && next !== null) await read(next)
  }
  function look(): void {
    if (timer !== null) clearTimeout(timer)
    timer = null
    const wanted = input.value.trim()
    if (wanted === query) return
    const wasActive = query !== ''
    query = wanted
    found = []
    next = null
    loading = false
    problem.textContent = ''
    results.hidden = query === ''
    if (wasActive !== (query !== '')) changed()
    if (query === '') show()
    else void read(undefined)
  }
  // What was found must not outlive what was said.
  const forget = chat.client.on('recalled', ({ conversationId: of, targetSeq }) => {
    found = found.filter((message) => message.conversationId !== of || message.seq !== targetSeq)
    show()
  })
  const rewrite = chat.client.on('edited', ({ conversationId: of, targetSeq, content, mentions }) => {
    const after = { content, mentions }
    found = found.map((message) =>
      message.conversationId === of && message.seq === targetSeq ? { ...message, ...after } : message,
    )
    show()
  })
  input.oninput = () => {
    if (timer !== null) clearTimeout(timer)
    if (input.value.trim() === '') look()
    else timer = setTimeout(look, WAIT_MS)
  }
  input.onkeydown = (event) => {
    if (event.key === 'Enter') look()
    if (event.key === 'Escape' && input.value !== '') {
      event.stopPropagation()
      input.value = ''
      look()
    }
  }

  function snippetOf(text: string): string {
    const [word = ''] = query.toLowerCase().split(/\s+/)
    const at = text.toLowerCase().indexOf(word)
    const from = at > SNIPPET_BEFORE ? at - SNIPPET_BEFORE : 0
    return (from > 0 ? '…' : '') + text.slice(from, from + SNIPPET_CHARS)
  }

  function row(message: Message): Row {
    const { nameOf } = chat.people
    const sender = nameOf(message.senderId)
    const face =
      conversationId === null
        ? faceOf(chat, chat.conversations.get(message.conversationId))
        : faceOfUser(chat, message.senderId)
    const text = snippetOf(messageText(message, nameOf))
    return {
      key: `${message.conversationId} ${message.seq}`,
      version: [face.title, face.url, sender, text, query],
      make: () =>
        el(
          'button',
          {
            type: 'button',
            className: 'row hit',
            data: { hit: String(message.seq) },
            onclick: () => chat.open(message.conversationId, message.seq),
          },
          avatar(face),
          el('span', { className: 'title', textContent: face.title }),
          el('time', { textContent: whenOf(message.sentAt) }),
          el(
            'span',
            { className: 'preview' },
            conversationId === null && `${sender}: `,
            ...marked(text, query),
          ),
        ),
    }
  }

  function show(): void {
    if (query === '') return
    showRows(list, found.map(row))
    end.hidden = next === null
    const nothing = found.length === 0 && problem.textContent === ''
    state.hidden = !loading && !nothing && !partial
    if (loading) state.textContent = 'Looking…'
    else if (partial) state.textContent = 'Newer messages may be missing: the index is catching up.'
    else state.textContent = 'Nothing was found.'
  }

  return {
    element,
    isActive: () => query !== '',
    show,
    focus: () => input.focus(),
    close() {
      forget()
      rewrite()
    },
  }
}
