/** Client frames on `longwire.json`. */
import type { CodeName } from '../../schemas/codes.ts'
import { type ClientFrame, clientFrames } from '../../schemas/frames.ts'
import { limits } from '../../schemas/limits.ts'
import { type Decoded, membersIn, outlineOf, type ParsedContent, shown, unreadable } from './frame-codec.ts'
import { memberText } from './json-span.ts'

interface Shape {
  readonly fields: ReadonlySet<string>
  readonly nullable: readonly string[]
  readonly hasContent: boolean
  /** Fields that are lists of records. */
  readonly lists: readonly string[]
  invalidAt(value: unknown): string | null
}

type FieldSchema = { readonly name: string; readonly type: unknown }

const shapes: ReadonlyMap<string, Shape> = new Map(
  Object.entries(clientFrames).map(([type, of]) => {
    const fields = of.schema.fields as readonly FieldSchema[]
    const shape: Shape = {
      fields: new Set(fields.map((field) => field.name)),
      nullable: fields.filter(isNullable).map((field) => field.name),
      hasContent: fields.some((field) => field.name === 'content'),
      lists: fields.filter(isListOfRecords).map((field) => field.name),
      invalidAt: of.invalidAt,
    }
    return [type, shape]
  }),
)

function isNullable(field: FieldSchema): boolean {
  return Array.isArray(field.type) && field.type.includes('null')
}

function isListOfRecords({ type }: FieldSchema): boolean {
  const { items } = type as { items?: { type?: unknown } }
  return items?.type === 'record'
}

/** avsc looks a field up by name in an object, where it finds whatever every object inherits. */
const hasInheritedName = (record: unknown): boolean =>
  Object.keys(record as object).some((name) => name in Object.prototype)

/** Decodes one frame. Null fields may be left out; a field that the frame does not have is refused by name. */
export function decodeJson(bytes: Buffer): Decoded {
  const text = bytes.toString('utf8')
  const value = parseObject(text)
  if (!value) return unreadable('bad_frame', 'A frame is a JSON object.')
  const { type } = value
  if (typeof type !== 'string') return unreadable('bad_frame', 'Field "type" must be a string.', value)
  const shape = shapes.get(type)
  if (!shape) return unreadable('unsupported', `There is no frame ${shown(type)}.`, value)
  return fitted(type, shape, value, text, {})
}

/** Of a payload whose header holds its type, and its packId or id: `given`, which may not stand in the text again. */
export function decodeJsonPayload(
  type: string,
  given: Readonly<Record<string, unknown>>,
  text: string,
): Decoded {
  const value = parseObject(text)
  const shape = shapes.get(type)
  if (!value || !shape) return unreadable('bad_frame', 'A payload is a JSON object.', given)
  return fitted(type, shape, value, text, { type, ...given })
}

function fitted(
  type: string,
  shape: Shape,
  value: Record<string, unknown>,
  text: string,
  given: Readonly<Record<string, unknown>>,
): Decoded {
  const refuse = (code: CodeName, message: string): Decoded =>
    unreadable(code, message, { packId: value.packId, id: value.id, ...given })
  for (const name of Object.keys(value)) {
    if (Object.hasOwn(given, name) || (name !== 'type' && !shape.fields.has(name)))
      return refuse('bad_frame', `There is no field ${shown(name)} in ${type}.`)
  }
  const { depth, members } = outlineOf(text)
  // The frame is a level of its own.
  if (depth > limits.contentDepthMax + 1)
    return refuse(shape.hasContent ? 'bad_content' : 'bad_frame', `This ${type} is nested too deep.`)
  if (members !== membersIn(value)) return refuse('bad_frame', `A field stands twice in this ${type}.`)
  Object.assign(value, given)
  for (const name of shape.nullable) value[name] ??= null
  let content: ParsedContent | null = null
  if (shape.hasContent) {
    const written = memberText(text, 'content')
    if (written === null) return refuse('bad_frame', `Field "content" must stand in ${type}.`)
    content = { value: value.content }
    value.content = written
  }
  // The schema of a frame does not know `type`; deleting a first-class key would slow the object down, so it goes by copy.
  const { type: _, ...fields } = value
  const wrong = shape.invalidAt(fields)
  if (wrong !== null) return refuse('bad_frame', `Field ${shown(wrong)} does not fit ${type}.`)
  for (const list of shape.lists) {
    if ((fields[list] as unknown[]).some(hasInheritedName))
      return refuse('bad_frame', `There is no such field in ${shown(list)} of ${type}.`)
  }
  return { ok: true, frame: value as ClientFrame, content }
}

function parseObject(text: string): Record<string, unknown> | null {
  try {
    const value = JSON.parse(text) as unknown
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null
  } catch {
    return null
  }
}
