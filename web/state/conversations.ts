/** The list of conversations as this page knows it: read by page, moved on by what the client tells. */

import type { Client, Conversation, Message, Overview, Page } from '../../client/index.ts'
import { explain } from '../format.ts'
import { emptyConversation, newestOf, withMessage } from './list-fold.ts'
import { refresher } from './refresh.ts'

export interface Conversations {
  /** Pinned ones before all, then newest first; not those deleted, nor those nobody wrote in. */
  all(): readonly Conversation[]
  /** An empty one where nothing is known. */
  get(conversationId: string): Conversation
  hasMore(): boolean
  more(): Promise<void>
  /** Shows it in the list though nobody wrote in it. */
  reveal(conversationId: string): void
  /** All that is unread, but for muted conversations. */
  unread(): number
  /** Read up to a message that has the seq. */
  read(conversationId: string, seq: number): void
  pin(conversationId: string, on: boolean): Promise<void>
  mute(conversationId: string, on: boolean): Promise<void>
  setDraft(conversationId: string, text: string): Promise<void>
  remove(conversationId: string): Promise<void>
  /** Why the list could not be read, or ''. */
  problem(): string
}

const PAGE = 50
const OVERVIEW_PAGES = 20

export function createConversations(
  client: Client,
  changed: () => void,
  opened: (pages: ReadonlyMap<string, Page>) => void,
): Conversations {
  const known = new Map<string, Conversation>()
  const listed = new Set<string>()
  const revealed = new Set<string>()
  const deletedUpTo = new Map<string, number>()
  /** From settings that were told: newer than what a page says. */
  const settings = new Map<string, Partial<Pick<Conversation, 'pinned' | 'muted' | 'draft'>>>()
  /** What the events alone do not say: to be read again. */
  const stale = new Set<string>()
  let sorted: readonly Conversation[] | null = null
  let pages = 0
  let next: string | null = null
  let loading = false
  let problem = ''

  function put(conversation: Conversation): void {
    known.set(conversation.conversationId, conversation)
    sorted = null
  }
  const get = (conversationId: string): Conversation =>
    known.get(conversationId) ?? emptyConversation(conversationId, client.userId)
  function update(conversationId: string, fields: Partial<Conversation>): void {
    put({ ...get(conversationId), ...fields })
    changed()
  }
  /** The conversation came this far by something that is no message. */
  function moved(conversationId: string, seq: number, fields: Partial<Conversation> = {}): void {
    update(conversationId, { ...fields, lastSeq: Math.max(get(conversationId).lastSeq, seq) })
  }
  function refreshSoon(conversationId: string): void {
    stale.add(conversationId)
    listRead.soon()
  }

  function take(conversation: Conversation): void {
    const { conversationId } = conversation
    listed.add(conversationId)
    const own = settings.get(conversationId) ?? {}
    const mine = known.get(conversationId)
    put({ ...(mine ? newestOf(conversation, mine) : conversation), ...own })
    if (!mine || conversation.lastSeq >= mine.lastSeq) stale.delete(conversationId)
  }

  /** From the first page on, as far as it is needed. True: it trails. */
  const listRead = refresher(async () => {
    try {
      let before: string | undefined
      let partial = false
      const seen = new Set<string>()
      for (let read = 0; ; ) {
        const page = await client.conversationPage({ limit: PAGE, before })
        for (const conversation of page.conversations) {
          seen.add(conversation.conversationId)
          take(conversation)
        }
        read += 1
        partial ||= page.partial
        before = page.next ?? undefined
        if (read >= pages) {
          pages = read
          next = page.next
        }
        const wanted = [...stale].some((id) => !seen.has(id))
        if (before === undefined || read >= pages || !wanted) break
      }
      if (!partial) {
        // Complete: what is not in it is gone from the list.
        if (before === undefined) for (const id of listed) if (!seen.has(id)) listed.delete(id)
        for (const id of stale) if (!seen.has(id)) stale.delete(id)
      }
      problem = ''
      sorted = null
      changed()
      return partial || stale.size > 0
    } catch (error) {
      problem = `The list could not be read: ${explain(error)}`
      changed()
      return false
    }
  })

  async function begin(): Promise<void> {
    let overview: Overview
    try {
      overview = await client.overview({ limit: PAGE, pages: OVERVIEW_PAGES })
    } catch {
      return listRead.now()
    }
    for (const conversation of overview.conversations) take(conversation)
    pages = 1
    next = overview.next
    opened(overview.pages)
    changed()
    if (overview.partial) listRead.soon()
  }

  function counted(message: Message): void {
    const { conversationId } = message
    const isNew = !listed.has(conversationId)
    listed.add(conversationId)
    put(withMessage(get(conversationId), message, client.userId))
    changed()
    if (isNew) refreshSoon(conversationId)
  }
  function changedMessage(
    conversationId: string,
    targetSeq: number,
    seq: number,
    fields: Partial<Message>,
  ): void {
    const { preview } = get(conversationId)
    const own = preview?.seq === targetSeq ? { preview: { ...preview, ...fields, changedBy: seq } } : {}
    moved(conversationId, seq, own)
    // Which was the message before, whether it counted as unread or as a mention: the server knows.
    refreshSoon(conversationId)
  }

  client.on('message', counted)
  client.on('recalled', ({ conversationId, targetSeq, seq }) =>
    changedMessage(conversationId, targetSeq, seq, { content: null }),
  )
  client.on('edited', ({ conversationId, targetSeq, seq, content, mentions }) =>
    changedMessage(conversationId, targetSeq, seq, { content, mentions }),
  )
  client.on('reaction', ({ conversationId, seq }) => moved(conversationId, seq))
  client.on('pinned', ({ conversationId, seq }) => moved(conversationId, seq))
  client.on('relation', ({ conversationId, seq }) => moved(conversationId, seq))
  client.on('group', (change) => {
    const { conversationId, seq, name, changes, kind, time } = change
    const before = get(conversationId)
    moved(conversationId, seq, {
      name: name ?? before.name,
      avatar: changes?.avatar ?? before.avatar,
      dissolved: before.dissolved || kind === 'dissolved',
      lastTime: Math.max(before.lastTime, time),
    })
    if (kind !== 'observing') refreshSoon(conversationId)
  })
  client.on('read', ({ conversationId, seq }) => {
    if (!known.has(conversationId)) return
    read(conversationId, seq)
    refreshSoon(conversationId)
  })
  client.on('receipt', ({ conversationId, seq }) =>
    update(conversationId, { peerReadSeq: Math.max(get(conversationId).peerReadSeq, seq) }),
  )
  client.on('conversation', ({ conversationId }) => {
    if (conversationId.startsWith('u:')) settings.clear()
    refreshSoon(conversationId)
  })
  client.on('setting', ({ key, value }) => {
    const [kind = ''] = key.split(':', 1)
    const conversationId = key.slice(kind.length + 1)
    if (kind === 'pin') set(conversationId, { pinned: value !== null })
    else if (kind === 'mute') set(conversationId, { muted: value !== null })
    else if (kind === 'draft') set(conversationId, { draft: value || null })
    else if (kind === 'deleted') setDeleted(conversationId, Number(value ?? 0))
  })
  let wasOnline = false
  client.on('state', ({ state }) => {
    if (state === 'online' && wasOnline) listRead.soon()
    wasOnline ||= state === 'online'
    changed()
  })
  void begin()

  function read(conversationId: string, seq: number): void {
    const conversation = get(conversationId)
    if (seq <= conversation.readSeq) return
    const isAll = seq >= (conversation.preview?.seq ?? 0)
    update(conversationId, { readSeq: seq, ...(isAll ? { unread: 0, mentions: 0, mentionsAll: 0 } : {}) })
  }
  function set(conversationId: string, fields: Partial<Conversation>): void {
    settings.set(conversationId, { ...settings.get(conversationId), ...fields })
    update(conversationId, fields)
  }
  function setDeleted(conversationId: string, seq: number): void {
    deletedUpTo.set(conversationId, seq)
    sorted = null
    changed()
  }
  /** Shows the change at once, and takes it back when it is refused. */
  async function change(
    conversationId: string,
    fields: Partial<Conversation>,
    act: () => Promise<void>,
  ): Promise<void> {
    const { pinned, muted, draft } = get(conversationId)
    set(conversationId, fields)
    try {
      await act()
    } catch (error) {
      set(conversationId, { pinned, muted, draft })
      throw error
    }
  }

  const isShown = ({ conversationId, preview, lastSeq }: Conversation): boolean => {
    const upTo = deletedUpTo.get(conversationId) ?? 0
    if (revealed.has(conversationId)) return true
    return listed.has(conversationId) && (upTo === 0 || (preview?.seq ?? lastSeq) > upTo)
  }
  const all = (): readonly Conversation[] => {
    sorted ??= [...known.values()]
      .filter(isShown)
      .sort((a, b) => Number(b.pinned) - Number(a.pinned) || b.lastTime - a.lastTime)
    return sorted
  }

  return {
    all,
    get,
    hasMore: () => next !== null,
    async more() {
      if (loading || next === null) return
      loading = true
      try {
        const page = await client.conversationPage({ limit: PAGE, before: next })
        for (const conversation of page.conversations) take(conversation)
        pages += 1
        next = page.next
        problem = ''
      } catch (error) {
        problem = `The list could not be read: ${explain(error)}`
      }
      loading = false
      changed()
    },
    reveal(conversationId) {
      revealed.add(conversationId)
      put(get(conversationId))
      changed()
    },
    unread: () => all().reduce((sum, { unread, muted }) => sum + (muted ? 0 : unread), 0),
    read,
    pin: (id, on) => change(id, { pinned: on }, () => client.pinConversation(id, on)),
    mute: (id, on) => change(id, { muted: on }, () => client.muteConversation(id, on)),
    setDraft: (id, text) => change(id, { draft: text || null }, () => client.setDraft(id, text)),
    async remove(conversationId) {
      const { lastSeq, preview } = get(conversationId)
      await client.deleteConversation(conversationId)
      revealed.delete(conversationId)
      setDeleted(conversationId, Math.max(lastSeq, deletedUpTo.get(conversationId) ?? 0))
      read(conversationId, preview?.seq ?? 0)
    },
    problem: () => problem,
  }
}
