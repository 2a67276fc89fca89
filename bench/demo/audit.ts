/** Who got what, in which order, and how late, and what each shows at the end. Pure: times come in. */
import { createSamples, type Summary } from '../support/samples.ts'

/** What somebody shows of a turn: as it was sent, as it was edited, taken back, or something that nobody wrote. */
export type Shown = 'sent' | 'edited' | 'recalled' | 'other'

export interface Audit {
  /** Turn numbers are indexes from 0, in the order of the script. */
  sent(turn: number, atMs: number): void
  committed(turn: number, seq: number, atMs: number): void
  refused(turn: number): void
  /** The sender's edit or recall is committed. */
  changed(turn: number, to: 'edited' | 'recalled'): void
  /** The turn that was committed under this seq. */
  turnAt(seq: number): number | undefined
  received(person: number, turn: number, seq: number, shown: Shown, atMs: number): void
  /** A person was told of a change. */
  told(person: number, turn: number, to: Shown): void
  /** So far; cheap enough to be asked for a progress line. */
  counts(): Counts
  /** People who do not show yet what a committed edit or recall made of a message. */
  behind(): number
  result(): Result
}

export interface Counts {
  readonly sent: number
  readonly committed: number
  readonly refused: number
  readonly received: number
}

export interface Result extends Counts {
  /** Committed messages times people: everyone gets each once, the sender's own client included. */
  readonly expected: number
  readonly missing: number
  readonly doubled: number
  /** Not above the seq that the same person got last, or one sender's lines in another order than said. */
  readonly outOfOrder: number
  /** With another text than was sent, or under another seq than the sender was told. */
  readonly altered: number
  readonly unsettled: number
  /** See `behind()`. */
  readonly behind: number
  readonly edited: number
  readonly recalled: number
  /** A text that came back after its recall. */
  readonly resurrected: number
  readonly commitMs: Summary
  /** At everybody but the sender. */
  readonly receiveMs: Summary
}

const codes = { '': 0, sent: 1, edited: 2, other: 3, recalled: 4 } as const

/** `speakers[turn]` is the index of the person who says it. */
export function createAudit(people: number, speakers: readonly number[]): Audit {
  const turns = speakers.length
  const sentAt = new Float64Array(turns)
  const seqOf = new Float64Array(turns)
  const turnOf = new Map<number, number>()
  const got = new Uint8Array(people * turns)
  const shows = new Uint8Array(people * turns)
  const stands = new Map<number, 'edited' | 'recalled'>()
  const gotSeq = new Float64Array(turns)
  const lastSeq = new Float64Array(people)
  const commitMs = createSamples()
  const receiveMs = createSamples()
  let sent = 0
  let committed = 0
  let refused = 0
  let received = 0
  let doubled = 0
  let outOfOrder = 0
  let altered = 0
  let resurrected = 0

  function show(person: number, turn: number, shown: Shown): void {
    const cell = person * turns + turn
    if (shown === 'other') altered += 1
    if (shows[cell] === codes.recalled && shown !== 'recalled') resurrected += 1
    else shows[cell] = codes[shown]
  }

  function behind(): number {
    let count = 0
    for (const [turn, state] of stands)
      for (let person = 0; person < people; person++) {
        const cell = person * turns + turn
        if (got[cell] !== 0 && shows[cell] !== codes[state]) count += 1
      }
    return count
  }
  const counts = (): Counts => ({ sent, committed, refused, received })

  return {
    sent(turn, atMs) {
      sent += 1
      sentAt[turn] = atMs
    },
    committed(turn, seq, atMs) {
      committed += 1
      seqOf[turn] = seq
      turnOf.set(seq, turn)
      commitMs.add(atMs - (sentAt[turn] ?? 0))
    },
    refused() {
      refused += 1
    },
    changed: (turn, to) => void stands.set(turn, to),
    turnAt: (seq) => turnOf.get(seq),
    received(person, turn, seq, shown, atMs) {
      const cell = person * turns + turn
      const before = got[cell] ?? 0
      if (before > 0) doubled += 1
      else received += 1
      got[cell] = Math.min(255, before + 1)
      if (seq <= (lastSeq[person] ?? 0) && before === 0) outOfOrder += 1
      lastSeq[person] = Math.max(seq, lastSeq[person] ?? 0)
      const known = gotSeq[turn] ?? 0
      if (known !== 0 && known !== seq) altered += 1
      gotSeq[turn] = seq
      show(person, turn, shown)
      if (speakers[turn] !== person) receiveMs.add(atMs - (sentAt[turn] ?? 0))
    },
    told: show,
    counts,
    behind,
    result() {
      let missing = 0
      let toldOtherwise = 0
      for (let turn = 0; turn < turns; turn++) {
        const seq = seqOf[turn] ?? 0
        if (seq === 0) continue
        for (let person = 0; person < people; person++) if (got[person * turns + turn] === 0) missing += 1
        if ((gotSeq[turn] ?? 0) !== 0 && gotSeq[turn] !== seq) toldOtherwise += 1
      }
      const recalled = [...stands.values()].filter((state) => state === 'recalled').length
      return {
        ...counts(),
        expected: committed * people,
        missing,
        doubled,
        outOfOrder: outOfOrder + sendersInverted(speakers, seqOf),
        altered: altered + toldOtherwise,
        unsettled: sent - committed - refused,
        behind: behind(),
        edited: stands.size - recalled,
        recalled,
        resurrected,
        commitMs: commitMs.summary(),
        receiveMs: receiveMs.summary(),
      }
    },
  }
}

/** Lines that came to stand before an earlier line of the same sender. */
function sendersInverted(speakers: readonly number[], seqOf: Float64Array): number {
  const last = new Map<number, number>()
  let inverted = 0
  speakers.forEach((person, turn) => {
    const seq = seqOf[turn] ?? 0
    if (seq === 0) return
    if (seq < (last.get(person) ?? 0)) inverted += 1
    last.set(person, seq)
  })
  return inverted
}
