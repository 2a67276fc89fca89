/** Items of streams as the events that handlers hear. Pure. */
import type { EventName, Handlers } from './api.ts'
import {
  editedOf,
  groupChangeOf,
  messageOf,
  pinnedOf,
  profileChangeOf,
  reactedOf,
  recalledOf,
  relationChangeOf,
  settingChangeOf,
} from './messages.ts'
import type { Item } from './wire.ts'

export type Told = { [E in EventName]: readonly [E, Parameters<Handlers[E]>[0]] }[EventName]

/** Null for what is told nobody: hidden items, and kinds of a server newer than this client. */
export function eventOf(item: Item, userId: string): Told | null {
  switch (item.kind) {
    case 'message':
      return ['message', messageOf(item)]
    case 'recalled':
      return ['recalled', recalledOf(item)]
    case 'edited':
      return ['edited', editedOf(item)]
    case 'reacted':
      return ['reaction', reactedOf(item)]
    case 'pinned':
      return ['pinned', pinnedOf(item)]
    case 'setting':
      return ['setting', settingChangeOf(item)]
    case 'profile':
      return ['profile', profileChangeOf(item)]
    case 'read':
      return [
        'read',
        {
          conversationId: item.readConversationId ?? '',
          seq: item.readSeq ?? 0,
          ordinal: item.readOrdinal ?? 0,
        },
      ]
    default: {
      const group = groupChangeOf(item)
      if (group) return ['group', group]
      const relation = relationChangeOf(item, userId)
      return relation ? ['relation', relation] : null
    }
  }
}
