/** One message: who, what, when, and what can be done with it. */
import type { Conversation, Message } from '../client/index.ts'
import { avatar, faceOfUser, faceVersion } from './avatar.ts'
import { contentView } from './content-view.ts'
import { el, icon, iconButton, type Row, textButton } from './dom.ts'
import { contentText, count, messageText, sameDay, timeOf } from './format.ts'
import { showMenu } from './menu.ts'
import type { Shell } from './shell.ts'
import type { Chat } from './state/chat.ts'
import { messageRights } from './state/rights.ts'
import type { Pending, Thread } from './state/thread.ts'

/** Messages of one person within this time stand together. */
const TOGETHER_MS = 300_000
export const quickEmojis: readonly string[] = ['👍', '❤️', '😂', '😮', '😢', '🎉']

export interface MessageActions {
  reply(message: Message): void
  edit(message: Message): void
  jump(seq: number): void
}

export interface MessageContext {
  readonly chat: Chat
  readonly shell: Shell
  readonly actions: MessageActions
  readonly thread: Thread
  readonly conversation: Conversation
  /** How many have read the newest message of one's own in a group; null: not known, or another message. */
  readonly readBy: { readonly seq: number; readonly count: number } | null
}

type Receipt = '' | 'sent' | 'read'

export function messageRow(context: MessageContext, message: Message, before: Message | null): Row {
  const { chat, thread, conversation } = context
  const { userId } = chat.client
  const { nameOf } = chat.people
  const mine = message.senderId === userId
  const group = conversation.kind === 'group' || conversation.peerId === null
  const together =
    before?.senderId === message.senderId &&
    message.sentAt - before.sentAt < TOGETHER_MS &&
    sameDay(message.sentAt, before.sentAt)
  const recalled = message.content === null
  const face = group && !mine && !together ? faceOfUser(chat, message.senderId) : null
  const quote = message.replyTo === null || recalled ? null : quoteOf(thread, message.replyTo, nameOf)
  const receipt: Receipt =
    !mine || recalled || group ? '' : conversation.peerReadSeq >= message.seq ? 'read' : 'sent'
  const readBy = context.readBy?.seq === message.seq ? context.readBy.count : null
  const names = message.mentions.map(nameOf).join()
  const problem = thread.problems.get(message.seq) ?? ''
  const pinned = thread.pins.isPinned(message.seq)
  const pictures = chat.settings.showsPictures()
  const version = [message, together, ...(face ? faceVersion(face) : []), quote?.who, quote?.text, receipt]
  return {
    key: `m${message.seq}`,
    version: [...version, readBy, names, problem, pinned, pictures, group],
    make() {
      const classes = { mine, together, recalled, group, 'for-me': isForMe(message, userId) }
      const element = el('div', {
        className: `message ${Object.entries(classes)
          .filter(([, on]) => on)
          .map(([name]) => name)
          .join(' ')}`,
        tabIndex: -1,
        data: { seq: String(message.seq) },
      })
      const openMenu = (anchor: HTMLElement, point?: DOMPoint): void =>
        showMessageMenu(context, message, anchor, point)
      element.append(
        ...[
          group && !mine && el('span', { className: 'face' }, face && avatar(face, 'small')),
          el(
            'div',
            { className: 'bubble' },
            face && personButton(context, message.senderId, face.title),
            quote && quoteView(context, message.replyTo ?? 0, quote),
            contentView(chat, message, {
              openPerson: context.shell.openPerson,
              openGroup: (groupId) => context.shell.openGroup(`g:${groupId}`),
            }),
            metaView(message, receipt, pinned),
          ),
          !recalled && toolsView(context, message, openMenu),
          message.reactions.length > 0 && chipsView(context, message),
          readBy !== null && readBy > 0 && readByView(context, message, readBy),
          problem !== '' && el('p', { className: 'error', role: 'alert', textContent: problem }),
        ].filter((child) => child !== false && child !== null),
      )
      if (!recalled) {
        element.oncontextmenu = (event) => {
          // A link keeps the browser's own menu, and so does selected text.
          if (event.target instanceof Element && event.target.closest('a')) return
          if (String(getSelection()) !== '') return
          event.preventDefault()
          openMenu(element, new DOMPoint(event.clientX, event.clientY))
        }
        element.onkeydown = (event) => {
          if (event.target !== element || event.key !== 'Enter') return
          event.preventDefault()
          openMenu(element)
        }
      }
      return element
    },
  }
}

