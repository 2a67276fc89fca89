/** What the page knows: conversations with their loaded messages. Changes come from the client's events; views are told. */
import type { Client, Conversation, GroupChange, Message, Page } from '../client/index.ts'

export interface Pending {
  readonly key: string
  readonly text: string
  readonly at: number
  failed: string | null
}

export interface Thread {
  conversation: Conversation
  /** By seq, without holes, from firstSeq on. */
  readonly messages: Map<number, Message>
  readonly changes: Map<number, GroupChange>
  readonly pending: Pending[]
  /** 0: nothing is loaded yet. */
  firstSeq: number
  more: boolean
  loading: boolean
}

export interface Chat {
  readonly client: Client
  /** Newest first. */
  threads(): readonly Thread[]
  active(): Thread | null
  /** Null goes back to the list. */
  open(conversationId: string | null): void
  /** Opens single chat with a user, new or not. */
  openWith(userId: string): void
  older(): Promise<void>
  send(text: string): void
  dismiss(pending: Pending): void
  recall(message: Message): void
  createGroup(name: string, members: readonly string[]): Promise<void>
  /** Folded from the group's own history. */
  members(conversationId: string): Promise<string[]>
  /** The page came back into view. */
  seen(): void
}

const PAGE = 40
const LIST_MAX = 500
const REFRESH_MS = 250
/** The read models follow the log at a little distance. */
const REFRESH_AGAIN_MS = 1_500

