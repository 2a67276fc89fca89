import type { Conversation, GroupChange, Message } from '../client/index.ts'

export const titleOf = (conversation: Conversation, userId: string): string =>
  conversation.kind === 'group'
    ? (conversation.name ?? 'Group')
    : conversation.peerId === userId
      ? 'Notes to self'
      : (conversation.peerId ?? conversation.conversationId)

export function textOf(message: Message): string {
  const { content } = message
  if (content === null) return 'Message recalled'
  if (content.type === 'text') return content.text ?? ''
  return `[${content.type}]`
}

export function previewOf(conversation: Conversation, userId: string): string {
  const { preview } = conversation
  if (!preview) return conversation.kind === 'group' ? 'No messages yet' : ''
  const own = preview.senderId === userId
  const who = own ? 'You: ' : conversation.kind === 'group' ? `${preview.senderId}: ` : ''
  return who + textOf(preview)
}

export function changeText(change: GroupChange, userId: string): string {
  const name = (id: string): string => (id === userId ? 'you' : id)
  const by = change.byUserId === userId ? 'You' : change.byUserId
  const others = change.members.filter((member) => change.kind === 'removed' || member !== change.byUserId)
  const shown = others.slice(0, 5).map(name).join(', ')
  const whom = others.length > 5 ? `${shown} and ${others.length - 5} more` : shown
  if (change.kind === 'created') return `${by} created the group${whom ? ` with ${whom}` : ''}`
  if (change.kind === 'added') return `${by} added ${whom}`
  if (change.members.length === 1 && change.members[0] === change.byUserId) return `${by} left`
  return `${by} removed ${whom}`
}

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' })
const day = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' })
const short = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' })

export const timeOf = (at: number): string => clock.format(at)
export const dayOf = (at: number): string => (sameDay(at, Date.now()) ? 'Today' : day.format(at))
export const whenOf = (at: number): string => (sameDay(at, Date.now()) ? clock.format(at) : short.format(at))
export const sameDay = (a: number, b: number): boolean =>
  new Date(a).toDateString() === new Date(b).toDateString()

/** A hue for an id, so that people are told apart at a glance. */
export function hueOf(id: string): number {
  let hash = 0
  for (let i = 0; i < id.length; i++) hash = (hash * 31 + id.charCodeAt(i)) % 360
  return hash
}
