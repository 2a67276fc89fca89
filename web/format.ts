/** Words for what happened. Pure. */
import type { Content, Conversation, GroupChange, GroupRole, Message } from '../client/index.ts'

/** What a user is called here: a remark, the profile's name, or the id. */
export type NameOf = (userId: string) => string

export function titleOf(conversation: Conversation, userId: string, nameOf: NameOf): string {
  const { kind, name, peerId, conversationId } = conversation
  if (kind === 'group') return name || 'Group'
  if (peerId === userId) return 'Notes to self'
  if (peerId !== null) return nameOf(peerId)
  const [, a = '', b = ''] = conversationId.split(':')
  return `${nameOf(a)}, ${nameOf(b)}`
}

const kindNames: Readonly<Record<string, string>> = {
  image: 'Picture',
  voice: 'Voice message',
  video: 'Video',
  file: 'File',
  location: 'Location',
  card: 'Contact',
}
const textIn = (content: Content, field: string): string => {
  const value = content[field]
  return typeof value === 'string' ? value : ''
}

/** Of a message without a content: nothing has changed one that is merely no longer kept. */
export const goneText = (changedBy: number | null): string =>
  changedBy === null ? 'Message no longer kept' : 'Message recalled'

/** One line for lists and quotes. */
export function contentText(content: Content | null, nameOf: NameOf, changedBy: number | null): string {
  if (content === null) return goneText(changedBy)
  if (content.type === 'text' || content.type === 'system') return withNames(content.text ?? '', nameOf)
  const kind = kindNames[content.type] ?? 'Message of another app'
  const detail = textIn(content, 'name') || textIn(content, 'address') || textIn(content, 'caption')
  return detail === '' ? kind : `${kind}: ${detail}`
}

const MENTION = /@([A-Za-z0-9_.-]{1,64})/g
const withNames = (text: string, nameOf: NameOf): string =>
  text.replace(MENTION, (whole, id: string) => (nameOf(id) === id ? whole : `@${nameOf(id)}`))

export function messageText(message: Message, nameOf: NameOf): string {
  return contentText(
    message.content,
    (id) => (message.mentions.includes(id) ? nameOf(id) : id),
    message.changedBy,
  )
}

export function previewOf(conversation: Conversation, userId: string, nameOf: NameOf): string {
  const { preview } = conversation
  if (!preview) return conversation.kind === 'group' ? 'No messages yet' : ''
  const own = preview.senderId === userId
  const who = own ? 'You: ' : conversation.kind === 'group' ? `${nameOf(preview.senderId)}: ` : ''
  return who + messageText(preview, nameOf)
}

const NAMED_MAX = 5

export function changeText(change: GroupChange, userId: string, nameOf: NameOf): string {
  const by = change.byUserId === userId ? 'You' : nameOf(change.byUserId)
  const self = change.members.length === 1 && change.members[0] === change.byUserId
  const others = change.members.filter((member) => change.kind === 'removed' || member !== change.byUserId)
  const shown = others.slice(0, NAMED_MAX).map((id) => (id === userId ? 'you' : nameOf(id)))
  const more = others.length > NAMED_MAX ? ` and ${others.length - NAMED_MAX} more` : ''
  const whom = shown.join(', ') + more
  switch (change.kind) {
    case 'created':
      return `${by} created the group${whom ? ` with ${whom}` : ''}`
    case 'added':
      return self ? `${by} joined` : `${by} added ${whom}`
    case 'removed':
      return self ? `${by} left` : `${by} removed ${whom}`
    case 'dissolved':
      return `${by} dissolved the group`
    case 'joinRequested':
      return `${by} asked to join`
    case 'joinAnswered':
      return self ? `${by} joined` : change.on ? `${by} let ${whom} in` : `${by} did not let ${whom} in`
    case 'roleSet':
      return `${by} made ${whom} ${roleWords[change.role ?? 'member']}`
    case 'muted':
      return change.until ? `${by} muted ${whom} until ${whenOf(change.until)}` : `${by} unmuted ${whom}`
    case 'allMuted':
      return change.on ? `${by} muted everyone but owner and admins` : `${by} let everyone write again`
    case 'groupSet':
      return groupSetText(change, by)
    case 'observing':
      return `${by} ${change.on ? 'began' : 'ended'} to observe this conversation`
  }
}

const roleWords: Readonly<Record<GroupRole, string>> = {
  owner: 'the owner',
  admin: 'an admin',
  member: 'a plain member',
}
const joinWords = {
  open: 'anyone may join',
  approval: 'who asks is let in by an admin',
  closed: 'by being added only',
}

function groupSetText({ changes, name }: GroupChange, by: string): string {
  const { announcement, avatar, joinPolicy, addPolicy } = changes ?? {}
  if (announcement) return `${by} announced: ${announcement}`
  if (name) return `${by} named the group “${name}”`
  if (joinPolicy) return `${by} changed how one joins: ${joinWords[joinPolicy]}`
  if (addPolicy) return `${by} let ${addPolicy === 'admins' ? 'only admins' : 'all members'} add people`
  if (avatar !== undefined) return `${by} changed the group’s picture`
  return announcement === '' ? `${by} took the announcement away` : `${by} changed the group’s settings`
}

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' })
const day = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' })
const short = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' })

export const timeOf = (at: number): string => clock.format(at)
export const dayOf = (at: number): string => (sameDay(at, Date.now()) ? 'Today' : day.format(at))
export const whenOf = (at: number): string => (sameDay(at, Date.now()) ? clock.format(at) : short.format(at))
export const sameDay = (a: number, b: number): boolean =>
  new Date(a).toDateString() === new Date(b).toDateString()

export function durationOf(ms: number): string {
  const seconds = Math.round(ms / 1_000)
  const rest = String(seconds % 60).padStart(2, '0')
  return `${Math.floor(seconds / 60)}:${rest}`
}

const units = ['B', 'KB', 'MB', 'GB', 'TB']
export function sizeOf(bytes: number): string {
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3))
  const value = bytes / 1_000 ** power
  return `${value < 10 && power > 0 ? value.toFixed(1) : Math.round(value)} ${units[power]}`
}

export const count = (n: number, one: string, many = `${one}s`): string =>
  `${n.toLocaleString()} ${n === 1 ? one : many}`

/** A hue for an id, so that people are told apart at a glance. */
export function hueOf(id: string): number {
  let hash = 0
  for (let i = 0; i < id.length; i++) hash = (hash * 31 + id.charCodeAt(i)) % 9_973
  // The golden angle keeps ids that differ little far apart.
  return Math.round(hash * 137.508) % 360
}

export const explain = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** Why this page was ended for another login. */
export const kickedText = (by: { deviceId: string; deviceType: string; loginAt: number }): string =>
  `You logged in elsewhere: on ${by.deviceType} (${by.deviceId}) at ${clock.format(by.loginAt)}.`
