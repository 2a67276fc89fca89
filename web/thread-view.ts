/** The right side: one conversation, its messages and the box to write in. */
import type { GroupChange, Message } from '../client/index.ts'
import { composeView } from './compose-view.ts'
import { el, iconButton, problemLine, type Row, showRows } from './dom.ts'
import { changeText, count, dayOf, sameDay } from './format.ts'
import { dividerRow, type MessageContext, messageRow, pendingRow } from './message-view.ts'
import type { Shell } from './shell.ts'
import type { Chat } from './state/chat.ts'
import { createReadCount } from './state/read-count.ts'
import type { Thread } from './state/thread.ts'
import { noticeRows, pinnedBar, threadHead } from './thread-head.ts'

export interface ThreadView {
  readonly element: HTMLElement
  show(): void
  focus(): void
}

/** So close to the end the view follows new messages. */
const NEAR_END_PX = 80
const NEAR_EDGE_PX = 240
const FLASH_MS = 1_600

export function threadView(chat: Chat, shell: Shell): ThreadView {
  const head = threadHead(chat, shell)
  const pins = pinnedBar(chat, jump)
  const notices = el('div', { className: 'notices' })
  const rows = el('div', { className: 'rows', role: 'log', aria: { label: 'Messages' } })
  const scroller = el('div', { className: 'messages', tabIndex: 0 }, rows)
  const problem = problemLine()
  const toUnread = el('button', { type: 'button', className: 'to-unread', hidden: true })
  const toEnd = iconButton('To the newest', 'down', () => void goToEnd(), 'to-end')
  const compose = composeView(chat, () => void goToEnd())
  const middle = el('div', { className: 'middle' }, scroller, toUnread, toEnd)
  const welcome = el(
    'div',
    { className: 'welcome' },
    el('p', { textContent: 'Choose a conversation, or start a new one.' }),
  )
  const body = el(
    'section',
    { className: 'body' },
    head.element,
    pins.element,
    notices,
    problem,
    middle,
    compose.element,
  )
  const element = el('main', { className: 'thread' }, welcome, body)
  const readCount = createReadCount(chat.client, show)
  let shown: string | null = null
  /** Opened, but its messages have not come yet. */
  let isFresh = false

  const fromEnd = (): number => scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight

  async function goToEnd(): Promise<void> {
    const thread = chat.active()
    if (!thread) return
    if (!thread.isAtEnd()) await thread.newest()
    show()
    scroller.scrollTop = scroller.scrollHeight
  }
  function jump(seq: number): void {
    const thread = chat.active()
    if (thread) chat.open(thread.conversationId, seq)
  }
  function scrolled(): void {
    const thread = chat.active()
    if (!thread || thread.loading()) return
    if (scroller.scrollTop < NEAR_EDGE_PX) void thread.older()
    if (fromEnd() < NEAR_EDGE_PX) void thread.newer()
    toEnd.hidden = thread.isAtEnd() && fromEnd() < NEAR_END_PX
  }
  scroller.onscroll = scrolled
  scroller.onkeydown = (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key]
    if (step === undefined || !(event.target instanceof HTMLElement)) return
    const all = [...rows.querySelectorAll<HTMLElement>('.message[data-seq]')]
    const at = all.indexOf(event.target)
    const next = at < 0 ? all.at(-1) : all[at + step]
    if (at < 0 && event.target !== scroller) return
    event.preventDefault()
    next?.focus()
  }

  function changeRow(change: GroupChange): Row {
    const text = changeText(change, chat.client.userId, chat.people.nameOf)
    return {
      key: `c${change.seq}`,
      version: [text],
      make: () => el('p', { className: 'note', textContent: text }),
    }
  }
  const dayRow = (at: number): Row => ({
    key: `d${new Date(at).toDateString()}`,
    version: [dayOf(at)],
    make: () => el('p', { className: 'day', textContent: dayOf(at) }),
  })

  function rowsOf(context: MessageContext): Row[] {
    const { thread } = context
    const all: Row[] = []
    const entries: { seq: number; at: number; message?: Message; change?: GroupChange }[] = [
      ...thread.messages().map((message) => ({ seq: message.seq, at: message.sentAt, message })),
      ...thread.changes().map((change) => ({ seq: change.seq, at: change.time, change })),
    ].sort((a, b) => a.seq - b.seq)
    const divider = thread.divider()
    let dayAt = 0
    let before: Message | null = null
    let isDivided = divider === null
    for (const { seq, at, message, change } of entries) {
      if (dayAt === 0 || !sameDay(at, dayAt)) all.push(dayRow(at))
      dayAt = at
      if (!isDivided && divider && message && seq > divider.seq && message.senderId !== chat.client.userId) {
        all.push(dividerRow(divider.unread))
        isDivided = true
        before = null
      }
      if (message) all.push(messageRow(context, message, before))
      if (change) all.push(changeRow(change))
      before = message ?? null
    }
    for (const pending of thread.pending) all.push(pendingRow(context, pending))
    return all
  }

  /** The first message in view, so that it can stay where it is. */
  function anchorNow(): { seq: string; top: number } | null {
    for (const child of rows.querySelectorAll<HTMLElement>('.message[data-seq]')) {
      const top = child.offsetTop - scroller.scrollTop
      if (top + child.offsetHeight > 0) return { seq: child.dataset.seq ?? '', top }
    }
    return null
  }
  const rowAt = (seq: string | number): HTMLElement | null =>
    rows.querySelector<HTMLElement>(`.message[data-seq="${seq}"]`)

  function flash(row: HTMLElement): void {
    row.scrollIntoView({ block: 'center' })
    row.classList.add('flash')
    row.focus({ preventScroll: true })
    setTimeout(() => row.classList.remove('flash'), FLASH_MS)
  }

  function place(thread: Thread, follows: boolean, anchor: { seq: string; top: number } | null): void {
    const target = chat.takeTarget()
    const row = target === null ? null : rowAt(target)
    if (row) {
      isFresh = false
      flash(row)
      return
    }
    if (isFresh && (thread.messages().length > 0 || !thread.loading())) {
      isFresh = false
      const line = rows.querySelector<HTMLElement>('.divider')
      scroller.scrollTop = line ? line.offsetTop - NEAR_END_PX : scroller.scrollHeight
    } else if (follows) scroller.scrollTop = scroller.scrollHeight
    else if (anchor) {
      const kept = rowAt(anchor.seq)
      if (kept) scroller.scrollTop = kept.offsetTop - anchor.top
    }
  }

  function showUnreadAbove(thread: Thread): void {
    const divider = thread.divider()
    const first = thread.messages()[0]?.seq ?? 0
    const isAbove = divider !== null && first > divider.seq + 1 && thread.hasOlder()
    toUnread.hidden = !isAbove
    if (!divider) return
    toUnread.textContent = `↑ ${count(divider.unread, 'unread message')}`
    toUnread.onclick = () => void thread.around(divider.seq + 1).then(show)
  }

  function show(): void {
    const thread = chat.active()
    const conversation = chat.conversation()
    welcome.hidden = thread !== null
    body.hidden = thread === null
    compose.show()
    if (!thread || !conversation) {
      shown = null
      return
    }
    const isNew = shown !== thread.conversationId
    if (isNew) isFresh = true
    shown = thread.conversationId
    const follows = thread.isAtEnd() && fromEnd() < NEAR_END_PX
    const anchor = isNew || follows ? null : anchorNow()
    const context: MessageContext = {
      chat,
      shell,
      actions: { reply: compose.reply, edit: compose.edit, jump },
      thread,
      conversation,
      readBy: readCount.of(thread, conversation),
    }
    head.show(thread, conversation)
    pins.show(thread)
    showRows(notices, noticeRows(chat, conversation))
    problem.textContent = thread.problem()
    middle.classList.toggle('loading', thread.loading() && thread.messages().length === 0)
    showRows(rows, rowsOf(context))
    place(thread, follows && !isNew, anchor)
    showUnreadAbove(thread)
    scrolled()
    if (isNew && matchMedia('(hover: hover)').matches) compose.focus()
  }

  return { element, show, focus: compose.focus }
}
