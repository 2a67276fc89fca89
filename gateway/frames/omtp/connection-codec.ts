/**
 * OMTP of one connection. Commands are named by the header's packId as they are; requests have a number inside the gateway,
 * which stands for the packId until the answer has gone. Answers are written as the login was.
 */
import type { CodeName } from '../../../schemas/codes.ts'
import type { ServerFrame } from '../../../schemas/frames.ts'
import { formatPackId } from '../../../schemas/ids.ts'
import { limits } from '../../../schemas/limits.ts'
import {
  HEADER_BYTES,
  isNil,
  NIL,
  OMTP_VERSION,
  parseFlag,
  parseHeader,
  uuidBytes,
} from '../../../schemas/omtp/header.ts'
import { clientShapes } from '../../../schemas/omtp/shape.ts'
import { clientTypeOf } from '../../../schemas/omtp/types.ts'
import { type Decoded, type FrameCodec, type Unreadable, unreadable } from '../frame-codec.ts'
import { decodePayload, type Given } from './decode.ts'
import { type Answering, encodeOmtp, omtpEncodingOf } from './encode.ts'

interface OpenRequest {
  readonly packId: Buffer
  /** False: it only carries a refusal, and another may be open under the same packId. */
  readonly named: boolean
}

export function createOmtpCodec(): FrameCodec {
  let answering: Answering = { encoding: 'json', deflate: false }
  let welcomed = false
  /** Of the frame that came last before the welcome: what welcome or bye answer. */
  let asked: Buffer = NIL
  let lastId = 0
  /** Null while none is open: most connections are idle. */
  let open: Map<number, OpenRequest> | null = null
  let named: Set<string> | null = null

  function openRequest(packId: Buffer, key: string | null): number {
    lastId += 1
    open ??= new Map()
    open.set(lastId, { packId: Buffer.from(packId), named: key !== null })
    if (key !== null) {
      named ??= new Set()
      named.add(key)
    }
    return lastId
  }

  /** The packId of an answer, which is the last one to this request unless more follow. */
  function answered(id: number, last: boolean): Buffer {
    const request = open?.get(id)
    if (!open || !request) return NIL
    if (last) {
      open.delete(id)
      if (request.named) named?.delete(keyOf(request.packId))
      if (open.size === 0) open = named = null
    }
    return request.packId
  }

  const refused = (code: CodeName, message: string, packId: Buffer): Unreadable =>
    unreadable(code, message, { id: openRequest(packId, null) })

  function whyNotOpen(packId: Buffer): [CodeName, string] | null {
    if (isNil(packId)) return ['pack_id_invalid', 'A request has a packId that is not nil.']
    if (named?.has(keyOf(packId)))
      return ['pack_id_in_use', 'A request with this packId is not answered yet.']
    return (named?.size ?? 0) >= limits.omtpRequestsOpenMax
      ? ['overloaded', 'Too many requests are open.']
      : null
  }

  function decode(bytes: Buffer): Decoded {
    if (bytes.length < HEADER_BYTES) return unreadable('bad_frame', 'A frame has a header of 24 bytes.')
    const { type: number, version, flag, packId, payload } = parseHeader(bytes)
    const how = parseFlag(flag)
    if (!welcomed) {
      asked = Buffer.from(packId)
      if (how) answering = { encoding: how.encoding, deflate: how.deflated }
    }
    if (version !== OMTP_VERSION)
      return refused('unsupported', `The server speaks version ${OMTP_VERSION} of OMTP.`, packId)
    if (!how) return refused('unsupported', 'The flag has bits or an encoding without a meaning.', packId)
    const type = clientTypeOf.get(number)
    if (type === undefined) return refused('unsupported', `There is no frame of type ${number}.`, packId)
    const given = givenBy(type, packId)
    if ('ok' in given) return given
    const decoded = decodePayload(type, given, { ...how, bytes: payload })
    if (decoded.ok || decoded.packId !== null || decoded.id !== null) return decoded
    // What is never answered is told all the same when it cannot be read.
    return { ...decoded, id: openRequest(packId, null) }
  }

  function givenBy(type: string, packId: Buffer): Given | Unreadable {
    switch (clientShapes.get(type)?.inHeader) {
      case 'packId':
        return { packId: formatPackId(packId) }
      case 'id': {
        const why = whyNotOpen(packId)
        return why ? refused(...why, packId) : { id: openRequest(packId, keyOf(packId)) }
      }
      default:
        return {}
    }
  }

  function packIdOf(frame: ServerFrame): Buffer {
    if (frame.type === 'welcome' || (frame.type === 'bye' && !welcomed)) return asked
    if (frame.type === 'event') return uuidBytes(frame.item.packId)
    if ('packId' in frame) return uuidBytes(frame.packId)
    if ('id' in frame && frame.id !== null) return answered(frame.id, frame.type !== 'packed' || frame.last)
    return NIL
  }

  return {
    get encoding() {
      return omtpEncodingOf(answering)
    },
    headerBytes: HEADER_BYTES,
    decode,
    encode(frame) {
      const bytes = encodeOmtp(frame, packIdOf(frame), answering)
      if (frame.type === 'welcome') {
        welcomed = true
        // A slice of the pool would keep all of its memory for as long as the connection lives.
        asked = NIL
      }
      return bytes
    },
  }
}

const keyOf = (packId: Buffer): string => packId.toString('latin1')
