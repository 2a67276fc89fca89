/** What a message holds, shown safely: text as text, http(s) addresses only, other sites asked only when it is wanted. */
import type { Content, Message } from '../client/index.ts'
import { mayLoad, webUrl } from './avatar.ts'
import { el, icon } from './dom.ts'
import { durationOf, goneText, sizeOf } from './format.ts'
import type { IconName } from './icons.ts'
import { linkTo, richText } from './rich-text.ts'
import type { Chat } from './state/chat.ts'

export interface ContentActions {
  openPerson(userId: string): void
  openGroup(groupId: string): void
}

const SIDE_PX_MAX = 320
const JSON_CHARS_MAX = 4_000

const textAt = (content: Content, field: string): string => {
  const value = content[field]
  return typeof value === 'string' ? value : ''
}
const numberAt = (content: Content, field: string): number => {
  const value = content[field]
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : 0
}

export function contentView(chat: Chat, message: Message, actions: ContentActions): HTMLElement {
  const { content, mentions, mentionAll } = message
  if (content === null) return el('p', { className: 'text', textContent: goneText(message.changedBy) })
  const { nameOf } = chat.people
  const shown = { mentions, mentionAll, me: chat.client.userId, nameOf, open: actions.openPerson }
  const url = webUrl(content.url)
  switch (content.type) {
    case 'text':
    case 'system':
      return el('p', { className: 'text' }, ...richText(content.text ?? '', shown))
    case 'image':
      return url === null ? unreadable(content) : imageView(chat, content, url)
    case 'voice':
      return url === null ? unreadable(content) : voiceView(content, url)
    case 'video':
      return url === null ? unreadable(content) : videoView(chat, content, url)
    case 'file': {
      if (url === null) return unreadable(content)
      const size = numberAt(content, 'size')
      const detail = [size > 0 ? sizeOf(size) : '', textAt(content, 'mime')].filter(Boolean).join(' · ')
      return attachment('file', textAt(content, 'name') || 'File', detail || new URL(url).host, (parts) =>
        linkTo(url, ...parts),
      )
    }
    case 'location':
      return locationView(content)
    case 'card':
      return cardView(chat, content, actions)
    default:
      return unreadable(content)
  }
}

function attachment(
  name: IconName,
  title: string,
  detail: string,
  wrap: (parts: HTMLElement[]) => HTMLElement,
): HTMLElement {
  const element = wrap([
    el('span', { className: 'attachment-icon' }, icon(name)),
    el(
      'span',
      { className: 'attachment-text' },
      el('strong', { textContent: title }),
      el('span', { textContent: detail }),
    ),
  ])
  element.classList.add('attachment')
  return element
}

/** Takes the room that the picture will have, so that nothing moves when it comes. */
function reserve(element: HTMLElement, content: Content): void {
  const width = numberAt(content, 'width') || SIDE_PX_MAX
  const height = numberAt(content, 'height') || SIDE_PX_MAX
  const scale = Math.min(1, SIDE_PX_MAX / Math.max(width, height))
  element.style.setProperty('width', `${Math.max(96, Math.round(width * scale))}px`)
  element.style.setProperty('aspect-ratio', `${width} / ${height}`)
}

function imageView(chat: Chat, content: Content, url: string): HTMLElement {
  const box = el('div', { className: 'picture' })
  reserve(box, content)
  const shownUrl = webUrl(content.thumbnail) ?? url
  const alt = textAt(content, 'caption') || textAt(content, 'name') || 'Picture'
  const load = (): void => {
    const image = el('img', { src: shownUrl, alt, loading: 'lazy', referrerPolicy: 'no-referrer' })
    image.onerror = () => {
      const failed = attachment('image', 'The picture could not be loaded', new URL(url).host, (parts) =>
        linkTo(url, ...parts),
      )
      box.replaceWith(failed)
    }
    box.replaceChildren(linkTo(url, image))
  }
  if (mayLoad(chat, shownUrl)) load()
  else
    box.append(
      el(
        'button',
        { type: 'button', className: 'load', onclick: load },
        icon('image'),
        el('strong', { textContent: 'Show picture' }),
        el('span', { textContent: `from ${new URL(shownUrl).host}` }),
      ),
    )
  return box
}

function voiceView(content: Content, url: string): HTMLElement {
  const audio = el('audio', { controls: true, preload: 'none', src: url })
  return el(
    'div',
    { className: 'voice' },
    icon('voice'),
    audio,
    el('span', { className: 'duration', textContent: durationOf(numberAt(content, 'durationMs')) }),
  )
}

function videoView(chat: Chat, content: Content, url: string): HTMLElement {
  const poster = webUrl(content.thumbnail)
  const video = el('video', { controls: true, preload: 'none', src: url })
  if (poster !== null && mayLoad(chat, poster)) video.poster = poster
  reserve(video, content)
  const duration = durationOf(numberAt(content, 'durationMs'))
  return el(
    'div',
    { className: 'video' },
    video,
    el('span', { className: 'duration' }, icon('video'), duration),
  )
}

function locationView(content: Content): HTMLElement {
  const { latitude, longitude } = content
  if (typeof latitude !== 'number' || typeof longitude !== 'number') return unreadable(content)
  const place = `${latitude.toFixed(5)}, ${longitude.toFixed(5)}`
  const query = new URLSearchParams({ mlat: String(latitude), mlon: String(longitude), zoom: '16' })
  return attachment(
    'place',
    textAt(content, 'name') || 'Location',
    textAt(content, 'address') || place,
    (parts) => linkTo(`https://www.openstreetmap.org/?${query}`, ...parts),
  )
}

function cardView(chat: Chat, content: Content, actions: ContentActions): HTMLElement {
  const userId = textAt(content, 'userId')
  const groupId = textAt(content, 'groupId')
  const name = textAt(content, 'name') || (userId && chat.people.nameOf(userId)) || groupId
  const open = (): void => (userId ? actions.openPerson(userId) : actions.openGroup(groupId))
  return attachment(userId ? 'person' : 'people', name, userId ? `Contact · ${userId}` : 'Group', (parts) =>
    el('button', { type: 'button', onclick: open }, ...parts),
  )
}

/** Of another app, or broken: its fields as they are. */
function unreadable(content: Content): HTMLElement {
  const { type, ...fields } = content
  const text = JSON.stringify(fields, null, 2)
  return el(
    'details',
    { className: 'unreadable' },
    el('summary', { textContent: type === 'custom' ? 'Message of another app' : `Message of type ${type}` }),
    el('pre', { textContent: text.slice(0, JSON_CHARS_MAX) }),
  )
}
