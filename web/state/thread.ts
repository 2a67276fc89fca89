/** One conversation that was opened: a window of its messages without holes, and what is on the way to it. */

import {
  type Client,
  type Conversation,
  type ConversationChange,
  type ConversationView,
  conversationView,
  type EventName,
  type GroupChange,
  type Handlers,
  type Message,
  type Page,
  type SendRequest,
  type ViewEvent,
} from '../../client/index.ts'
import { explain } from '../format.ts'
import { createGroupState, type GroupState } from './group-state.ts'
import { createPins, type Pins } from './pins.ts'

export interface Pending {
  readonly key: string
  readonly request: SendRequest
  failed: string | null
}

export interface Thread {
  readonly conversationId: string
  readonly group: GroupState
  readonly pins: Pins
  readonly pending: readonly Pending[]
  /** Of the window, by seq. */
  messages(): readonly Message[]
  changes(): readonly GroupChange[]
  message(seq: number): Message | null
  /** As for a quote: read when it is not known. Null: not there yet, or nothing to be seen. */
  quoted(seq: number): Message | null
  loading(): boolean
  /** The window goes up to the newest message, and new ones join it. */
  isAtEnd(): boolean
  hasOlder(): boolean
  /** Messages above this seq were unread when it was opened; null: none was. */
  divider(): { readonly seq: number; readonly unread: number } | null
  /** Why messages could not be read, or ''. */
  problem(): string
  /** What failed of a message, by its seq. */
  problems: ReadonlyMap<number, string>
  begin(conversation: Conversation): void
  leave(): void
  seed(page: Page): void
  older(): Promise<void>
  newer(): Promise<void>
  newest(): Promise<void>
  /** Makes a window around a message, unless it is in the one that is there. */
  around(seq: number): Promise<void>
  send(request: SendRequest): void
  /** Sends again what failed. */
  retry(pending: Pending): void
  dismiss(pending: Pending): void
  /** Does something with a message; what fails is said beside it. */
  act(seq: number, act: () => Promise<unknown>): void
  apply<E extends ViewEvent>(event: E, value: Parameters<Handlers[E]>[0]): void
  applyGroup(change: GroupChange): void
}

const PAGE = 40
/** Messages shown at once; the far end of the window gives way. */
const WINDOW_MAX = 400
/** So many seqs before a message that is jumped to. */
const BEFORE_JUMP = 15
const TRAILS_MS = 700
const PROBLEM_MS = 8_000

