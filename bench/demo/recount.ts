/** What everybody should have unread, counted one by one from what was committed: plain sets, nothing of the server's. Pure. */
export interface Unread {
  readonly unread: number
  readonly mentions: number
  readonly mentionsAll: number
}

export interface Recount {
  sent(seq: number, person: number, mention: number | null, toAll: boolean): void
  edited(seq: number, mention: number | null): void
  recalled(seq: number): void
  /** A mark at `seq` is committed. */
  read(person: number, seq: number): void
  of(person: number): Unread
}

interface Said {
  readonly person: number
  readonly mention: number | null
  readonly toAll: boolean
}

export function createRecount(): Recount {
  const said = new Map<number, Said>()
  const gone = new Set<number>()
  const readUpTo = new Map<number, number>()
  return {
    sent: (seq, person, mention, toAll) => void said.set(seq, { person, mention, toAll }),
    edited(seq, mention) {
      const before = said.get(seq)
      if (before) said.set(seq, { ...before, mention })
    },
    recalled: (seq) => void gone.add(seq),
    read: (person, seq) => void readUpTo.set(person, Math.max(seq, readUpTo.get(person) ?? 0)),
    of(person) {
      const unread = new Set<number>()
      const mentions = new Set<number>()
      const mentionsAll = new Set<number>()
      for (const [seq, message] of said) {
        if (message.person === person || gone.has(seq) || seq <= (readUpTo.get(person) ?? 0)) continue
        unread.add(seq)
        if (message.mention === person) mentions.add(seq)
        if (message.toAll) mentionsAll.add(seq)
      }
      return { unread: unread.size, mentions: mentions.size, mentionsAll: mentionsAll.size }
    },
  }
}
