/** Released schemas never change: topics hold bytes written with them for ever. */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { type Codec, codec, decodeWith, fingerprintKey } from '../../../schemas/avro.ts'
import { history } from '../../../schemas/codec.ts'
import { fingerprintOf } from '../../../schemas/fingerprint.ts'
import { commandPayloads, eventPayloads, records } from '../../../schemas/records.ts'
import { sampleOf } from '../../support/samples.ts'

const folder = new URL('../../../schemas/history/', import.meta.url)
const files = readdirSync(folder).filter((file) => file.endsWith('.avsc'))
const textOf = (file: string) => readFileSync(new URL(file, folder), 'utf8')
const frozen = files.map((file) => {
  const canonical = textOf(file).trim()
  return { file, canonical, name: (JSON.parse(canonical) as { name: string }).name }
})
const current = Object.values({
  ...commandPayloads,
  ...eventPayloads,
  ...records,
}) as unknown as Codec<unknown>[]

describe('frozen schemas', () => {
  test('never change and never go: the list of checksums only grows', () => {
    const listed = textOf('SHA256SUMS').trim().split('\n').filter(Boolean)
    const actual = files.map((file) => `${createHash('sha256').update(textOf(file)).digest('hex')}  ${file}`)
    expect(actual.sort()).toEqual(listed.sort())
  })

  test('are named for what they are', () => {
    for (const { file, canonical, name } of frozen)
      expect(file).toBe(`${name}.${fingerprintOf(canonical).toString('hex')}.avsc`)
  })

  test('are known to the codec by their fingerprints', () => {
    for (const { canonical } of frozen)
      expect(history.get(fingerprintKey(fingerprintOf(canonical)))).toBe(canonical)
  })

  test('include every current one: run `npm run schemas:freeze` after a change', () => {
    const known = new Set(frozen.map(({ canonical }) => canonical))
    for (const { name, canonical } of current) expect(known.has(canonical), name).toBe(true)
  })

  test('hold exactly one envelope, for ever', () => {
    expect(frozen.filter(({ name }) => name === 'longwire.Envelope')).toHaveLength(1)
  })
})

interface RecordSchema {
  readonly fields: readonly { readonly name: string; readonly type: unknown }[]
}

/** Canonical form leaves out defaults, without which a field that came later cannot be read from before it came. */
const withDefaults = (schema: RecordSchema): object => ({
  ...schema,
  fields: schema.fields.map((field) => {
    if (field.type === 'boolean') return { ...field, default: false }
    if (field.type === 'int' || field.type === 'long') return { ...field, default: 0 }
    if ((field.type as { type?: string }).type === 'array') return { ...field, default: [] }
    return Array.isArray(field.type) && field.type[0] === 'null' ? { ...field, default: null } : field
  }),
})

describe('versions of one schema', () => {
  const versionsOf = (name: string) => frozen.filter((one) => one.name === name)
  const byName = [...new Set(frozen.map(({ name }) => name))]

  test.each(byName)('%s: every version reads what every version wrote', (name) => {
    const versions = versionsOf(name).map(
      ({ canonical }) =>
        current.find((one) => one.canonical === canonical) ??
        (codec(withDefaults(JSON.parse(canonical) as RecordSchema) as never) as Codec<unknown>),
    )
    for (const writer of versions) {
      const bytes = writer.encode(sampleOf(JSON.parse(writer.canonical)))
      for (const reader of versions)
        expect(() => decodeWith(reader, writer.fingerprint, bytes, history), `${writer.name}`).not.toThrow()
    }
  })

  test.each(current.map((one) => [one.name, one] as const))(
    '%s: today’s reader reads every released version',
    (name, reader) => {
      for (const { canonical } of versionsOf(name)) {
        const writer = codec(JSON.parse(canonical) as never) as Codec<unknown>
        const value = sampleOf(JSON.parse(canonical))
        const read = decodeWith(reader, writer.fingerprint, writer.encode(value), history)
        expect(read).toMatchObject(value as object)
      }
    },
  )
})
