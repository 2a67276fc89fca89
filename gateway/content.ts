/** Shapes of contents, looked into here and nowhere behind. Fields beyond these are the clients' own and go through as they are. */
import { z } from 'zod'
import { isId } from '../schemas/ids.ts'
import { limits } from '../schemas/limits.ts'
import { isWebUrl, text } from './values.ts'

const url = z
  .string()
  .refine(isWebUrl, `Expected an http(s) URL of at most ${limits.urlCharsMax} characters.`)
const count = z.int().min(0)
/** Of a picture, in pixels. */
const extent = z.int().min(1).max(limits.pixelsPerSideMax)
const id = z.string().refine(isId, 'Expected an id.')
const filled = z.string().refine((value) => value !== '' && value.isWellFormed(), 'Expected text, not empty.')
const name = text(limits.displayNameBytesMax)
const line = text(limits.noteBytesMax)

/** By type; `size` is in bytes. */
const shapes = {
  text: z.looseObject({ text: filled }),
  image: z.looseObject({ url, width: extent, height: extent, size: count, thumbnail: url.optional() }),
  voice: z.looseObject({ url, durationMs: count, size: count }),
  video: z.looseObject({
    url,
    durationMs: count,
    width: extent,
    height: extent,
    size: count,
    thumbnail: url.optional(),
  }),
  file: z.looseObject({ url, name: text(limits.displayNameBytesMax, 1), size: count, mime: line.optional() }),
  location: z.looseObject({
    latitude: z.number().min(-90).max(90),
    longitude: z.number().min(-180).max(180),
    name: name.optional(),
    address: line.optional(),
  }),
  card: z
    .looseObject({ userId: id.optional(), groupId: id.optional(), name: name.optional() })
    .refine(
      ({ userId, groupId }) => (userId === undefined) !== (groupId === undefined),
      'Expected either "userId" or "groupId".',
    ),
  custom: z.looseObject({}),
} as const satisfies Record<string, z.ZodType>

export const contentTypes: readonly string[] = Object.keys(shapes)

/** What is wrong with it, or null. The content itself is never in the answer. */
export function contentProblem(contentType: string, value: unknown): string | null {
  if (!Object.hasOwn(shapes, contentType)) return `The content type is one of ${contentTypes.join(', ')}.`
  const { error } = shapes[contentType as keyof typeof shapes].safeParse(value)
  const issue = error?.issues[0]
  if (!issue) return null
  const where = issue.path.length === 0 ? '' : `, field "${issue.path.join('.')}"`
  return `Content of type ${contentType}${where}: ${issue.message}`
}
