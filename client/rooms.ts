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
  /** The client has ended: nobody is answered any more. */
  ended(error: LongwireError): void
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
  /** The room that the server has this connection in while another one is asked for: a join that is refused changes nothing. */
  let held: Wanted | null = null
  let failure: LongwireError | null = null
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
        // Another one was asked for meanwhile: until its answer the server has us here.
        else if (mine === session && wanted && !wanted.inside) {
          held = Object.assign(room, { inside: true, last: result.headSeq })
        }
      },
      (error: unknown) => {
        if (isCurrent()) failed(room, error)
      },
    )
  }

  function failed(room: Wanted, error: unknown): void {
    if (isPassing(error)) {
      const mine = session
      const retry = (): void => {
        if (room === wanted && mine === session) ask(room)
      }
      clock.after(error.retryAfterMs ?? RETRY_MS, retry)
      return
    }
    wanted = held
    held = null
    // It was left by a connection that broke meanwhile.
    if (wanted && !wanted.inside) ask(wanted)
    room.waiter?.reject(error)
    room.waiter = null
  }

  /** Asks until the server has answered, as long as nothing else is wanted on this connection. */
  async function leave(): Promise<void> {
    const mine = session
    while (online && mine === session && wanted === null)
      try {
        await requests.ask({ type: 'leaveRoom' })
        return
      } catch (error) {
        if (!isPassing(error)) return
        await new Promise<void>((resolve) => void clock.after(error.retryAfterMs ?? RETRY_MS, resolve))
      }
  }

  function entered(room: Wanted, { items, headSeq, partial }: Result): void {
    room.inside = true
    held = null
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
    if (wanted?.inside) held = wanted
    if (next === null) held = null
    const waiter = wanted?.waiter
    if (wanted) wanted.waiter = null
    wanted = next
    waiter?.reject(new LongwireError('superseded'))
  }

  return {
    joinRoom(roomId, { newest } = {}) {
      if (failure) return Promise.reject(failure)
      return new Promise((resolve, reject) => {
        const conversationId = roomStream(roomId)
        leaveFor({ roomId, conversationId, newest, last: null, inside: false, waiter: { resolve, reject } })
        if (wanted) ask(wanted)
      })
    },
    async leaveRoom() {
      leaveFor(null)
      // A connection that is lost is in no room.
      await leave()
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
      if (held) held.inside = false
    },
    came({ conversationId, items, skipped }) {
      const room = [wanted, held].find((one) => one?.inside && one.conversationId === conversationId)
      if (room) tell(room, items, items.at(-1)?.seq ?? 0, skipped)
    },
    ended(error) {
      failure = error
      wanted?.waiter?.reject(error)
      wanted = held = null
    },
  }
}

const isPassing = (error: unknown): error is LongwireError =>
  error instanceof LongwireError && (error.retry === 'same' || error.retry === 'reconnect')

const shownOf = (items: readonly Item[]) => ({
  messages: items.filter(({ kind }) => kind === 'message').map((item) => messageOf(item)),
  recalled: items.filter(({ kind }) => kind === 'recalled').map(recalledOf),
})
