/** The box to write in: text, the message that is answered or edited, mentions, drafts, things to attach. */
import type { Message } from '../client/index.ts'
import { showAttachMenu } from './attach-dialog.ts'
import { createCompletion } from './completion-view.ts'
import { el, icon, iconButton, problemLine, showRows } from './dom.ts'
import { explain, messageText, timeOf } from './format.ts'
import type { Chat } from './state/chat.ts'
import { mentionsIn } from './state/mentions.ts'
import { mayMentionAll, writeBar } from './state/rights.ts'
import type { Thread } from './state/thread.ts'

export interface ComposeView {
  readonly element: HTMLElement
  show(): void
  focus(): void
  reply(message: Message): void
  edit(message: Message): void
}

interface Mode {
  readonly kind: 'reply' | 'edit'
  readonly seq: number
}

const TEXT_CHARS_MAX = 8_000
const HEIGHT_PX_MAX = 160
const DRAFT_MS = 700

export function composeView(chat: Chat, sent: () => void): ComposeView {
  const { client, people, conversations } = chat
  const context = el('div', { className: 'compose-context' })
  const problem = problemLine()
  const box = el('textarea', {
    rows: 1,
    placeholder: 'Write a message',
    maxLength: TEXT_CHARS_MAX,
    aria: { label: 'Message' },
  })
  const submit = el(
    'button',
    { className: 'send', type: 'submit', title: 'Send', aria: { label: 'Send' } },
    icon('send'),
  )
  const attach = iconButton('Attach', 'clip', () => {
    const thread = chat.active()
    if (thread) showAttachMenu(attach, chat, (content) => sendContent(thread, { content }))
  })
  const form = el('form', { className: 'compose' }, attach, box, submit)
  const bar = el('p', { className: 'write-bar', role: 'status' })
  const element = el('footer', { className: 'composer' }, context, problem, form, bar)
  const completion = createCompletion(chat, box, () => changedByHand())

  const texts = new Map<string, string>()
  const modes = new Map<string, Mode>()
  /** As last seen in the settings, so that another window's change is told from an echo. */
  const drafts = new Map<string, string>()
  let shown: string | null = null
  let draftTimer: ReturnType<typeof setTimeout> | null = null

  function fitHeight(): void {
    box.style.setProperty('height', 'auto')
    box.style.setProperty('height', `${Math.min(box.scrollHeight + 2, HEIGHT_PX_MAX)}px`)
  }
  function setText(text: string): void {
    box.value = text
    fitHeight()
  }
  const modeNow = (): Mode | null => (shown === null ? null : (modes.get(shown) ?? null))

  function keepDraft(conversationId: string): void {
    if (draftTimer !== null) clearTimeout(draftTimer)
    draftTimer = null
    const text = texts.get(conversationId) ?? ''
    if (text === (conversations.get(conversationId).draft ?? '')) return
    drafts.set(conversationId, text)
    conversations.setDraft(conversationId, text).catch((error: unknown) => {
      if (shown === conversationId) problem.textContent = `The draft was not kept: ${explain(error)}`
    })
  }
  function changedByHand(): void {
    fitHeight()
    problem.textContent = ''
    const thread = chat.active()
    if (!thread || modeNow()?.kind === 'edit') return
    const { conversationId } = thread
    texts.set(conversationId, box.value)
    if (box.value.trim() !== '') client.typing(conversationId)
    if (draftTimer !== null) clearTimeout(draftTimer)
    draftTimer = setTimeout(() => keepDraft(conversationId), DRAFT_MS)
  }

  function setMode(mode: Mode | null): void {
    const thread = chat.active()
    if (!thread) return
    const { conversationId } = thread
    const before = modes.get(conversationId)
    if (mode) modes.set(conversationId, mode)
    else modes.delete(conversationId)
    if (mode?.kind === 'edit') setText(thread.message(mode.seq)?.content?.text ?? '')
    else if (before?.kind === 'edit') setText(texts.get(conversationId) ?? '')
    problem.textContent = ''
    showContext(thread)
    box.focus()
  }

  function sendContent(
    thread: Thread,
    body: { text?: string; content?: Parameters<typeof client.send>[0]['content'] },
  ): void {
    const { conversationId } = thread
    const mode = modes.get(conversationId)
    const { peerId } = conversations.get(conversationId)
    const target = peerId === null ? { conversationId } : { to: peerId }
    const replyTo = mode?.kind === 'reply' ? mode.seq : undefined
    thread.send({
      ...target,
      ...body,
      ...(body.text === undefined ? {} : mentionsOf(thread, body.text)),
      replyTo,
    })
    if (mode?.kind === 'reply') modes.delete(conversationId)
    showContext(thread)
    sent()
  }
  function mentionsOf(thread: Thread, text: string) {
    const known = new Set(completion.usersOf(thread))
    const { mentions, mentionAll } = mentionsIn(text, (id) => known.has(id))
    const conversation = conversations.get(thread.conversationId)
    return { mentions, mentionAll: mentionAll && mayMentionAll(conversation, thread.group.group()) }
  }

  async function saveEdit(thread: Thread, seq: number, text: string): Promise<void> {
    submit.disabled = true
    try {
      await client.edit(thread.conversationId, seq, { text, ...mentionsOf(thread, text) })
      setMode(null)
    } catch (error) {
      problem.textContent = `Not changed: ${explain(error)}`
    }
    submit.disabled = false
  }

  function send(): void {
    const thread = chat.active()
    const text = box.value.trim()
    if (!thread || text === '' || submit.disabled) return
    const mode = modeNow()
    if (mode?.kind === 'edit') return void saveEdit(thread, mode.seq, text)
    setText('')
    texts.delete(thread.conversationId)
    keepDraft(thread.conversationId)
    sendContent(thread, { text })
  }

  box.oninput = () => {
    completion.update()
    changedByHand()
  }
  box.onblur = () => {
    completion.close()
    if (shown !== null && draftTimer !== null) keepDraft(shown)
  }
  box.onkeydown = (event) => {
    if (event.isComposing || completion.takes(event)) return
    if (event.key === 'Enter' && !event.shiftKey) {
      event.preventDefault()
      send()
    } else if (event.key === 'Escape' && modeNow()) {
      event.preventDefault()
      event.stopPropagation()
      setMode(null)
    } else if (event.key === 'ArrowUp' && box.value === '' && !modeNow()) editLast(event)
  }
  form.onsubmit = (event) => {
    event.preventDefault()
    send()
  }

  function editLast(event: KeyboardEvent): void {
    const last = chat
      .active()
      ?.messages()
      .findLast(({ senderId, content }) => senderId === client.userId && content?.type === 'text')
    if (!last) return
    event.preventDefault()
    setMode({ kind: 'edit', seq: last.seq })
  }

  function showContext(thread: Thread): void {
    const mode = modes.get(thread.conversationId)
    const message = mode ? thread.message(mode.seq) : null
    const text = message ? messageText(message, people.nameOf) : ''
    const title =
      mode?.kind === 'edit'
        ? 'Edit your message'
        : `Reply to ${message ? people.nameOf(message.senderId) : ''}`
    const row = {
      key: 'context',
      version: [mode?.kind, title, text],
      make: () =>
        el(
          'div',
          { className: 'context' },
          el(
            'div',
            { className: 'quote' },
            el('strong', { textContent: title }),
            el('span', { textContent: text }),
          ),
          iconButton('Cancel', 'close', () => setMode(null)),
        ),
    }
    showRows(context, mode ? [row] : [])
    context.hidden = mode === undefined
  }

  function switchTo(thread: Thread): void {
    if (shown !== null && draftTimer !== null) keepDraft(shown)
    shown = thread.conversationId
    problem.textContent = ''
    completion.close()
    const draft = conversations.get(shown).draft ?? ''
    if (!texts.has(shown)) texts.set(shown, draft)
    drafts.set(shown, draft)
    const mode = modes.get(shown)
    setText(
      mode?.kind === 'edit' ? (thread.message(mode.seq)?.content?.text ?? '') : (texts.get(shown) ?? ''),
    )
  }
  /** What another window wrote, unless somebody writes here. */
  function takeDraft(conversationId: string): void {
    const draft = conversations.get(conversationId).draft ?? ''
    if (drafts.get(conversationId) === draft) return
    drafts.set(conversationId, draft)
    if ((document.activeElement === box && document.hasFocus()) || draftTimer !== null) return
    texts.set(conversationId, draft)
    if (modes.get(conversationId)?.kind !== 'edit') setText(draft)
  }

  return {
    element,
    show() {
      const thread = chat.active()
      if (!thread) {
        if (shown !== null && draftTimer !== null) keepDraft(shown)
        shown = null
        return
      }
      const { conversationId } = thread
      if (shown !== conversationId) switchTo(thread)
      else takeDraft(conversationId)
      const conversation = conversations.get(conversationId)
      const why = chat.isObserved(conversationId)
        ? { text: 'Observers cannot write here.', until: 0 }
        : writeBar(conversation, thread.group.group(), client.userId, client.serverTime())
      form.hidden = why !== null
      bar.hidden = why === null
      bar.textContent = why ? why.text + (why.until > 0 ? ` until ${timeOf(why.until)}.` : '') : ''
      if (why) modes.delete(conversationId)
      showContext(thread)
    },
    focus: () => box.focus(),
    reply: (message) => setMode({ kind: 'reply', seq: message.seq }),
    edit: (message) => setMode({ kind: 'edit', seq: message.seq }),
  }
}
