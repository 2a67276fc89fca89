/** Shape of a message's content, looked into here and nowhere behind. */

const filled = (value: unknown): boolean => typeof value === 'string' && value !== ''
const numeric = (value: unknown): boolean => typeof value === 'number' && Number.isFinite(value)

/** What each type must have at least; more fields are the clients' own affair. */
const required: Readonly<
  Record<string, readonly (readonly [string, (value: unknown) => boolean, string])[]>
> = {
  text: [['text', filled, 'a string that is not empty']],
  image: [['url', filled, 'a string']],
  voice: [['url', filled, 'a string']],
  video: [['url', filled, 'a string']],
  file: [['url', filled, 'a string']],
  location: [
    ['latitude', numeric, 'a number'],
    ['longitude', numeric, 'a number'],
  ],
  card: [['userId', filled, 'a string']],
  custom: [],
}

/** What is wrong with it, or null. */
export function contentProblem(contentType: string, value: unknown): string | null {
  const fields = Object.hasOwn(required, contentType) ? required[contentType] : undefined
  if (!fields) return `The content type is one of ${Object.keys(required).join(', ')}.`
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return 'The content is a JSON object.'
  for (const [name, fits, expected] of fields) {
    if (!Object.hasOwn(value, name) || !fits((value as Record<string, unknown>)[name]))
      return `Content of type ${contentType} needs "${name}": ${expected}.`
  }
  return null
}
