/** What both encodings of frames have in common. */
import type { CodeName } from '../../schemas/codes.ts'
import type { ClientFrame, ServerFrame } from '../../schemas/frames.ts'
import { limits } from '../../schemas/limits.ts'
import type { PayloadEncoding } from '../../schemas/omtp/header.ts'

/** Of WebSocket. */
export type Subprotocol = 'json' | 'avro'
/** OMTP's payloads, compressed where that pays or as they are. */
export type OmtpEncoding = `omtp-${PayloadEncoding}` | `omtp-${PayloadEncoding}-deflate`
export type Encoding = Subprotocol | OmtpEncoding

/** The client's content as JSON value, beside its text in the frame, so that it is parsed once. */
export interface ParsedContent {
  readonly value: unknown
}

export interface Unreadable {
  readonly ok: false
  readonly code: CodeName
  /** Shown to the client: names the field, never repeats a value. */
  readonly message: string
  /** What the frame can be answered by, as far as it could be read. */
  readonly packId: string | null
  readonly id: number | null
}

export type Decoded =
  | { readonly ok: true; readonly frame: ClientFrame; readonly content: ParsedContent | null }
  | Unreadable

export interface FrameEncoder {
  readonly encoding: Encoding
  encode(frame: ServerFrame): Buffer
}

/** `decode` never throws and keeps nothing of `bytes`. */
export interface FrameCodec extends FrameEncoder {
  /** What stands before the payload, and does not count against frameBytesMax. */
  readonly headerBytes: number
  decode(bytes: Buffer): Decoded
}

const NAME_CHARS_MAX = 64

export function unreadable(
  code: CodeName,
  message: string,
  from: { packId?: unknown; id?: unknown } = {},
): Unreadable {
  return {
    ok: false,
    code,
    message,
    packId: typeof from.packId === 'string' ? from.packId.slice(0, NAME_CHARS_MAX) : null,
    id: Number.isSafeInteger(from.id) ? (from.id as number) : null,
  }
}

/** A client's name for something, fit to be shown back: quoted, escaped, cut. */
export const shown = (name: string): string => JSON.stringify(name.slice(0, NAME_CHARS_MAX))

/**
 * Parses JSON text that must be nested no deeper than contentDepthMax and name no field of an object twice: of two, each
 * reader would believe another one.
 */
export function parseContent(text: string): ParsedContent | null {
  const { depth, members } = outlineOf(text)
  if (depth > limits.contentDepthMax) return null
  try {
    const value = JSON.parse(text) as unknown
    return membersIn(value) === members ? { value } : null
  } catch {
    return null
  }
}

export interface Outline {
  /** Greatest nesting of arrays and objects. */
  readonly depth: number
  /** Members of all objects as written, doubled ones included. */
  readonly members: number
}

/** Of JSON text; linear in its length. */
export function outlineOf(text: string): Outline {
  let depth = 0
  let deepest = 0
  let members = 0
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at)
    if (char === 0x22) at = endOfString(text, at)
    else if (char === 0x3a) members += 1
    else if (char === 0x7b || char === 0x5b) {
      depth += 1
      if (depth > deepest) deepest = depth
    } else if (char === 0x7d || char === 0x5d) depth -= 1
  }
  return { depth: deepest, members }
}

/** Members of all objects in a parsed value. Recursive: only for what is known to be shallow. */
export function membersIn(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  let members = Array.isArray(value) ? 0 : Object.keys(value).length
  for (const inner of Object.values(value)) if (typeof inner === 'object') members += membersIn(inner)
  return members
}

/** Index of the quote that closes the string opened at `at`; the text's length where none does. */
export function endOfString(text: string, at: number): number {
  let end = at
  for (;;) {
    end = text.indexOf('"', end + 1)
    if (end < 0) return text.length
    let slashes = 0
    while (text.charCodeAt(end - 1 - slashes) === 0x5c) slashes += 1
    if (slashes % 2 === 0) return end
  }
}
