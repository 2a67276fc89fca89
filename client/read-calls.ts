/** The calls that ask: each until it is answered in full, for at most 15 s; then what there is, marked `partial`. */
import type {
  Client,
  Conversation,
  ConversationPage,
  Group,
  GroupRole,
  Member,
  Message,
  Page,
  Relation,
} from './api.ts'
import { conversationPageOf, jsonOf, messageOf, pageOf } from './messages.ts'
import type { Requests } from './requests.ts'
import type { Item, ServerFrame, ServerFrameOf } from './wire.ts'

const ASK_MS_MAX = 15_000
const UNREAD_DEFAULT = 200
const LIST_STEP = 200
const HISTORY_STEP = 100

export type ReadCalls = Pick<
  Client,
  | 'conversations'
  | 'conversationPage'
  | 'overview'
  | 'history'
  | 'message'
  | 'unreadMessages'
  | 'search'
  | 'readers'
  | 'group'
  | 'members'
  | 'relations'
>

export interface ReadCallsDeps {
  readonly requests: Requests
  readonly userId: () => string
  readonly inflate: (bytes: Uint8Array) => Promise<Uint8Array>
  readonly listed: (conversations: readonly Conversation[]) => void
  /** Before a page goes to the user. `last`: its newest item that is not hidden. */
  readonly pageRead: (conversationId: string, page: Page, last: Item | undefined) => Promise<void>
}

export function readCalls(deps: ReadCallsDeps): ReadCalls {
  const { requests } = deps

  function listOf(answer: ServerFrameOf<'conversationsResult'>): ConversationPage {
    const page = conversationPageOf(answer, deps.userId())
    deps.listed(page.conversations)
    return page
  }

  async function readOf(answer: ServerFrameOf<'historyResult'>): Promise<Page> {
    const page = pageOf(answer)
    const last = answer.items.findLast((item) => item.kind !== 'hidden')
    await deps.pageRead(answer.conversationId, page, last)
    return page
  }

  const conversationPage: Client['conversationPage'] = async ({ limit, before } = {}) =>
    listOf(await requests.insist({ type: 'conversations', limit, before }, ASK_MS_MAX))

  const ask = (conversationId: string, of: { before?: number; after?: number; limit?: number }) =>
    requests.insist({ type: 'history', conversationId, ...of }, ASK_MS_MAX)

  async function entryOf(conversationId: string): Promise<Conversation | null> {
    let before: string | undefined
    do {
      const page: ConversationPage = await conversationPage({ limit: LIST_STEP, before })
      const found = page.conversations.find((entry) => entry.conversationId === conversationId)
      if (found) return found
      before = page.next ?? undefined
    } while (before !== undefined)
    return null
  }

  /** One that trails is asked for again, alone. */
  const wholePage = async (answer: ServerFrameOf<'historyResult'>): Promise<Page> =>
    readOf(answer.partial ? await ask(answer.conversationId, {}) : answer)

  return {
    conversationPage,
    conversations: async (options) => [...(await conversationPage(options)).conversations],
    async overview({ limit, pages } = {}) {
      const { parts } = await requests.insist({ type: 'overview', limit, pages }, ASK_MS_MAX)
      const frames: ServerFrame[] = []
      for (const part of parts)
        frames.push(...(JSON.parse(new TextDecoder().decode(await deps.inflate(part))) as ServerFrame[]))
      const list = frames.find((frame) => frame.type === 'conversationsResult')
      const whole = list && !list.partial ? listOf(list) : await conversationPage({ limit })
      const read = new Map<string, Page>()
      for (const frame of frames)
        if (frame.type === 'historyResult') read.set(frame.conversationId, await wholePage(frame))
      return { ...whole, pages: read }
    },
    history: async (conversationId, options = {}) => readOf(await ask(conversationId, options)),
    async message(conversationId, seq) {
      const { items, reactions } = await ask(conversationId, { after: seq - 1, limit: 1 })
      const item = items.find((one) => one.seq === seq && one.kind === 'message')
      return item ? messageOf(item, reactions) : null
    },
    async unreadMessages(conversationId, { limit = UNREAD_DEFAULT } = {}) {
      const entry = await entryOf(conversationId)
      const found: Message[] = []
      // As many as the server counts: it knows where one joined, and left out what came before.
      const wanted = Math.min(limit, entry?.unread ?? 0)
      let before = (entry?.lastSeq ?? 0) + 1
      while (entry && found.length < wanted) {
        const page = pageOf(await ask(conversationId, { before, limit: HISTORY_STEP }))
        for (const message of page.messages.toReversed()) {
          if (message.seq <= entry.readSeq || found.length === wanted) break
          if (message.senderId !== deps.userId() && message.content !== null) found.push(message)
        }
        if (!page.more || page.firstSeq <= entry.readSeq + 1) break
        before = page.firstSeq
      }
      return found.reverse()
    },
    async search({ query, conversationId, before, limit }) {
      const asked = { type: 'search', query, conversationId, before, limit } as const
      const { items, next = null, partial } = await requests.insist(asked, ASK_MS_MAX)
      return { messages: items.map((item) => messageOf(item)), next, partial }
    },
    async readers(conversationId, seq, { after, limit } = {}) {
      const asked = { type: 'readers', conversationId, seq, after, limit } as const
      const { count, readers, next = null, partial } = await requests.insist(asked, ASK_MS_MAX)
      return { count, readers, next, partial }
    },
    group: async (conversationId) =>
      groupOf(await requests.insist({ type: 'group', conversationId }, ASK_MS_MAX)),
    async members(conversationId, { after, limit } = {}) {
      const asked = { type: 'members', conversationId, after, limit } as const
      const { members, next = null, partial } = await requests.insist(asked, ASK_MS_MAX)
      return { members: members as Member[], next, partial }
    },
    async relations() {
      const { relations } = await requests.insist({ type: 'relations' }, ASK_MS_MAX)
      return relations.map(
        ({ userId, state, blocked, note, remark }): Relation => ({
          userId,
          state,
          blocked,
          note: note ?? null,
          remark: remark ?? null,
        }),
      )
    },
  }
}

const groupOf = (result: ServerFrameOf<'groupResult'>): Group => ({
  conversationId: result.conversationId,
  name: result.name,
  avatar: result.avatar ?? null,
  announcement: result.announcement ?? null,
  custom: jsonOf(result.custom),
  joinPolicy: result.joinPolicy as Group['joinPolicy'],
  addPolicy: result.addPolicy as Group['addPolicy'],
  memberCount: result.memberCount,
  large: result.large,
  dissolved: result.dissolved,
  allMuted: result.allMuted,
  role: (result.role as GroupRole | null | undefined) ?? null,
  mutedUntil: result.mutedUntil,
  pinned: result.pinned,
  asked: result.asked,
  requests: result.requests,
  partial: result.partial,
})
