/** From the lines of a day to who says what when. Pure. */
import type { Line } from './parse.ts'
import { userIdOf } from './user-id.ts'

export interface Person {
  readonly userId: string
  /** Every nick this person went by, the first one first. */
  readonly nicks: readonly string[]
}

export interface Turn {
  /** Index into `people`. */
  readonly person: number
  /** The nick at that moment. */
  readonly nick: string
  readonly text: string
  readonly action: boolean
  /** Person whose nick stands before a colon at the start of the line; null: nobody's, or the speaker's own. */
  readonly mention: number | null
  /** Since the first minute of the day's log, uncompressed. */
  readonly atMs: number
}

export interface Script {
  readonly people: readonly Person[]
  readonly turns: readonly Turn[]
  readonly renames: number
  /** Length of the day's log, uncompressed. */
  readonly spanMs: number
  /** Lines left out because their speaker came after the first `usersMax`. */
  readonly linesCut: number
}

const DAY_MINUTES = 24 * 60
const MENTION = /^([^\s:]+):/u

/** The nick that a line begins with, if it is one. */
export const nickAtStart = (text: string): string | null => MENTION.exec(text)?.[1] ?? null
const MINUTE_MS = 60_000

type Spoken = Omit<Turn, 'atMs'> & { readonly minute: number }

/**
 * Follows who is who. A rename keeps the person. A nick belongs to the one who took it last: whoever held it before keeps the
 * account and goes on listening. A nick that was given up and speaks again without a rename is a new person.
 */
export function scriptOf(lines: readonly Line[], usersMax = Number.POSITIVE_INFINITY): Script {
  const people: { userId: string; nicks: string[] }[] = []
  const holders = new Map<string, number>()
  const holdersEver = new Map<string, number>()
  const spoken: Spoken[] = []
  const unknown: { index: number; nick: string }[] = []
  let renames = 0
  let linesCut = 0

  const personOf = (nick: string): number => {
    const known = holders.get(nick)
    if (known !== undefined) return known
    const nth = (holdersEver.get(nick) ?? 0) + 1
    holdersEver.set(nick, nth)
    const index = people.push({ userId: userIdOf(nick, nth), nicks: [nick] }) - 1
    holders.set(nick, index)
    return index
  }

  for (const { line, minute } of onOneAxis(lines)) {
    if (line.kind === 'said') {
      const person = personOf(line.nick)
      if (person >= usersMax) linesCut += 1
      else {
        const { nick, text, action } = line
        const named = action ? null : nickAtStart(text)
        const mention = named === null ? null : (holders.get(named) ?? null)
        if (named !== null && mention === null) unknown.push({ index: spoken.length, nick: named })
        spoken.push({ person, nick, text, action, mention, minute })
      }
    } else if (line.from !== line.to) {
      renames += 1
      const person = personOf(line.from)
      holders.delete(line.from)
      holders.set(line.to, person)
      people[person]?.nicks.push(line.to)
    }
  }
  // Everybody is in the room from the beginning: who speaks only later can be meant before.
  const firstOf = new Map(
    people.toReversed().flatMap(({ nicks }, i) => nicks.map((nick) => [nick, people.length - 1 - i])),
  )
  for (const { index, nick } of unknown)
    spoken[index] = { ...(spoken[index] as Spoken), mention: firstOf.get(nick) ?? null }
  for (const [index, turn] of spoken.entries())
    if (turn.mention !== null && (turn.mention === turn.person || turn.mention >= usersMax))
      spoken[index] = { ...turn, mention: null }
  const first = spoken[0]?.minute ?? 0
  const last = spoken.at(-1)?.minute ?? first
  return {
    people: people.slice(0, usersMax),
    turns: withinMinutes(spoken, first),
    renames,
    spanMs: (last - first + 1) * MINUTE_MS,
    linesCut,
  }
}

/** Minutes that only grow: over midnight a day is added, and a clock that was set back stands still. */
function onOneAxis(lines: readonly Line[]): { line: Line; minute: number }[] {
  let last: number | null = null
  let days = 0
  return lines.map((line) => {
    if (line.kind === 'said') {
      let minute = line.minute + days * DAY_MINUTES
      if (last !== null && minute < last - DAY_MINUTES / 2) {
        days += 1
        minute += DAY_MINUTES
      }
      last = Math.max(last ?? minute, minute)
    }
    return { line, minute: last ?? 0 }
  })
}

/** The log has no seconds: what was said within one minute is spread over it evenly. */
function withinMinutes(spoken: readonly Spoken[], first: number): Turn[] {
  const perMinute = new Map<number, number>()
  for (const { minute } of spoken) perMinute.set(minute, (perMinute.get(minute) ?? 0) + 1)
  const seen = new Map<number, number>()
  return spoken.map(({ minute, ...turn }) => {
    const nth = seen.get(minute) ?? 0
    seen.set(minute, nth + 1)
    return { ...turn, atMs: (minute - first + nth / (perMinute.get(minute) ?? 1)) * MINUTE_MS }
  })
}