const isForMe = ({ mentions, mentionAll, senderId }: Message, userId: string): boolean =>
  senderId !== userId && (mentionAll || mentions.includes(userId))

interface Quote {
  readonly who: string
  readonly text: string
}

export function quoteOf(thread: Thread, seq: number, nameOf: (userId: string) => string): Quote {
  const message = thread.quoted(seq)
  if (!message) return { who: '', text: 'A message that is not here' }
  return { who: nameOf(message.senderId), text: messageText(message, nameOf) }
}

function quoteView({ actions }: MessageContext, seq: number, { who, text }: Quote): HTMLElement {
  return el(
    'button',
    { type: 'button', className: 'quote', title: 'Go to this message', onclick: () => actions.jump(seq) },
    el('strong', { textContent: who }),
    el('span', { textContent: text }),
  )
}

const personButton = ({ shell }: MessageContext, userId: string, textContent: string): HTMLElement =>
  el('button', {
    type: 'button',
    className: 'sender',
    title: userId,
    textContent,
    onclick: () => shell.openPerson(userId),
  })

function metaView(message: Message, receipt: Receipt, pinned: boolean): HTMLElement {
  const edited = message.content !== null && message.changedBy !== null
  return el(
    'span',
    { className: 'meta' },
    pinned && el('span', { title: 'Pinned' }, icon('pin')),
    edited && el('span', { className: 'edited', textContent: 'edited' }),
    el('time', {
      dateTime: new Date(message.sentAt).toISOString(),
      textContent: timeOf(message.sentAt),
    }),
    receipt !== '' &&
      el(
        'span',
        { className: `receipt ${receipt}`, title: receipt === 'read' ? 'Read' : 'Sent' },
        icon(receipt === 'read' ? 'checks' : 'check'),
      ),
  )
}

function toolsView(
  context: MessageContext,
  message: Message,
  openMenu: (anchor: HTMLElement) => void,
): HTMLElement | false {
  const { answer } = rightsOf(context, message)
  const tool = (button: HTMLButtonElement): HTMLButtonElement => {
    // Reached by the arrow keys and Enter; a tab stop in each message would be in the way.
    button.tabIndex = -1
    return button
  }
  const more = iconButton('More', 'more', () => openMenu(more), 'tool')
  return el(
    'div',
    { className: 'tools' },
    answer && tool(iconButton('Reply', 'reply', () => context.actions.reply(message), 'tool')),
    tool(more),
  )
}

function chipsView({ chat, thread }: MessageContext, message: Message): HTMLElement {
  const { conversationId, seq } = message
  return el(
    'div',
    { className: 'chips' },
    ...message.reactions.map(({ emoji, count: total, mine }) =>
      el(
        'button',
        {
          type: 'button',
          className: `chip${mine ? ' own' : ''}`,
          title: mine ? `Take ${emoji} away` : `React with ${emoji}`,
          aria: { pressed: String(mine) },
          onclick: () => thread.act(seq, () => chat.client.react(conversationId, seq, emoji, !mine)),
        },
        emoji,
        el('span', { textContent: String(total) }),
      ),
    ),
  )
}

const readByView = ({ shell }: MessageContext, message: Message, readers: number): HTMLElement =>
  textButton(`Read by ${readers.toLocaleString()}`, 'read-by', () =>
    shell.showReaders(message.conversationId, message.seq),
  )

