/** Single values that commands carry. Each schema's message says what is expected and never repeats the value. Pure. */
import { z } from 'zod'
import { isId, parseStream } from '../schemas/ids.ts'
import { limits } from '../schemas/limits.ts'
import { parseContent } from './frames/frame-codec.ts'

const lengthFits = (value: string, bytesMin: number, bytesMax: number): boolean => {
  const bytes = Buffer.byteLength(value, 'utf8')
  return bytes >= bytesMin && bytes <= bytesMax && value.isWellFormed()
}

/** Text of at most so many bytes in UTF-8; it may be empty, which is how a value is taken away. */
export const text = (bytesMax: number, bytesMin = 0) =>
  z
    .string()
    .refine(
      (value) => lengthFits(value, bytesMin, bytesMax),
      `Expected well-formed text of ${bytesMin} to ${bytesMax} bytes.`,
    )

const CONTROL = /\p{Cc}/u
/** One line: a name is shown in lists. */
const name = (bytesMin: number) =>
  text(limits.displayNameBytesMax, bytesMin).refine(
    (value) => !CONTROL.test(value),
    'Expected no control characters.',
  )

const WEB_URL = /^https?:\/\/[^\s\p{Cc}]+$/iu
/** An http(s) address without credentials. */
export function isWebUrl(value: string): boolean {
  if (value.length > limits.urlCharsMax || !WEB_URL.test(value) || !URL.canParse(value)) return false
  const { hostname, username, password } = new URL(value)
  return hostname !== '' && username === '' && password === ''
}

// No scheme, no second host: neither `javascript:` nor `//elsewhere`.
const RELATIVE_PATH = /^(?!\/\/)[A-Za-z0-9_.~/%-]+$/
const avatar = text(limits.avatarBytesMax).refine(
  (value) => value === '' || RELATIVE_PATH.test(value) || isWebUrl(value),
  'Expected an http(s) URL or a relative path.',
)

const custom = text(limits.customBytesMax).refine((value) => {
  if (value === '') return true
  const parsed = parseContent(value)?.value
  return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)
}, `Expected the text of a JSON object, nested at most ${limits.contentDepthMax} deep.`)

function isDate(value: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(value)) return false
  const time = Date.parse(`${value}T00:00:00Z`)
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(value)
}

const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' })
const VISIBLE = /[^\p{C}\p{Z}\p{M}]/u
/** One character as people see it, whatever it is made of. */
function isOneGrapheme(value: string): boolean {
  if (CONTROL.test(value) || !VISIBLE.test(value)) return false
  const [first] = graphemes.segment(value)
  return first?.segment === value
}

function isConversation(id: string): boolean {
  const ref = parseStream(id)
  return ref !== null && ref.kind !== 'user' && ref.kind !== 'room'
}

interface WellKnown {
  /** Whether what stands behind the colon fits. */
  of(rest: string): boolean
  readonly value: z.ZodType
}
const flag = z.literal('1', 'Expected "1", or null.')
/** Settings that the server itself reads, by what stands before the colon of their keys. */
const wellKnown: ReadonlyMap<string, WellKnown> = new Map([
  ['pin', { of: isConversation, value: flag }],
  ['mute', { of: isConversation, value: flag }],
  ['draft', { of: isConversation, value: text(limits.settingValueBytesMax) }],
  ['deleted', { of: isConversation, value: z.string().regex(/^[1-9]\d{0,14}$/, 'Expected a seq.') }],
  ['remark', { of: isId, value: name(0) }],
])

/** Value null takes the setting away. All other keys are the clients' own. */
const setting = z
  .object({
    key: z
      .string()
      .max(limits.settingKeyBytesMax)
      .regex(/^[A-Za-z0-9_.:-]+$/, 'Expected a key of A-Z a-z 0-9 _ . : -'),
    value: text(limits.settingValueBytesMax).nullable(),
  })
  .superRefine(({ key, value }, context) => {
    const colon = key.indexOf(':')
    const known = wellKnown.get(key.slice(0, Math.max(0, colon)))
    const refuse = (field: string, message: string) =>
      context.addIssue({ code: 'custom', path: [field], message })
    if (!known) return
    if (!known.of(key.slice(colon + 1))) refuse('key', 'Expected an id behind the colon.')
    const wrong = value === null ? undefined : known.value.safeParse(value).error?.issues[0]
    if (wrong) refuse('value', wrong.message)
  })

export const values = {
  note: text(limits.noteBytesMax),
  groupName: name(1),
  role: z.enum(['owner', 'admin', 'member'], 'Expected owner, admin or member.'),
  emoji: text(limits.emojiBytesMax, 1).refine(isOneGrapheme, 'Expected one visible character.'),
  muteMs: z.int().min(0).max(limits.muteMsMax),
  setting,
  query: text(limits.searchQueryBytesMax, 1).refine(
    (value) => VISIBLE.test(value),
    'Expected something to look for.',
  ),
  /** What may be changed of a group; null: stays as it is. */
  group: z.object({
    name: name(1).nullable(),
    avatar: avatar.nullable(),
    announcement: text(limits.announcementBytesMax).nullable(),
    custom: custom.nullable(),
    joinPolicy: z.enum(['open', 'approval', 'closed'], 'Expected open, approval or closed.').nullable(),
    addPolicy: z.enum(['members', 'admins'], 'Expected members or admins.').nullable(),
  }),
  /** What may be changed of one's profile; null: stays as it is. */
  profile: z.object({
    name: name(0).nullable(),
    avatar: avatar.nullable(),
    birthday: z
      .string()
      .refine((value) => value === '' || isDate(value), 'Expected a date as YYYY-MM-DD.')
      .nullable(),
    region: name(0).nullable(),
    gender: name(0).nullable(),
    custom: custom.nullable(),
  }),
} as const

/** What is wrong with a field's value, or null. */
export function problemIn(schema: z.ZodType, value: unknown, field = ''): string | null {
  const issue = schema.safeParse(value).error?.issues[0]
  if (!issue) return null
  return `Field "${[...(field === '' ? [] : [field]), ...issue.path].join('.')}": ${issue.message}`
}
