/** What happens beside the talking, drawn from a seed: who follows how closely, what is recalled, edited and reacted to. Pure. */
import { limits } from '../../schemas/limits.ts'
import { nickAtStart, type Script } from './script.ts'

/** A message after its sender thought better of it. */
export interface Edit {
  readonly text: string
  /** The person that it names now. */
  readonly mention: number | null
}

export interface Reaction {
  readonly person: number
  readonly emoji: string
}

/** Read up to what this person has heard by then. */
export interface ReadMark {
  readonly person: number
  /** On the script's axis. */
  readonly atMs: number
}

export interface Plan {
  /** Turns that are taken back; some of them are edited before. */
  readonly recalls: ReadonlySet<number>
  readonly edits: ReadonlyMap<number, Edit>
  readonly reactions: ReadonlyMap<number, readonly Reaction[]>
  /** Turns that name everyone. */
  readonly toAll: ReadonlySet<number>
  /** By time. */
  readonly marks: readonly ReadMark[]
  /** How many follow closely, seldom and never. */
  readonly readers: { readonly close: number; readonly seldom: number; readonly never: number }
}

const RECALLED = 0.015
const EDITED = 0.02
const REACTED = 0.02
const TO_ALL = 0.004
const CLOSE = 0.2
const NEVER = 0.3
const MARKS_OF_CLOSE = 15
const MARKS_OF_SELDOM = 3
const EMOJI = ['👍', '❤️', '😂', '🎉']

export function planOf(script: Script, seed: number): Plan {
  const { people, turns, spanMs } = script
  const random = randomOf(seed)
  const below = (n: number): number => Math.floor(random() * n)
  const pick = (share: number, from: readonly number[], least: number): number[] => {
    const count = Math.min(from.length, Math.max(least, Math.round(from.length * share)))
    return shuffled(from, random).slice(0, count)
  }
  const all = turns.map((_, i) => i)
  const texts = all.filter((i) => turns[i]?.text !== '')
  const naming = texts.filter((i) => turns[i]?.mention !== null)
  // In a large group only its owner, the first person, may name everyone.
  const callers =
    people.length > limits.groupNamedMembersMax ? texts.filter((i) => turns[i]?.person === 0) : texts
  const toAll = new Set(pick(TO_ALL, callers, 1))

  const edits = new Map<number, Edit>()
  for (const index of [...pick(EDITED, texts, 2), ...pick(EDITED, naming, 1)]) edits.set(index, editOf(index))
  const recalls = new Set([...pick(RECALLED, texts, 2), ...pick(RECALLED, naming, 1)])
  const [edited] = edits.keys()
  if (edited !== undefined) recalls.add(edited)
  // One call to all is left to be counted.
  const [call] = toAll
  if (call !== undefined) recalls.delete(call)
  const reactions = new Map<number, Reaction[]>()
  for (const index of pick(REACTED, all, 3)) {
    if (recalls.has(index)) continue
    const reaction = { person: below(people.length), emoji: EMOJI[below(EMOJI.length)] as string }
    reactions.set(index, [...(reactions.get(index) ?? []), reaction])
  }

  /** Who was named is named no more, and the other way round. */
  function editOf(index: number): Edit {
    const turn = turns[index]
    const text = turn?.text ?? ''
    if (turn?.mention !== null)
      return { text: text.slice((nickAtStart(text) ?? '').length + 1).trim() || '…', mention: null }
    const other = below(people.length)
    if (other === turn.person) return { text: `${text} (sorry)`, mention: null }
    return { text: `${people[other]?.nicks.at(-1)}: ${text}`, mention: other }
  }

  const marks: ReadMark[] = []
  const readers = { close: 0, seldom: 0, never: 0 }
  for (const person of people.keys()) {
    const habit = random()
    if (habit < NEVER) readers.never += 1
    else {
      const close = habit > 1 - CLOSE
      readers[close ? 'close' : 'seldom'] += 1
      const count = close ? MARKS_OF_CLOSE : 1 + below(MARKS_OF_SELDOM)
      for (let i = 0; i < count; i++) marks.push({ person, atMs: random() * spanMs })
    }
  }
  marks.sort((a, b) => a.atMs - b.atMs)
  return { recalls, edits, reactions, toAll, marks, readers }
}

/** mulberry32. */
function randomOf(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

function shuffled<T>(from: readonly T[], random: () => number): T[] {
  const out = [...from]
  for (let i = out.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1))
    ;[out[i], out[j]] = [out[j] as T, out[i] as T]
  }
  return out
}
