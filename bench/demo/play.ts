/** Says every line at its time with what belongs to it, and waits until all has arrived everywhere or nothing moves any more. */
import { type Client, type Content, LongwireError, type Message } from '../../client/index.ts'
import type { Audit, Shown } from './audit.ts'
import type { Plan } from './plan.ts'
import type { Recount } from './recount.ts'
import type { Heard, Room } from './room.ts'
import type { Person, Script, Turn } from './script.ts'

const TICK_MS = 5
const QUIET_MS_MAX = 20_000
/** Second thoughts come soon: all of a day must fit into the window for recalls. */
const CHANGE_AFTER_MS = [150, 600, 2_000, 4_000]

/** What a line becomes: `turn` matches receipts; an empty line is no text message but is said all the same. */
export function contentOf(turn: Pick<Turn, 'nick' | 'text' | 'action'>, index: number): Content {
  const { nick, text, action } = turn
  return {
    type: text === '' ? 'custom' : 'text',
    text,
    nick,
    turn: index,
    ...(action ? { action: true } : {}),
  }
}

/** The day and what is made of it. */
export interface Performance {
  readonly script: Script
  readonly plan: Plan
  readonly audit: Audit
  readonly recount: Recount
}

/** What is shown of a turn by a content that says to be it. */
export function shownOf({ script, plan }: Performance, index: number, content: Message['content']): Shown {
  const turn = script.turns[index]
  if (content === null) return 'recalled'
  if (!turn || Number(content.turn) !== index || content.nick !== turn.nick) return 'other'
  if (content.text === plan.edits.get(index)?.text) return 'edited'
  return content.text === turn.text ? 'sent' : 'other'
}

/** Tells the audit what a client shows. */
export function hear(on: Performance, heard: Heard): void {
  const { audit, script } = on
  const { person, seq, content } = heard
  const index = content === null ? audit.turnAt(seq) : Number(content.turn)
  if (index === undefined || !script.turns[index]) return
  const shown = shownOf(on, index, content)
  if (heard.change) audit.told(person, index, shown)
  else audit.received(person, index, seq, shown, performance.now())
}

/** Answers the codes of what was refused, with how often. */
export async function play(
  on: Performance,
  room: Room,
  speed: number,
  progress: (share: number) => void,
): Promise<Map<string, number>> {
  const { script, plan, audit, recount } = on
  const refusals = new Map<string, number>()
  let open = 0
  /** Runs to its end or its refusal, which is counted. */
  const attempt = async (work: () => Promise<unknown>): Promise<boolean> => {
    open += 1
    try {
      await work()
      return true
    } catch (error) {
      const code = error instanceof LongwireError ? error.code : String(error)
      refusals.set(code, (refusals.get(code) ?? 0) + 1)
      return false
    } finally {
      open -= 1
    }
  }

  const say = async (turn: Turn, index: number, client: Client): Promise<void> => {
    const toAll = plan.toAll.has(index)
    const named = (mention: number | null) => ({ mentions: idsOf(script.people, mention), mentionAll: toAll })
    audit.sent(index, performance.now())
    const said = await attempt(async () => {
      const { conversationId } = room
      const content = contentOf(turn, index)
      const { seq } = await client.send({ conversationId, content, ...named(turn.mention) })
      audit.committed(index, seq, performance.now())
      recount.sent(seq, turn.person, turn.mention, toAll)
      void attempt(() => change(turn, index, seq, client))
    })
    if (!said) audit.refused(index)
  }

  async function change(turn: Turn, index: number, seq: number, client: Client): Promise<void> {
    const { conversationId } = room
    for (const { person, emoji } of plan.reactions.get(index) ?? [])
      await room.clients[person]?.react(conversationId, seq, emoji)
    const edit = plan.edits.get(index)
    const afterMs = CHANGE_AFTER_MS[index % CHANGE_AFTER_MS.length] ?? 0
    if (edit) {
      await sleep(afterMs)
      const content = contentOf({ ...turn, text: edit.text }, index)
      const mentions = idsOf(script.people, edit.mention)
      await client.edit(conversationId, seq, { content, mentions, mentionAll: plan.toAll.has(index) })
      recount.edited(seq, edit.mention)
      audit.changed(index, 'edited')
    }
    if (plan.recalls.has(index)) {
      await sleep(afterMs)
      await client.recall(conversationId, seq)
      recount.recalled(seq)
      audit.changed(index, 'recalled')
    }
  }

  const read = (person: number): void => {
    const seq = room.lastHeard(person)
    if (seq === 0) return
    void attempt(async () => {
      await room.clients[person]?.markRead(room.conversationId, seq)
      recount.read(person, seq)
    })
  }

  const fromMs = performance.now()
  let next = 0
  let nextMark = 0
  while (next < script.turns.length) {
    const playedMs = (performance.now() - fromMs) * speed
    for (let turn = script.turns[next]; turn && turn.atMs <= playedMs; turn = script.turns[next])
      void say(turn, next++, room.clients[turn.person] as Client)
    for (let mark = plan.marks[nextMark]; mark && mark.atMs <= playedMs; mark = plan.marks[++nextMark])
      read(mark.person)
    progress(Math.min(1, playedMs / script.spanMs))
    await sleep(TICK_MS)
  }
  await settled(
    audit,
    script.people.length,
    () => open,
    () => progress(1),
  )
  return refusals
}

const idsOf = (people: readonly Person[], person: number | null): string[] =>
  person === null ? [] : [people[person]?.userId ?? '']

/** Until everything arrived, or nothing did for 20 s. A moment more for what comes twice. */
async function settled(
  audit: Audit,
  people: number,
  open: () => number,
  progress: () => void,
): Promise<void> {
  let before = ''
  let movedMs = performance.now()
  for (;;) {
    const counts = audit.counts()
    const behind = audit.behind()
    if (open() === 0 && behind === 0 && counts.received >= counts.committed * people) break
    const now = JSON.stringify([counts, open(), behind])
    if (now !== before) movedMs = performance.now()
    before = now
    if (performance.now() - movedMs > QUIET_MS_MAX) break
    progress()
    await sleep(50)
  }
  await sleep(500)
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
