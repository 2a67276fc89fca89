/** All people of a script online, each with a connection of its own, in one group. */
import { type Client, connect, type Message } from '../../client/index.ts'
import { limits } from '../../schemas/limits.ts'
import type { Platform } from '../support/platform.ts'
import type { Person } from './script.ts'

export interface Room {
  readonly conversationId: string
  readonly clients: readonly Client[]
  /** Highest seq of a message that this person has heard; 0: none. */
  lastHeard(person: number): number
  close(): Promise<void>
}

export interface Heard {
  readonly person: number
  /** Of the message. */
  readonly seq: number
  /** Null: recalled. */
  readonly content: Message['content']
  /** Told by an edit or a recall, after the message itself. */
  readonly change: boolean
}

const CONNECTING_AT_ONCE = 25
const ENTER_MS_MAX = 60_000

/** Resolves when every client knows the group. `heard` gets every message of it that any client shows. */
export async function openRoom(
  platform: Platform,
  people: readonly Person[],
  name: string,
  heard: (heard: Heard) => void,
  progress: (step: string, done: number) => void,
): Promise<Room> {
  const clients: Client[] = []
  let conversationId = ''
  const inside = new Set<number>()
  const last = new Float64Array(people.length)
  const early: (() => void)[] = []

  const enter = async (index: number): Promise<Client> => {
    const person = people[index] as Person
    return connect({
      url: platform.url,
      token: await platform.token(person.userId),
      connectTimeoutMs: ENTER_MS_MAX,
      on: {
        message(message) {
          if (message.conversationId !== conversationId) return
          const { seq, content } = message
          last[index] = Math.max(seq, last[index] ?? 0)
          heard({ person: index, seq, content, change: false })
        },
        edited({ conversationId: where, targetSeq: seq, content }) {
          if (where === conversationId) heard({ person: index, seq, content, change: true })
        },
        recalled({ conversationId: where, targetSeq: seq }) {
          if (where === conversationId) heard({ person: index, seq, content: null, change: true })
        },
        group(change) {
          // The creator's own client may hear of the group before createGroup has answered here.
          const note = (): void => {
            if (change.conversationId !== conversationId) return
            if (change.kind === 'created' || change.members.includes(person.userId)) inside.add(index)
          }
          if (conversationId === '') early.push(note)
          else note()
        },
      },
    })
  }
  const close = async (): Promise<void> => {
    await inChunks(clients, 100, (client) => client.close({ deadlineMs: 2_000 }))
  }

  try {
    const waiting = people.map((_, index) => index)
    await inChunks(waiting, CONNECTING_AT_ONCE, async (index) => {
      clients[index] = await enter(index)
      progress('online', Object.keys(clients).length)
    })
    const [creator] = clients
    if (!creator) throw new Error('nobody is there')
    const others = people.slice(1).map((person) => person.userId)
    const first = others.slice(0, limits.membersPerCommandMax - 1)
    const created = await creator.createGroup({ name, members: first })
    conversationId = created.conversationId
    for (const note of early) note()
    for (let at = first.length; at < others.length; at += limits.membersPerCommandMax)
      await creator.addMembers(conversationId, others.slice(at, at + limits.membersPerCommandMax))
    const until = Date.now() + ENTER_MS_MAX
    while (inside.size < clients.length) {
      progress('in the group', inside.size)
      if (Date.now() > until)
        throw new Error(`only ${inside.size} of ${clients.length} clients heard of the group`)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    return { conversationId, clients, lastHeard: (person) => last[person] ?? 0, close }
  } catch (error) {
    await close().catch(() => {})
    throw error
  }
}

export async function inChunks<T>(
  all: readonly T[],
  size: number,
  work: (one: T) => Promise<void>,
): Promise<void> {
  for (let at = 0; at < all.length; at += size) await Promise.all(all.slice(at, at + size).map(work))
}
