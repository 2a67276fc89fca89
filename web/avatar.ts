/** Round pictures of people and groups: their own one where it may be shown, else a letter on a colour of theirs. */
import type { Conversation } from '../client/index.ts'
import { el } from './dom.ts'
import { hueOf } from './format.ts'
import type { Chat } from './state/chat.ts'

export interface Face {
  readonly id: string
  readonly title: string
  /** Null: a letter. */
  readonly url: string | null
  readonly isOnline: boolean
}

export function avatar({ id, title, url, isOnline }: Face, className = ''): HTMLElement {
  const [first = '?'] = [...title]
  const element = el('span', { className: `avatar ${className}`, textContent: first.toUpperCase() })
  element.style.setProperty('--hue', String(hueOf(id)))
  if (url !== null) {
    const picture = el('img', { src: url, alt: '', loading: 'lazy', referrerPolicy: 'no-referrer' })
    picture.onerror = () => picture.remove()
    element.append(picture)
  }
  if (isOnline) element.append(el('span', { className: 'dot', title: 'Online' }))
  return element
}

/** An http(s) address, or null: nothing else is ever linked or loaded. */
export function webUrl(value: unknown): string | null {
  if (typeof value !== 'string' || !URL.canParse(value, location.href)) return null
  const { protocol, href } = new URL(value, location.href)
  return protocol === 'https:' || protocol === 'http:' ? href : null
}

/** Whether it may be loaded without being asked for: another site would learn who looks, and when. */
export const mayLoad = (chat: Chat, url: string): boolean =>
  new URL(url).origin === location.origin || chat.settings.showsPictures()

function loadable(chat: Chat, value: string | null | undefined): string | null {
  const url = value ? webUrl(value) : null
  return url !== null && mayLoad(chat, url) ? url : null
}

export function faceOfUser(chat: Chat, userId: string): Face {
  const { people } = chat
  return {
    id: userId,
    title: people.nameOf(userId),
    url: loadable(chat, people.profile(userId)?.avatar),
    isOnline: people.isOnline(userId),
  }
}

export function faceOf(chat: Chat, conversation: Conversation): Face {
  const { conversationId, peerId, kind } = conversation
  if (kind === 'single' && peerId !== null)
    return { ...faceOfUser(chat, peerId), title: chat.titleOf(conversationId) }
  return {
    id: conversationId,
    title: chat.titleOf(conversationId),
    url: loadable(chat, conversation.avatar),
    isOnline: false,
  }
}

/** For the version of a row that holds it. */
export const faceVersion = ({ id, title, url, isOnline }: Face): readonly unknown[] => [
  id,
  title,
  url,
  isOnline,
]
