/**
 * Frames between client and gateway: one literal for both encodings. On `longwire.avro` a frame is the single-object
 * encoding of its record; on `longwire.json` it is an object with `type`, where null fields may be left out and
 * `content` stands as JSON itself instead of as its text.
 */
import { codec, type Infer } from './avro.ts'
import { clientFrames } from './client-frames.ts'
import {
  type conversationSchema,
  type headSchema,
  itemSchema,
  type joinRequestSchema,
  type kickerSchema,
  type memberSchema,
  type presenceSchema,
  type profileSchema,
  type rangeSchema,
  type reactionSchema,
  type relationSchema,
  type settingSchema,
} from './frame-parts.ts'
import { serverFrames } from './server-frames.ts'

export { clientFrames, serverFrames }

type FrameOf<T extends Record<string, { decode(b: Buffer): unknown }>> = {
  [K in keyof T]: { type: K } & ReturnType<T[K]['decode']>
}
export type ClientFrames = FrameOf<typeof clientFrames>
export type ServerFrames = FrameOf<typeof serverFrames>
export type ClientFrame = ClientFrames[keyof ClientFrames]
export type ServerFrame = ServerFrames[keyof ServerFrames]
export type Item = Infer<typeof itemSchema>
export type Head = Infer<typeof headSchema>
export type Conversation = Infer<typeof conversationSchema>
export type Range = Infer<typeof rangeSchema>
export type Member = Infer<typeof memberSchema>
export type JoinRequest = Infer<typeof joinRequestSchema>
export type Reaction = Infer<typeof reactionSchema>
export type Relation = Infer<typeof relationSchema>
export type Profile = Infer<typeof profileSchema>
export type Setting = Infer<typeof settingSchema>
export type Kicker = Infer<typeof kickerSchema>
export type Presence = Infer<typeof presenceSchema>
export const itemCodec = codec(itemSchema)