const rightsOf = ({ chat, conversation, thread }: MessageContext, message: Message) =>
  messageRights(
    message,
    conversation,
    conversation.kind === 'group' ? thread.group.group() : null,
    chat.client.userId,
    chat.client.serverTime(),
    chat.client.windows(),
  )

function showMessageMenu(
  context: MessageContext,
  message: Message,
  anchor: HTMLElement,
  point?: DOMPoint,
): void {
  const { chat, shell, actions, thread, conversation } = context
  const { client } = chat
  const { conversationId, seq, content } = message
  if (content === null) return
  const may = rightsOf(context, message)
  const pinned = thread.pins.isPinned(seq)
  const text = content.type === 'text' ? (content.text ?? '') : null
  const react = (emoji: string): void => {
    const mine = thread.message(seq)?.reactions.find((reaction) => reaction.emoji === emoji)?.mine ?? false
    thread.act(seq, () => client.react(conversationId, seq, emoji, !mine))
  }
  showMenu(
    anchor,
    [
      may.answer && { text: 'Reply', icon: 'reply', act: () => actions.reply(message) },
      text !== null && {
        text: 'Copy text',
        icon: 'copy',
        act: () => void navigator.clipboard?.writeText(text),
      },
      may.edit && { text: 'Edit', icon: 'edit', act: () => actions.edit(message) },
      may.pin && {
        text: pinned ? 'Unpin for all' : 'Pin for all',
        icon: 'pin',
        act: () => thread.act(seq, () => client.pin(conversationId, seq, !pinned)),
      },
      conversation.kind === 'group' && {
        text: 'Read by…',
        icon: 'checks',
        act: () => shell.showReaders(conversationId, seq),
      },
      may.recall && {
        text: 'Recall',
        icon: 'recall',
        isDangerous: true,
        act: () => thread.act(seq, () => client.recall(conversationId, seq)),
      },
    ],
    { head: may.answer ? (close) => emojiRow(react, close) : null, point },
  )
}

/** One character as people see it, whatever it is made of; the server checks. */
const EMOJI_CHARS_MAX = 16

function emojiRow(react: (emoji: string) => void, close: () => void): HTMLElement {
  const choose = (emoji: string): void => {
    close()
    if (emoji !== '') react(emoji)
  }
  const other = el('input', {
    className: 'other-emoji',
    placeholder: '+',
    title: 'Another emoji, then Enter',
    aria: { label: 'Another emoji' },
    maxLength: EMOJI_CHARS_MAX,
  })
  other.onkeydown = (event) => {
    if (event.key !== 'Enter' || event.isComposing) return
    event.preventDefault()
    choose(other.value.trim())
  }
  return el(
    'div',
    { className: 'emojis' },
    ...quickEmojis.map((emoji) =>
      el('button', {
        type: 'button',
        textContent: emoji,
        title: `React with ${emoji}`,
        onclick: () => choose(emoji),
      }),
    ),
    other,
  )
}

export function pendingRow({ chat, thread }: MessageContext, pending: Pending): Row {
  const { request, failed } = pending
  const text = request.text ?? contentText(request.content ?? null, chat.people.nameOf, null)
  return {
    key: `p${pending.key}`,
    version: [failed],
    make: () =>
      el(
        'div',
        { className: `message mine pending${failed ? ' failed' : ''}` },
        el(
          'div',
          { className: 'bubble' },
          el('p', { className: 'text', textContent: text }),
          el(
            'span',
            { className: 'meta' },
            el('span', { title: failed ? 'Not sent' : 'Sending' }, icon('clock')),
          ),
        ),
        failed !== null &&
          el(
            'div',
            { className: 'failure' },
            el('p', { className: 'error', role: 'alert', textContent: `Not sent: ${failed}` }),
            textButton('Try again', 'link', () => thread.retry(pending)),
            textButton('Dismiss', 'link', () => thread.dismiss(pending)),
          ),
      ),
  }
}

export const dividerRow = (unread: number): Row => ({
  key: 'unread',
  version: [unread],
  make: () => el('p', { className: 'divider', textContent: count(unread, 'unread message') }),
})
