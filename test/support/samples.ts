/** A value that fits an Avro schema, every branch of it filled where there is a choice. */
interface Schema {
  type: string | Schema
  name?: string
  fields?: { name: string; type: AnySchema }[]
  items?: AnySchema
  symbols?: string[]
  size?: number
}
type AnySchema = string | Schema | AnySchema[]

export function sampleOf(schema: AnySchema, named = new Map<string, AnySchema>()): unknown {
  if (Array.isArray(schema)) return sampleOf(schema.at(-1) as AnySchema, named)
  if (typeof schema === 'string') {
    const known = named.get(schema)
    return known === undefined ? primitive(schema) : sampleOf(known, named)
  }
  if (schema.name) named.set(schema.name, schema)
  switch (schema.type) {
    case 'record':
      return Object.fromEntries((schema.fields ?? []).map(({ name, type }) => [name, sampleOf(type, named)]))
    case 'array':
      return [sampleOf(schema.items as AnySchema, named)]
    case 'enum':
      return schema.symbols?.at(-1)
    case 'fixed':
      return Buffer.alloc(schema.size ?? 0, 7)
    default:
      return sampleOf(schema.type, named)
  }
}

function primitive(name: string): unknown {
  switch (name) {
    case 'null':
      return null
    case 'boolean':
      return true
    case 'int':
    case 'long':
      return 42
    case 'double':
      return 0.5
    case 'bytes':
      return Buffer.from('sample')
    case 'string':
      return 'sample'
    default:
      throw new Error(`no such Avro type: ${name}`)
  }
}
