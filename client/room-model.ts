/** What clients are given of live rooms. */
import type { Message, Recalled } from './model.ts'

/** What is said in a live room, as far as it is shown. */
interface RoomShown {
  readonly roomId: string
  readonly conversationId: string
  /** By seq. */
  readonly messages: readonly Message[]
  readonly recalled: readonly Recalled[]
}

export interface JoinedRoom extends RoomShown {
  /** From here on the messages of this room are told. */
  readonly headSeq: number
  /** True: the newest may be missing here. */
  readonly partial: boolean
}

export interface RoomNews extends RoomShown {
  /** So much before this was left out: under overload, to a slow connection, or while this client was away. */
  readonly skipped: number
}
