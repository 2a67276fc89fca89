/** The live room that this client is in: joined on each connection anew, with what was missed meanwhile stated. */
import { roomStream } from '../schemas/ids.ts'
import type { Clock } from '../schemas/ports.ts'
import type { Client, JoinedRoom } from './api.ts'
import type { Emitter } from './emitter.ts'
import { LongwireError } from './error.ts'
import { messageOf, recalledOf } from './messages.ts'
import type { Requests } from './requests.ts'
import type { Item, ServerFrameOf } from './wire.ts'

const RETRY_MS = 500

type Result = ServerFrameOf<'roomResult'>

export interface RoomCalls extends Pick<Client, 'joinRoom' | 'leaveRoom'> {
  /** A new connection is in no room. Before anything else is sent on it: what goes to a room needs one to be in it. */
  online(): void
  offline(): void
  came(frame: ServerFrameOf<'roomItems'>): void
}

export interface RoomDeps {
  readonly clock: Clock
  readonly requests: Pick<Requests, 'ask'>
  readonly emitter: Pick<Emitter, 'emit'>
  readonly userId: () => string
  /** One's own item passed. */
  readonly seen: (item: Item) => void
}

interface Wanted {
  readonly roomId: string
  readonly conversationId: string
  readonly newest: number | undefined
  /** Shown, or told to be skipped, up to here; null: not known. */
  last: number | null
  /** On this connection the answer has come. */
  inside: boolean
  /** Of the call; null once it is settled. */
  waiter: { resolve(joined: JoinedRoom): void; reject(error: unknown): void } | null
}

export function createRooms({ clock, requests, emitter, userId, seen }: RoomDeps): RoomCalls {
  let wanted: Wanted | null = null
  let online = false
  /** Changes with each connection. */
  let session = 0

  function ask(room: Wanted): void {
    if (!online) return
    const mine = session
    const isCurrent = (): boolean => room === wanted && mine === session
    requests.ask({ type: 'joinRoom', roomId: room.roomId, newest: room.newest }).then(
      (result) => {
        if (isCurrent()) entered(room, result)
      },
      (error: unknown) => {
        if (isCurrent()) failed(room, error)
      },
    )
  }

  function failed(room: Wanted, error: unknown): void {
    const again = error instanceof LongwireError && (error.retry === 'same' || error.retry === 'reconnect')
    if (again) {
      const mine = session
      const retry = (): void => {
        if (room === wanted && mine === session) ask(room)
      }
      clock.after(error.retryAfterMs ?? RETRY_MS, retry)
      return
    }
    wanted = null
    room.waiter?.reject(error)
    room.waiter = null
  }

  function entered(room: Wanted, { items, headSeq, partial }: Result): void {
    room.inside = true
    const { waiter, conversationId, roomId } = room
    if (waiter) {
      room.waiter = null
      room.last = partial && headSeq === 0 ? null : headSeq
      waiter.resolve({ roomId, conversationId, headSeq, partial, ...shownOf(items) })
    } else tell(room, items, headSeq, 0)
  }

  /** Seqs are gapless: what was skipped is what is missing between. */
  function tell(room: Wanted, items: readonly Item[], upTo: number, skippedAtLeast: number): void {
    const { roomId, conversationId, last } = room
    const news = last === null ? items : items.filter(({ seq }) => seq > last)
    const skipped = last === null ? skippedAtLeast : Math.max(0, upTo - last - news.length)
    if (upTo > (last ?? 0)) room.last = upTo
    for (const item of news) if (item.senderId === userId()) seen(item)
    if (news.length + skipped > 0) emitter.emit('room', { roomId, conversationId, skipped, ...shownOf(news) })
  }

  function leaveFor(next: Wanted | null): void {
    wanted?.waiter?.reject(new LongwireError('superseded'))
    wanted = next
  }

  return {
    joinRoom(roomId, { newest } = {}) {
      return new Promise((resolve, reject) => {
        const conversationId = roomStream(roomId)
        leaveFor({ roomId, conversationId, newest, last: null, inside: false, waiter: { resolve, reject } })
        if (wanted) ask(wanted)
      })
    },
    async leaveRoom() {
      leaveFor(null)
      // A connection that is lost is in no room.
      if (online) await requests.ask({ type: 'leaveRoom' }).catch(() => {})
    },
    online() {
      online = true
      session += 1
      if (wanted) ask(wanted)
    },
    offline() {
      online = false
      session += 1
      if (wanted) wanted.inside = false
    },
    came({ conversationId, items, skipped }) {
      if (!wanted?.inside || wanted.conversationId !== conversationId) return
      tell(wanted, items, items.at(-1)?.seq ?? 0, skipped)
    },
  }
}

const shownOf = (items: readonly Item[]) => ({
  messages: items.filter(({ kind }) => kind === 'message').map((item) => messageOf(item)),
  recalled: items.filter(({ kind }) => kind === 'recalled').map(recalledOf),
})
