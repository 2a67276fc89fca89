/** What the page knows, in one place. Changes come from the client's events; the views are told. */
import { type Client, type Conversation, LongwireError, type ViewEvent } from '../../client/index.ts'
import { p2pId } from '../../schemas/ids.ts'
import { titleOf } from '../format.ts'
import { type Conversations, createConversations } from './conversations.ts'
import type { GroupState } from './group-state.ts'
import { createPeople, type People } from './people.ts'
import { createSettings, type Settings } from './settings.ts'
import { createThread, type Thread } from './thread.ts'
import { createTyping } from './typing.ts'

export interface Chat {
  readonly client: Client
  readonly people: People
  readonly settings: Settings
  readonly conversations: Conversations
  active(): Thread | null
  /** The one that is open. */
  conversation(): Conversation | null
  titleOf(conversationId: string): string
  /** Also of a group that one is not in. */
  groupOf(conversationId: string): GroupState
  /** Null goes back to the list. `seq`: the message to go to. */
  open(conversationId: string | null, seq?: number): void
  /** Opens single chat with a user, new or not. */
  openWith(userId: string): void
  /** The message that was gone to last, once: the view scrolls there. */
  takeTarget(): number | null
  /** Whether one follows the conversation without being in it. */
  isObserved(conversationId: string): boolean
  observe(conversationId: string, on: boolean): Promise<void>
  typingIn(conversationId: string): readonly string[]
  /** The page came back into view. */
  seen(): void
}

export function createChat(client: Client, changed: () => void): Chat {
  const threads = new Map<string, Thread>()
  let active: Thread | null = null
  let target: number | null = null

  const people = createPeople(client, changed)
  const settings = createSettings(client, changed)
  const typing = createTyping(client, changed)
  const conversations = createConversations(client, moved, (pages) => {
    for (const [conversationId, page] of pages) threadOf(conversationId).seed(page)
  })

  function threadOf(conversationId: string): Thread {
    const known = threads.get(conversationId)
    if (known) return known
    const thread = createThread(client, conversationId, moved)
    threads.set(conversationId, thread)
    return thread
  }

  function moved(): void {
    seen()
    changed()
  }

  /** What is on the screen up to the newest message is read. */
  function seen(): void {
    if (document.visibilityState !== 'visible' || !active?.isAtEnd()) return
    const { conversationId } = active
    const conversation = conversations.get(conversationId)
    if (settings.observed().includes(conversationId)) return
    const last = active.messages().at(-1)?.seq ?? 0
    if (last <= conversation.readSeq || conversation.unread === 0) return
    conversations.read(conversationId, last)
    // It is sent again by the client itself until it is taken.
    client.markRead(conversationId, last).catch(() => {})
  }

  const views: readonly ViewEvent[] = ['message', 'recalled', 'edited', 'reaction', 'conversation']
  for (const event of views)
    client.on(event, (value: { readonly conversationId: string }) => {
      threads.get(value.conversationId)?.apply(event, value as never)
    })
  client.on('pinned', (change) => {
    threads.get(change.conversationId)?.pins.apply(change)
    changed()
  })
  client.on('group', (change) => {
    threads.get(change.conversationId)?.applyGroup(change)
  })
  client.on('state', ({ state }) => {
    if (state === 'online') active?.group.read()
  })

  function titleOfId(conversationId: string): string {
    const known = conversations.get(conversationId)
    const name = known.name ?? threads.get(conversationId)?.group.group()?.name ?? null
    return titleOf({ ...known, name }, client.userId, people.nameOf)
  }

  function open(conversationId: string | null, seq?: number): void {
    if (conversationId !== active?.conversationId) active?.leave()
    const wasActive = active?.conversationId === conversationId
    active = conversationId === null ? null : threadOf(conversationId)
    if (active && !wasActive) active.begin(conversations.get(active.conversationId))
    if (active && seq !== undefined) {
      target = seq
      void active.around(seq)
    } else if (!wasActive) target = null
    moved()
  }

  return {
    client,
    people,
    settings,
    conversations,
    active: () => active,
    conversation: () => active && conversations.get(active.conversationId),
    titleOf: titleOfId,
    groupOf: (conversationId) => threadOf(conversationId).group,
    open,
    openWith(userId) {
      const conversationId = p2pId(client.userId, userId)
      conversations.reveal(conversationId)
      open(conversationId)
    },
    takeTarget() {
      if (target === null || !active?.messages().some(({ seq }) => seq === target)) return null
      const seq = target
      target = null
      return seq
    },
    isObserved: (conversationId) => settings.observed().includes(conversationId),
    async observe(conversationId, on) {
      try {
        await client.observe(conversationId, on)
      } catch (error) {
        // It is so already, from another window or an earlier time.
        if (!(error instanceof LongwireError) || error.code !== 'no_change') throw error
      }
      await settings.setObserved(conversationId, on)
    },
    typingIn: typing.in,
    seen: moved,
  }
}
