/** What both encodings of frames have in common. */
import type { CodeName } from '../../schemas/codes.ts'
import type { ClientFrame, ServerFrame } from '../../schemas/frames.ts'
import { limits } from '../../schemas/limits.ts'

export type Encoding = 'json' | 'avro'

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

/** `decode` never throws and keeps nothing of `bytes`. */
export interface FrameCodec {
  readonly encoding: Encoding
  decode(bytes: Buffer): Decoded
  encode(frame: ServerFrame): Buffer
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
 * Parses content text and holds its depth to the limit. The scan comes first: `JSON.parse` itself stands any depth, but
 * what walks the value later need not.
 */
export function parseContent(text: string): ParsedContent | null {
  if (depthOf(text) > limits.contentDepthMax) return null
  try {
    return { value: JSON.parse(text) as unknown }
  } catch {
    return null
  }
}

/** Greatest nesting of arrays and objects in JSON text; linear in its length. */
export function depthOf(text: string): number {
  let depth = 0
  let deepest = 0
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at)
    if (char === 0x22) at = endOfString(text, at)
    else if (char === 0x7b || char === 0x5b) {
      depth += 1
      if (depth > deepest) deepest = depth
    } else if (char === 0x7d || char === 0x5d) depth -= 1
  }
  return deepest
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
