import { decodeAvro, encodeAvro } from './avro-frames.ts'
import type { Encoding, FrameCodec } from './frame-codec.ts'
import { decodeJson } from './json-decode.ts'
import { encodeJson } from './json-encode.ts'

/** One codec for each subprotocol. */
export const frameCodecs: Readonly<Record<Encoding, FrameCodec>> = {
  json: {
    encoding: 'json',
    decode: decodeJson,
    encode: (frame) => Buffer.from(encodeJson(frame), 'utf8'),
  },
  avro: { encoding: 'avro', decode: decodeAvro, encode: encodeAvro },
}
