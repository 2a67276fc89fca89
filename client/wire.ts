/**
 * Frames as the client handles them. They are those of schemas/frames.ts, but content is the JSON value itself whatever
 * the encoding, and fields that are null may be missing (the JSON encoding leaves them out).
 */
import type { ClientFrames, ServerFrames, Item as WireItem } from '../schemas/frames.ts'

type Nullable<T> = { [K in keyof T as null extends T[K] ? K : never]?: T[K] } & {
  [K in keyof T as null extends T[K] ? never : K]: T[K]
}
type Plain<T> = T extends { content: string }
  ? Nullable<Omit<T, 'content'>> & { content: unknown }
  : Nullable<T>

export type Item = Nullable<Omit<WireItem, 'content'>> & { content?: unknown }

export type ClientFrame = { [K in keyof ClientFrames]: Plain<ClientFrames[K]> }[keyof ClientFrames]
/** Answered committed or rejected. `lookup` carries a packId, too, but asks. */
export type CommandFrame = Exclude<Extract<ClientFrame, { packId: string }>, { id: number }>
/** Answered by its id. */
export type RequestFrame = Exclude<Extract<ClientFrame, { id: number }>, { type: 'ping' }>

type Conversation = ServerFrames['conversationsResult']['conversations'][number]
export type ConversationEntry = Omit<Nullable<Conversation>, 'preview'> & { preview?: Item | null }
export type Head = Nullable<ServerFrames['headsResult']['heads'][number]>

type WithItems = {
  event: { type: 'event'; item: Item }
  headsResult: Omit<ServerFrames['headsResult'], 'heads'> & { heads: Head[] }
  conversationsResult: Omit<Nullable<ServerFrames['conversationsResult']>, 'conversations'> & {
    conversations: ConversationEntry[]
  }
  historyResult: Omit<ServerFrames['historyResult'], 'items'> & { items: Item[] }
  syncResult: Omit<ServerFrames['syncResult'], 'changes'> & { changes: Item[] }
  searchResult: Omit<Nullable<ServerFrames['searchResult']>, 'items'> & { items: Item[] }
  roomResult: Omit<Nullable<ServerFrames['roomResult']>, 'items'> & { items: Item[] }
  roomItems: Omit<ServerFrames['roomItems'], 'items'> & { items: Item[] }
  packed: Omit<ServerFrames['packed'], 'data'> & { data: Uint8Array }
}
export type ServerFrameOf<K extends keyof ServerFrames> = K extends keyof WithItems
  ? WithItems[K]
  : Nullable<ServerFrames[K]>
export type ServerFrame = { [K in keyof ServerFrames]: ServerFrameOf<K> }[keyof ServerFrames]

export interface FrameCodec {
  readonly subprotocol: string
  encode(frame: ClientFrame): string | Uint8Array
  /** Null for what is no frame of this protocol: a newer server may send more than this client knows. */
  decode(data: string | ArrayBuffer | Uint8Array): ServerFrame | null
}