export function createThread(client: Client, conversationId: string, changed: () => void): Thread {
  const view: ConversationView = conversationView(conversationId, client.userId)
  const changes = new Map<number, GroupChange>()
  const pending: Pending[] = []
  const problems = new Map<number, string>()
  const asked = new Set<number>()
  /** 0: nothing is loaded. */
  let first = 0
  let last = 0
  let older = false
  /** Nobody is known to have written here. */
  let isNew = true
  let divider: { seq: number; unread: number } | null = null
  let loading = 0
  let problem = ''
  /** Changes with every new window: what was read for another one is kept, but moves no end. */
  let window = 0

  function take(page: Page): void {
    view.applyPage(page)
    for (const change of page.group) changes.set(change.seq, change)
  }
  async function readPage(options: { before?: number; after?: number }): Promise<Page | null> {
    loading += 1
    changed()
    try {
      const page = await client.history(conversationId, { ...options, limit: PAGE })
      take(page)
      if (page.partial) againSoon(options)
      problem = ''
      return page
    } catch (error) {
      problem = explain(error)
      return null
    } finally {
      loading -= 1
      changed()
    }
  }
  /** What changed of a page that trails may not be told. */
  function againSoon(options: { before?: number; after?: number }): void {
    setTimeout(() => {
      client.history(conversationId, { ...options, limit: PAGE }).then(
        (page) => {
          take(page)
          changed()
          if (page.partial) againSoon(options)
        },
        () => {},
      )
    }, TRAILS_MS)
  }

  function show(page: Page, atEnd: boolean): void {
    first = page.firstSeq
    last = atEnd ? Number.POSITIVE_INFINITY : page.lastSeq
    older = first > 1
  }
  async function newest(): Promise<void> {
    const mine = ++window
    const page = await readPage({})
    if (mine !== window) return
    if (page && page.firstSeq > 0) {
      show(page, true)
      older = page.more
    } else if (page || isNew) {
      // Nothing is there yet, and all that comes is told.
      first = 1
      last = Number.POSITIVE_INFINITY
      problem = ''
    }
    changed()
  }

  function inWindow(): readonly Message[] {
    if (first === 0) return []
    const all = view.messages()
    let from = all.length
    while (from > 0 && (all[from - 1]?.seq ?? 0) >= first) from -= 1
    const to = all.findLastIndex(({ seq }) => seq <= last)
    return all.slice(from, to + 1)
  }
  const isAtEnd = (): boolean => last === Number.POSITIVE_INFINITY

  function startAgain(): void {
    changes.clear()
    first = last = 0
    older = false
  }

  function send(entry: Pending): void {
    entry.failed = null
    changed()
    client.send(entry.request).then(
      () => dismiss(entry),
      (error: unknown) => {
        entry.failed = explain(error)
        changed()
      },
    )
  }
  function dismiss(entry: Pending): void {
    const at = pending.indexOf(entry)
    if (at >= 0) pending.splice(at, 1)
    changed()
  }

  function say(seq: number, text: string): void {
    problems.set(seq, text)
    changed()
    setTimeout(() => {
      if (problems.get(seq) === text) problems.delete(seq)
      changed()
    }, PROBLEM_MS)
  }

  function readOne(seq: number): void {
    if (asked.has(seq)) return
    asked.add(seq)
    client.message(conversationId, seq).then(
      (message) => {
        // Its reactions are counted by pages only.
        if (message) view.apply('message', { ...message, reactions: [] })
        changed()
      },
      () => void asked.delete(seq),
    )
  }

  const group = createGroupState(client, conversationId, changed)
  const pins = createPins(group, (seq) => view.message(seq), readOne)

  return {
    conversationId,
    group,
    pins,
    pending,
    problems,
    messages: inWindow,
    changes: () => [...changes.values()].filter(({ seq }) => first > 0 && seq >= first && seq <= last),
    message: (seq) => view.message(seq),
    quoted(seq) {
      const message = view.message(seq)
      if (!message) readOne(seq)
      return message
    },
    loading: () => loading > 0,
    isAtEnd,
    hasOlder: () => older,
    divider: () => divider,
    problem: () => problem,
    begin({ readSeq, unread, lastSeq }) {
      isNew = lastSeq === 0
      divider = unread > 0 ? { seq: readSeq, unread } : null
      group.read()
      if (first === 0) void newest()
    },
    leave() {
      divider = null
    },
    seed(page) {
      take(page)
      if (first > 0 || page.firstSeq === 0) return
      show(page, true)
      older = page.more
      if (page.partial) againSoon({})
    },
    async older() {
      if (!older || loading > 0 || first === 0) return
      const mine = window
      const page = await readPage({ before: first })
      if (!page || mine !== window) return
      older = page.more && page.firstSeq > 0
      if (page.firstSeq > 0) first = page.firstSeq
      const shown = inWindow()
      if (shown.length > WINDOW_MAX) last = shown[WINDOW_MAX - 1]?.seq ?? last
      changed()
    },
    async newer() {
      if (isAtEnd() || loading > 0 || first === 0) return
      const mine = window
      const page = await readPage({ after: last })
      if (!page || mine !== window) return
      last = page.more && page.lastSeq > 0 ? page.lastSeq : Number.POSITIVE_INFINITY
      const shown = inWindow()
      if (shown.length > WINDOW_MAX) {
        first = shown[shown.length - WINDOW_MAX]?.seq ?? first
        older = true
      }
      changed()
    },
    newest,
    async around(seq) {
      if (first > 0 && seq >= first && seq <= last && view.message(seq)) return
      const mine = ++window
      const page = await readPage({ after: Math.max(0, seq - BEFORE_JUMP) })
      if (!page || mine !== window || page.firstSeq === 0) return
      show(page, !page.more)
      changed()
    },
    send(request) {
      const key = crypto.getRandomValues(new Uint32Array(2)).join('-')
      const entry: Pending = { key, request, failed: null }
      pending.push(entry)
      divider = null
      if (!isAtEnd()) void newest()
      send(entry)
    },
    retry: send,
    dismiss,
    act(seq, act) {
      problems.delete(seq)
      act().catch((error: unknown) => say(seq, explain(error)))
    },
    apply(event, value) {
      view.apply(event, value)
      if (isChangeOfConversation(event, value)) {
        if (value.reason === 'new') return
        const wasShown = first > 0
        startAgain()
        if (wasShown) void newest()
      }
      if ('targetSeq' in value && event === 'recalled') pins.recalled(value.targetSeq)
      changed()
    },
    applyGroup(change) {
      changes.set(change.seq, change)
      group.apply(change)
    },
  }
}

const isChangeOfConversation = (event: EventName, value: object): value is ConversationChange =>
  event === 'conversation' && 'reason' in value
