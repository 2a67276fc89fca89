/** The body of a poll, and of its answer. Frames pass through as the text they are, so that content keeps every byte. Pure. */
import type { CodeName } from '../../schemas/codes.ts'
import { limits } from '../../schemas/limits.ts'
import { outlineOf, shown } from '../frames/frame-codec.ts'
import { elementTexts, memberTexts } from '../frames/json-span.ts'

export interface PollRequest {
  /** Null: only hands frames over, and fetches none. */
  readonly after: number | null
  readonly waitMs: number | null
  readonly sent: number | null
  readonly frames: readonly Buffer[]
}

export type ParsedPoll =
  | { readonly ok: true; readonly request: PollRequest }
  | { readonly ok: false; readonly code: CodeName; readonly message: string }

const numbers = ['after', 'waitMs', 'sent'] as const
const DEPTH_MAX = 1_000
const utf8 = new TextDecoder('utf-8', { fatal: true })
const refuse = (message: string, code: CodeName = 'bad_frame'): ParsedPoll => ({ ok: false, code, message })

/** Never throws and keeps nothing of `bytes`. An empty body is a poll that says nothing. */
export function parsePoll(bytes: Buffer): ParsedPoll {
  let text: string
  let value: unknown
  try {
    text = utf8.decode(bytes)
    // Parsing a deep tower costs a hundred times what looking at it does; the frames' own limit is looked at later.
    if (outlineOf(text).depth > DEPTH_MAX) return refuse('The body is nested too deep.')
    value = text === '' ? {} : JSON.parse(text)
  } catch {
    return refuse('The body is no JSON in UTF-8.')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return refuse('The body is a JSON object.')
  const members = text === '' ? new Map<string, string>() : memberTexts(text)
  if (!members) return refuse('A field stands twice in the body.')
  const given: Record<(typeof numbers)[number], number | null> = { after: null, waitMs: null, sent: null }
  for (const name of members.keys())
    if (name !== 'frames' && !numbers.includes(name as never))
      return refuse(`There is no field ${shown(name)} in a poll.`)
  for (const name of numbers) {
    const number = (value as Record<string, unknown>)[name]
    if (number === undefined || number === null) continue
    if (!Number.isSafeInteger(number) || (number as number) < 0)
      return refuse(`Field "${name}" is a whole number.`)
    given[name] = number as number
  }
  const written = members.get('frames')
  if (written === undefined) return { ok: true, request: { ...given, frames: [] } }
  if (!Array.isArray((value as { frames: unknown }).frames)) return refuse('Field "frames" is a list.')
  const frames = elementTexts(written)
  if (frames.length > limits.pollFramesMax)
    return refuse('There are too many frames in one poll.', 'too_many')
  return { ok: true, request: { ...given, frames: frames.map((frame) => Buffer.from(frame)) } }
}

export interface PollAnswer {
  /** Told once, in the answer to the login. */
  readonly session: string | null
  readonly cursor: number
  readonly frames: readonly Buffer[]
  /** Why the session is over; null: it is not, or there is more to fetch. */
  readonly ended: string | null
}

export function answerBody({ session, cursor, frames, ended }: PollAnswer): Buffer {
  const head = session === null ? '{' : `{"session":${JSON.stringify(session)},`
  const tail = ended === null ? ']}' : `],"ended":${JSON.stringify(ended)}}`
  const parts: Buffer[] = [Buffer.from(`${head}"cursor":${cursor},"frames":[`)]
  for (const [i, frame] of frames.entries()) parts.push(i === 0 ? frame : comma, ...(i === 0 ? [] : [frame]))
  parts.push(Buffer.from(tail))
  return Buffer.concat(parts)
}
const comma = Buffer.from(',')

export const refusalBody = (code: CodeName, message: string, retryAfterMs: number | null = null): Buffer =>
  Buffer.from(JSON.stringify({ code, message, ...(retryAfterMs === null ? {} : { retryAfterMs }) }))
