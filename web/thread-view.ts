/** The right side: one conversation, its messages and the box to write in. */
import type { GroupChange, Message } from '../client/index.ts'
import type { Chat, Pending, Thread } from './chat.ts'
import { el, icon, type Row, showRows } from './dom.ts'
import { changeText, dayOf, sameDay, textOf, timeOf, titleOf } from './format.ts'
import { avatar } from './list-view.ts'

export interface ThreadView {
  readonly element: HTMLElement
  show(chat: Chat): void
}

/** So close to the end the view follows new messages. */
const NEAR_END_PX = 80
const NEAR_TOP_PX = 160
const RECALL_MS = 120_000
/** Messages of one person within this time stand together. */
const TOGETHER_MS = 300_000

export function threadView(actions: { back(): void; members(thread: Thread): void }): ThreadView {
  const head = el('header', { className: 'bar' })
  const rows = el('div', { className: 'rows', role: 'log' })
  const scroller = el('div', { className: 'messages', tabIndex: 0 }, rows)
  const box = el('textarea', {
    rows: 1,
    placeholder: 'Write a message',
    maxLength: 8_000,
    aria: { label: 'Message' },
  })
  const submit = el(
    'button',
    { className: 'send', type: 'submit', title: 'Send', aria: { label: 'Send' } },
    icon('M4 12l16-8-5 16-4-7-7-1Z'),
  )
  const form = el('form', { className: 'compose' }, box, submit)
  const welcome = el(
    'div',
    { className: 'welcome' },
    el('p', { textContent: 'Choose a conversation, or start a new one.' }),
  )
  const body = el('section', { className: 'body' }, head, scroller, form)
  const element = el('main', { className: 'thread' }, welcome, body)
  let chat: Chat | null = null
  let shown: string | null = null

  const fitHeight = (): void => {
    box.style.setProperty('height', 'auto')
    box.style.setProperty('height', `${Math.min(box.scrollHeight, 160)}px`)
  }
  const send = (): void => {
    const text = box.value.trim()
    if (!text || !chat) return
    box.value = ''
    fitHeight()
    chat.send(text)
    scroller.scrollTop = scroller.scrollHeight
  }
  box.oninput = fitHeight
  box.onkeydown = (event) => {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return
    event.preventDefault()
    send()
  }
  form.onsubmit = (event) => {
    event.preventDefault()
    send()
  }
  scroller.onscroll = () => {
    if (scroller.scrollTop < NEAR_TOP_PX) void chat?.older()
  }

  function showHead(thread: Thread, userId: string): void {
    const { conversation } = thread
    const title = titleOf(conversation, userId)
    const count = conversation.memberCount
    const line = conversation.kind === 'group' ? (count > 0 ? `${count} members` : 'Group') : 'Single chat'
    showRows(head, [
      {
        key: 'head',
        version: JSON.stringify([conversation.conversationId, title, line]),
        make: () =>
          el(
            'div',
            { className: 'bar-row' },
            el(
              'button',
              {
                className: 'round back',
                type: 'button',
                title: 'Back',
                aria: { label: 'Back' },
                onclick: actions.back,
              },
              icon('M15 5l-7 7 7 7'),
            ),
            avatar(conversation.conversationId, title),
            el(
              'div',
              { className: 'me' },
              el('strong', { textContent: title }),
              el('span', { className: 'state', textContent: line }),
            ),
            conversation.kind === 'group' &&
              el(
                'button',
                {
                  className: 'round',
                  type: 'button',
                  title: 'Members',
                  aria: { label: 'Members' },
                  onclick: () => actions.members(thread),
                },
                icon('M12 11v5M12 8v.01M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18Z'),
              ),
          ),
      },
    ])
  }

  function messageRow(message: Message, before: Message | null, group: boolean): Row {
    const mine = message.senderId === chat?.client.userId
    const together =
      before?.senderId === message.senderId &&
      message.sentAt - before.sentAt < TOGETHER_MS &&
      sameDay(message.sentAt, before.sentAt)
    const recalled = message.content === null
    const edited = !recalled && message.changedBy !== null
    const recallable = mine && !recalled && Date.now() - message.sentAt < RECALL_MS
    const text = textOf(message)
    return {
      key: `m${message.seq}`,
      version: JSON.stringify([text, together, edited, recalled, recallable]),
      make: () =>
        el(
          'div',
          {
            className: `message${mine ? ' mine' : ''}${together ? ' together' : ''}${recalled ? ' recalled' : ''}`,
            data: { seq: String(message.seq) },
          },
          group && !mine && !together && el('span', { className: 'sender', textContent: message.senderId }),
          el('p', { className: 'bubble', textContent: text }),
          el('span', { className: 'meta' }, `${edited ? 'edited · ' : ''}${timeOf(message.sentAt)}`),
          recallable &&
            el('button', {
              className: 'recall',
              type: 'button',
              textContent: 'Recall',
              onclick: () => chat?.recall(message),
            }),
        ),
    }
  }

  const changeRow = (change: GroupChange, userId: string): Row => ({
    key: `c${change.seq}`,
    version: '',
    make: () => el('p', { className: 'note', textContent: changeText(change, userId) }),
  })

  const pendingRow = (pending: Pending): Row => ({
    key: `p${pending.key}`,
    version: pending.failed ?? '',
    make: () =>
      el(
        'div',
        { className: `message mine pending${pending.failed ? ' failed' : ''}` },
        el('p', { className: 'bubble', textContent: pending.text }),
        el('span', {
          className: 'meta',
          textContent: pending.failed ? `Not sent: ${pending.failed}` : 'Sending…',
        }),
        pending.failed !== null &&
          el('button', {
            className: 'recall',
            type: 'button',
            textContent: 'Dismiss',
            onclick: () => chat?.dismiss(pending),
          }),
      ),
  })

  function rowsOf(thread: Thread, userId: string): Row[] {
    const { messages, changes } = thread
    const all: Row[] = []
    let dayAt = 0
    let before: Message | null = null
    const seqs = [...messages.keys(), ...changes.keys()].sort((a, b) => a - b)
    if (thread.loading)
      all.push({
        key: 'loading',
        version: '',
        make: () => el('p', { className: 'note', textContent: 'Loading…' }),
      })
    for (const seq of seqs) {
      const message = messages.get(seq)
      const change = changes.get(seq)
      const at = message?.sentAt ?? change?.time ?? 0
      if (dayAt === 0 || !sameDay(at, dayAt)) {
        const text = dayOf(at)
        all.push({
          key: `d${new Date(at).toDateString()}`,
          version: text,
          make: () => el('p', { className: 'day', textContent: text }),
        })
      }
      dayAt = at
      if (message) all.push(messageRow(message, before, thread.conversation.kind === 'group'))
      if (change) all.push(changeRow(change, userId))
      before = message ?? null
    }
    for (const pending of thread.pending) all.push(pendingRow(pending))
    return all
  }

  return {
    element,
    show(now) {
      chat = now
      const thread = now.active()
      welcome.hidden = thread !== null
      body.hidden = thread === null
      if (!thread) {
        shown = null
        return
      }
      const { userId } = now.client
      const { conversationId } = thread.conversation
      const isNew = shown !== conversationId
      shown = conversationId
      const fromEnd = scroller.scrollHeight - scroller.scrollTop
      const follows = isNew || fromEnd - scroller.clientHeight < NEAR_END_PX
      const firstBefore = rows.querySelector<HTMLElement>('[data-seq]')?.dataset.seq
      showHead(thread, userId)
      showRows(rows, rowsOf(thread, userId))
      const firstNow = rows.querySelector<HTMLElement>('[data-seq]')?.dataset.seq
      if (follows) scroller.scrollTop = scroller.scrollHeight
      // What was loaded above must not move what is being read.
      else if (firstBefore !== firstNow) scroller.scrollTop = scroller.scrollHeight - fromEnd
      if (isNew && matchMedia('(hover: hover)').matches) box.focus()
      // A page that does not fill the view leaves nothing to scroll.
      if (thread.more && !thread.loading && scroller.scrollHeight <= scroller.clientHeight) void now.older()
    },
  }
}
