/** Arbitrary frames of a table, made from their schemas. */
import fc from 'fast-check'

type Schema = string | readonly Schema[] | { type: string; [key: string]: unknown }
type Field = { name: string; type: Schema }
/** What to put into a field instead of just anything of its type; undefined: just anything. */
export type Choose = (name: string, type: 'string' | 'long') => fc.Arbitrary<unknown> | undefined

/** Values of an Avro schema; strings named `content` are JSON texts. */
function anyOf(schema: Schema, name: string, choose: Choose): fc.Arbitrary<unknown> {
  if (Array.isArray(schema)) return fc.oneof(...schema.map((branch: Schema) => anyOf(branch, name, choose)))
  if (typeof schema === 'string') {
    if (schema === 'null') return fc.constant(null)
    if (schema === 'boolean') return fc.boolean()
    if (schema === 'int') return fc.integer()
    if (schema === 'bytes') return fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes))
    const chosen = choose(name, schema as 'string' | 'long')
    if (chosen) return chosen
    if (schema === 'long') return fc.integer({ min: -(2 ** 52), max: 2 ** 52 - 1 })
    if (name === 'content') return fc.json({ maxDepth: 4 })
    return fc.string({ unit: 'grapheme' })
  }
  const of = schema as { type: string; fields?: Field[]; items?: Schema; symbols?: string[] }
  if (of.type === 'array') return fc.array(anyOf(of.items ?? 'null', name, choose), { maxLength: 4 })
  if (of.type === 'enum') return fc.constantFrom(...(of.symbols ?? []))
  return recordOf(of.fields ?? [], choose)
}

const recordOf = (fields: readonly Field[], choose: Choose): fc.Arbitrary<Record<string, unknown>> =>
  fc.record(Object.fromEntries(fields.map((field) => [field.name, anyOf(field.type, field.name, choose)])))

export const framesOf = <F>(
  table: Record<string, { schema: { fields: readonly unknown[] } }>,
  choose: Choose = () => undefined,
): fc.Arbitrary<F> =>
  fc.oneof(
    ...Object.entries(table).map(([type, of]) =>
      recordOf(of.schema.fields as Field[], choose).map((fields) => ({ type, ...fields }) as F),
    ),
  )
