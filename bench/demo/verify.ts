/** What the server answers when all is quiet, against the recount: unread and mention counts, previews, pages, search. */
import type { Client, Conversation } from '../../client/index.ts'
import { type Performance, shownOf } from './play.ts'
import type { Recount, Unread } from './recount.ts'
import { inChunks, type Room } from './room.ts'
import type { Script } from './script.ts'

export interface Checks {
  /** People whose counts were compared. */
  readonly people: number
  readonly unreadSum: number
  readonly mentionsSum: number
  readonly mentionsAllSum: number
  readonly unreadWrong: number
  readonly mentionsWrong: number
  readonly mentionsAllWrong: number
  /** People who read all pages. */
  readonly readers: number
  /** Messages that a page or a preview shows otherwise than they stand. */
  readonly pagesWrong: number
  readonly previewsWrong: number
  readonly searches: number
  /** Recalled lines that were found, and living ones that were not. */
  readonly foundRecalled: number
  readonly notFound: number
}

const ASKING_AT_ONCE = 25
const SETTLE_MS_MAX = 30_000
const RETRY_MS = 300
const READERS = 4
const SEARCHES_EACH = 5
const WORD_CHARS_MIN = 4
const PAGE = 200

export async function verify(on: Performance, room: Room): Promise<Checks> {
  const { script, recount } = on
  const answers = await untilEqual(script, room, recount)
  const sums = { unread: 0, mentions: 0, mentionsAll: 0 }
  const wrong = { unread: 0, mentions: 0, mentionsAll: 0 }
  let previewsWrong = 0
  for (const [person, answer] of answers.entries()) {
    const want = recount.of(person)
    for (const what of Object.keys(sums) as (keyof Unread)[]) {
      sums[what] += want[what]
      if (answer?.[what] !== want[what]) wrong[what] += 1
    }
    const preview = answer?.preview
    const turn = preview ? on.audit.turnAt(preview.seq) : undefined
    if (!preview || turn === undefined || shownOf(on, turn, preview.content) !== standing(on, turn))
      previewsWrong += 1
  }
  const readers = room.clients.slice(0, READERS)
  let pagesWrong = 0
  for (const client of readers) pagesWrong += await wrongInPages(on, room, client)
  const searcher = room.clients[0] as Client
  const found = await search(on, room.conversationId, searcher)
  return {
    people: answers.length,
    unreadSum: sums.unread,
    mentionsSum: sums.mentions,
    mentionsAllSum: sums.mentionsAll,
    unreadWrong: wrong.unread,
    mentionsWrong: wrong.mentions,
    mentionsAllWrong: wrong.mentionsAll,
    readers: readers.length,
    pagesWrong,
    previewsWrong,
    ...found,
  }
}

/** The room in everybody's list, asked again for those that differ until read models have had their time. */
async function untilEqual(
  script: Script,
  room: Room,
  recount: Recount,
): Promise<(Conversation | undefined)[]> {
  const answers: (Conversation | undefined)[] = script.people.map(() => undefined)
  const want = script.people.map((_, person) => recount.of(person))
  const differs = (person: number): boolean => {
    const [answer, counted] = [answers[person], want[person]]
    return (
      answer?.unread !== counted?.unread ||
      answer?.mentions !== counted?.mentions ||
      answer?.mentionsAll !== counted?.mentionsAll
    )
  }
  const until = performance.now() + SETTLE_MS_MAX
  for (;;) {
    const open = script.people.flatMap((_, person) => (differs(person) ? [person] : []))
    if (open.length === 0 || performance.now() > until) return answers
    await inChunks(open, ASKING_AT_ONCE, async (person) => {
      const list = (await room.clients[person]?.conversations()) ?? []
      answers[person] = list.find(({ conversationId }) => conversationId === room.conversationId)
    })
    if (open.some(differs)) await sleep(RETRY_MS)
  }
}

const standing = ({ plan }: Performance, turn: number) =>
  plan.recalls.has(turn) ? 'recalled' : plan.edits.has(turn) ? 'edited' : 'sent'

/** Messages of the whole history that are missing or show something else than they should. */
async function wrongInPages(on: Performance, { conversationId }: Room, client: Client): Promise<number> {
  let wrong = 0
  let seen = 0
  const until = performance.now() + SETTLE_MS_MAX
  for (let after = 0; ; ) {
    const page = await client.history(conversationId, { after, limit: PAGE })
    if (page.partial && performance.now() < until) {
      await sleep(RETRY_MS)
      continue
    }
    for (const { seq, content } of page.messages) {
      const turn = on.audit.turnAt(seq)
      seen += 1
      if (turn === undefined || shownOf(on, turn, content) !== standing(on, turn)) wrong += 1
    }
    after = Math.max(after, page.lastSeq)
    if (!page.more) break
  }
  return wrong + Math.abs(on.audit.counts().committed - seen)
}

async function search(
  on: Performance,
  conversationId: string,
  client: Client,
): Promise<Pick<Checks, 'searches' | 'foundRecalled' | 'notFound'>> {
  const { script, plan } = on
  const wordOf = telling(script)
  const some = (recalled: boolean): [turn: number, word: string][] => {
    const chosen: [number, string][] = []
    for (let turn = 0; turn < script.turns.length && chosen.length < SEARCHES_EACH; turn++) {
      if (plan.recalls.has(turn) !== recalled || plan.edits.has(turn)) continue
      const word = wordOf(turn)
      if (word !== undefined) chosen.push([turn, word])
    }
    return chosen
  }
  let foundRecalled = 0
  let notFound = 0
  const [gone, living] = [some(true), some(false)]
  for (const [turn, word] of [...gone, ...living]) {
    const seqs = await found(client, conversationId, word)
    const there = seqs.some((seq) => on.audit.turnAt(seq) === turn)
    if (plan.recalls.has(turn) && there) foundRecalled += 1
    if (!plan.recalls.has(turn) && !there) notFound += 1
  }
  return { searches: gone.length + living.length, foundRecalled, notFound }
}

async function found(client: Client, conversationId: string, query: string): Promise<number[]> {
  for (const until = performance.now() + SETTLE_MS_MAX; ; ) {
    const page = await client.search({ query, conversationId })
    if (!page.partial || performance.now() > until) return page.messages.map(({ seq }) => seq)
    await sleep(RETRY_MS)
  }
}

/** A word of a turn, standing by itself, that is in no other, nor part of a word there: a search finds parts, too. */
function telling({ turns }: Script): (turn: number) => string | undefined {
  const all = turns.map(({ text }) => text.toLowerCase()).join('\n')
  const aloneIn = (text: string): string[] => text.toLowerCase().match(/(?<=^|\s)[a-z]+(?=$|[\s.,?!])/g) ?? []
  return (turn) =>
    aloneIn(turns[turn]?.text ?? '').find(
      (word) => word.length >= WORD_CHARS_MIN && all.indexOf(word) === all.lastIndexOf(word),
    )
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