export function createChat(client: Client, changed: () => void, problem: (text: string) => void): Chat {
  const threads = new Map<string, Thread>()
  let active: Thread | null = null
  let refreshing = false

  const isVisible = (): boolean => document.visibilityState === 'visible'
  const explain = (error: unknown): string => (error instanceof Error ? error.message : String(error))

  function threadOf(conversationId: string): Thread {
    const known = threads.get(conversationId)
    if (known) return known
    const thread: Thread = {
      conversation: emptyConversation(conversationId, client.userId),
      messages: new Map(),
      changes: new Map(),
      pending: [],
      firstSeq: 0,
      more: false,
      loading: false,
    }
    threads.set(conversationId, thread)
    return thread
  }

  async function refresh(): Promise<void> {
    try {
      for (const conversation of await client.conversations({ limit: LIST_MAX })) {
        const thread = threadOf(conversation.conversationId)
        const mine = thread.conversation
        // A read model that trails knows less than what was pushed.
        const newer = conversation.lastSeq >= mine.lastSeq
        thread.conversation = newer ? conversation : { ...conversation, ...latest(mine) }
        if (thread === active && isVisible()) markSeen(thread)
      }
      changed()
    } catch (error) {
      problem(`The list could not be read: ${explain(error)}`)
    }
  }
  function refreshSoon(): void {
    if (refreshing) return
    refreshing = true
    setTimeout(() => {
      refreshing = false
      void refresh()
      setTimeout(() => void refresh(), REFRESH_AGAIN_MS)
    }, REFRESH_MS)
  }

  function update(thread: Thread, fields: Partial<Conversation>): void {
    thread.conversation = { ...thread.conversation, ...fields }
    changed()
  }

  function markSeen(thread: Thread): void {
    const { conversationId, lastSeq, unread } = thread.conversation
    const last = Math.max(0, ...thread.messages.keys())
    if (unread === 0 || last === 0) return
    thread.conversation = { ...thread.conversation, unread: 0, mentions: 0, readSeq: lastSeq }
    void client.markRead(conversationId, last)
  }

  function isLoaded(thread: Thread): boolean {
    return thread.firstSeq > 0
  }

  function take(thread: Thread, page: Page): void {
    for (const message of page.messages) thread.messages.set(message.seq, message)
    for (const change of page.group) thread.changes.set(change.seq, change)
    if (page.firstSeq > 0)
      thread.firstSeq = thread.firstSeq === 0 ? page.firstSeq : Math.min(thread.firstSeq, page.firstSeq)
    thread.more = page.more
  }

  async function load(thread: Thread, before?: number): Promise<void> {
    if (thread.loading) return
    thread.loading = true
    changed()
    try {
      take(thread, await client.history(thread.conversation.conversationId, { before, limit: PAGE }))
      if (thread === active && isVisible()) markSeen(thread)
    } catch (error) {
      // Nobody has written to a new conversation yet.
      if (thread.conversation.lastSeq > 0) problem(`The messages could not be read: ${explain(error)}`)
    }
    thread.loading = false
    changed()
  }

  client.on('message', (message) => {
    const isNew = !threads.has(message.conversationId)
    const thread = threadOf(message.conversationId)
    const mine = message.senderId === client.userId
    // From the first message on, a new conversation holds everything from there.
    if (isLoaded(thread) || message.seq === 1) thread.messages.set(message.seq, message)
    if (message.seq === 1) thread.firstSeq = 1
    const { unread, lastSeq } = thread.conversation
    update(thread, {
      lastSeq: Math.max(lastSeq, message.seq),
      lastTime: message.sentAt,
      preview: message,
      unread: mine ? unread : unread + 1,
    })
    if (thread === active && isVisible()) markSeen(thread)
    if (isNew) refreshSoon()
  })

  function applyChange(conversationId: string, targetSeq: number, fields: Partial<Message>): void {
    const thread = threadOf(conversationId)
    const message = thread.messages.get(targetSeq)
    if (message) thread.messages.set(targetSeq, { ...message, ...fields })
    const { preview } = thread.conversation
    if (preview?.seq === targetSeq) update(thread, { preview: { ...preview, ...fields } })
    refreshSoon()
    changed()
  }
  client.on('recalled', ({ conversationId, targetSeq, seq }) =>
    applyChange(conversationId, targetSeq, { content: null, changedBy: seq }),
  )
  client.on('edited', ({ conversationId, targetSeq, seq, content }) =>
    applyChange(conversationId, targetSeq, { content, changedBy: seq }),
  )
  client.on('group', (change) => {
    const thread = threadOf(change.conversationId)
    if (isLoaded(thread) || change.seq === 1) thread.changes.set(change.seq, change)
    if (change.seq === 1) thread.firstSeq = 1
    const { lastSeq, name } = thread.conversation
    update(thread, {
      name: change.name ?? name,
      lastSeq: Math.max(lastSeq, change.seq),
      lastTime: change.time,
    })
    refreshSoon()
  })
  client.on('read', ({ conversationId, seq }) => {
    const thread = threads.get(conversationId)
    if (!thread) return
    if (seq >= (thread.conversation.preview?.seq ?? 0))
      update(thread, { unread: 0, mentions: 0, readSeq: seq })
    else refreshSoon()
  })
  client.on('conversation', ({ conversationId, reason }) => {
    const thread = threadOf(conversationId)
    if (reason !== 'new') {
      thread.messages.clear()
      thread.changes.clear()
      thread.firstSeq = 0
      if (thread === active) void load(thread)
    }
    refreshSoon()
  })
  client.on('state', ({ state }) => {
    if (state === 'online') refreshSoon()
    changed()
  })
  void refresh()

  function open(conversationId: string | null): void {
    active = conversationId === null ? null : threadOf(conversationId)
    if (active && !isLoaded(active)) void load(active)
    if (active && isVisible()) markSeen(active)
    changed()
  }

  return {
    client,
    threads: () => [...threads.values()].sort((a, b) => b.conversation.lastTime - a.conversation.lastTime),
    active: () => active,
    open,
    openWith(userId) {
      const [a, b] = [client.userId, userId].sort((x, y) => (x < y ? -1 : 1)) as [string, string]
      open(`p2p:${a}:${b}`)
    },
    async older() {
      if (active?.more && active.firstSeq > 1) await load(active, active.firstSeq)
    },
    send(text) {
      const thread = active
      if (!thread) return
      const { conversationId, peerId } = thread.conversation
      const pending: Pending = {
        key: crypto.getRandomValues(new Uint32Array(2)).join('-'),
        text,
        at: Date.now(),
        failed: null,
      }
      thread.pending.push(pending)
      changed()
      client.send(peerId === null ? { conversationId, text } : { to: peerId, text }).then(
        () => this.dismiss(pending),
        (error: unknown) => {
          pending.failed = explain(error)
          changed()
        },
      )
    },
    dismiss(pending) {
      for (const { pending: list } of threads.values()) {
        const at = list.indexOf(pending)
        if (at >= 0) list.splice(at, 1)
      }
      changed()
    },
    recall(message) {
      client
        .recall(message.conversationId, message.seq)
        .catch((error: unknown) => problem(`Not recalled: ${explain(error)}`))
    },
    async createGroup(name, members) {
      const { conversationId } = await client.createGroup({ name, members })
      open(conversationId)
    },
    async members(conversationId) {
      const roster = new Set<string>()
      let after = 0
      // 40 pages of 200: enough for the history of a group that people manage by hand.
      for (let pages = 0; pages < 40; pages++) {
        const page = await client.history(conversationId, { after, limit: 200 })
        for (const { kind, members } of page.group)
          for (const member of members) kind === 'removed' ? roster.delete(member) : roster.add(member)
        if (page.lastSeq <= after || !page.more) break
        after = page.lastSeq
      }
      return [...roster].sort()
    },
    seen() {
      if (active && isVisible()) markSeen(active)
      changed()
    },
  }
}

const latest = ({ lastSeq, lastTime, preview, unread, name }: Conversation): Partial<Conversation> => ({
  lastSeq,
  lastTime,
  preview,
  unread,
  ...(name === null ? {} : { name }),
})

function emptyConversation(conversationId: string, userId: string): Conversation {
  const [prefix, a, b] = conversationId.split(':')
  const single = prefix === 'p2p'
  return {
    conversationId,
    kind: single ? 'single' : 'group',
    peerId: single ? ((a === userId ? b : a) ?? null) : null,
    name: null,
    unread: 0,
    mentions: 0,
    lastSeq: 0,
    lastTime: Date.now(),
    readSeq: 0,
    readOrdinal: 0,
    memberCount: 0,
    preview: null,
  }
}
