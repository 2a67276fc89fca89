/** The encodings that are walked out of the literals; JSON stands on its own, since content is part of its text. */
import type { PayloadEncoding } from './header.ts'
import { protobufPayload } from './protobuf.ts'
import type { PayloadCodec } from './shape.ts'
import { tarsPayload } from './tars.ts'
import { xmlPayload } from './xml.ts'

export const payloadCodecs: Readonly<Record<Exclude<PayloadEncoding, 'json'>, PayloadCodec>> = {
  protobuf: protobufPayload,
  xml: xmlPayload,
  tars: tarsPayload,
}
