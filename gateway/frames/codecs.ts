import { decodeAvro, encodeAvro } from './avro-frames.ts'
import type { Encoding, FrameCodec, FrameEncoder, Subprotocol } from './frame-codec.ts'
import { decodeJson } from './json-decode.ts'
import { encodeJson } from './json-encode.ts'
import { omtpEncoders } from './omtp/encode.ts'

/** One codec for each subprotocol. */
const subprotocols: Readonly<Record<Subprotocol, FrameCodec>> = {
  json: {
    encoding: 'json',
    headerBytes: 0,
    decode: decodeJson,
    encode: (frame) => Buffer.from(encodeJson(frame), 'utf8'),
  },
  avro: { encoding: 'avro', headerBytes: 0, decode: decodeAvro, encode: encodeAvro },
}

/** OMTP's own codec lives with its connection (omtp/connection-codec.ts); here is what all connections are sent alike. */
export const frameCodecs: typeof subprotocols & Readonly<Record<Encoding, FrameEncoder>> = {
  ...omtpEncoders,
  ...subprotocols,
}
