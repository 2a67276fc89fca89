/**
 * Which of this gateway's users are in one large group. An answer of the directory, which may trail behind the events or be
 * ahead of them, and the events that passed here since, are merged by seq: so a removal acts at its exact place, and what lay
 * before a joining is shown to nobody. Changed in place; pure otherwise.
 */

export interface Channel {
  /** User → seq of the event that let him in. */
  readonly members: Map<string, number>
  /** Every event above `since` up to `at` passed here. NONE: none did yet. */
  since: number
  at: number
  /** What those events changed, of whomever: user → seq, negative where he was put out. */
  readonly changes: Map<string, number>
  /** False: there may be members among the users here who are not known. */
  sure: boolean
}

export interface Change {
  readonly joined: readonly string[]
  readonly left: readonly string[]
}

export const NONE = -1
/** Beyond this the log begins anew: an answer must then be younger. */
const CHANGES_MAX = 2_000

export const newChannel = (): Channel => ({
  members: new Map(),
  since: NONE,
  at: NONE,
  changes: new Map(),
  sure: false,
})

/** Takes an event in. After a hole, where a removal may be lost, those who were members are to be asked for again. */
export function pass(channel: Channel, seq: number, change: Change, isHere: (user: string) => boolean): void {
  if (channel.at === NONE || seq > channel.at + 1) restart(channel, seq - 1)
  if (seq > channel.at) channel.at = seq
  for (const user of change.joined) note(channel, user, seq, isHere)
  for (const user of change.left) note(channel, user, -seq, isHere)
  if (channel.changes.size > CHANGES_MAX) {
    channel.changes.clear()
    channel.since = channel.at
  }
}

/** An event passed of which it is not known what it changed. */
export function passUnread(channel: Channel, seq: number): void {
  if (seq > channel.at) restart(channel, seq)
}

function restart(channel: Channel, from: number): void {
  channel.since = from
  channel.at = from
  channel.sure = false
  channel.members.clear()
  channel.changes.clear()
}

function note(channel: Channel, user: string, change: number, isHere: (user: string) => boolean): void {
  const seq = Math.abs(change)
  if (seq <= channel.since || seq < Math.abs(channel.changes.get(user) ?? 0)) return
  channel.changes.set(user, change)
  if (change < 0) channel.members.delete(user)
  else if (isHere(user)) channel.members.set(user, change)
}

/**
 * Takes an answer in: which of `asked` are members, with the seqs of their joining, as of an event not before `upTo`. False: the
 * answer is too old for what has passed meanwhile; ask again.
 */
export function learn(
  channel: Channel,
  asked: Iterable<string>,
  found: ReadonlyMap<string, number>,
  upTo: number,
): boolean {
  if (channel.at === NONE) {
    channel.since = upTo
    channel.at = upTo
  }
  if (upTo < channel.since) return false
  for (const user of asked) {
    const change = channel.changes.get(user) ?? 0
    const joined = found.get(user) ?? 0
    const last = joined > Math.abs(change) ? joined : change
    if (last > 0) channel.members.set(user, last)
    else channel.members.delete(user)
  }
  return true
}

/** Nobody who joined later than `seq` is shown what happened then. */
export const mayBeShown = (joined: number, seq: number): boolean => joined <= seq
