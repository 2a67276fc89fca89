/** The schemas of all releases, kept in the archive beside what they wrote. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createClickHouse } from '../../../infra/clickhouse/client.ts'
import {
  archivedSchemas,
  createSchemaMirror,
  learnArchivedSchemas,
  type SchemaMirror,
} from '../../../projections/archive/schemas.ts'
import { fingerprintKey } from '../../../schemas/avro.ts'
import { knownSchemas, knowsSchema, learnSchema } from '../../../schemas/codec.ts'
import { fingerprintOf } from '../../../schemas/fingerprint.ts'
import { startEngines } from '../../support/projections/engines.ts'

let engines: Awaited<ReturnType<typeof startEngines<true>>>
beforeAll(async () => {
  engines = await startEngines({ clickhouse: true })
})
afterAll(() => engines?.stop())

const textOf = (name: string): string =>
  JSON.stringify({ name: `longwire.event.${name}`, type: 'record', fields: [] })
const rowsIn = async (): Promise<{ fingerprint: string; text: string }[]> =>
  engines.clickhouse.query('SELECT fingerprint, text FROM schemas FINAL ORDER BY text')

describe('the archive', () => {
  test('has every schema that a process can read once it was told to, and those that it learns later', async () => {
    const mirror = createSchemaMirror(engines.clickhouse)
    await mirror.flush()
    expect(await archivedSchemas(engines.clickhouse)).toEqual([...new Set(knownSchemas.values())].sort())
    learnSchema(textOf('Learned'))
    await mirror.flush()
    expect(await archivedSchemas(engines.clickhouse)).toContain(textOf('Learned'))
    for (const { fingerprint, text } of await rowsIn())
      expect(fingerprintOf(text).toString('hex')).toBe(fingerprint)
  })

  test('has them once, whoever writes them, and each process writes them once', async () => {
    const before = await rowsIn()
    let inserts = 0
    const counted = (): SchemaMirror =>
      createSchemaMirror({
        async insert(...block) {
          inserts++
          await engines.clickhouse.insert(...block)
        },
      })
    const [one, other] = [counted(), counted()]
    for (const mirror of [one, other, one, other]) await mirror.flush()
    expect(inserts).toBe(2)
    expect(await rowsIn()).toEqual(before)
  })

  test('teaches whoever reads it; one of before, or one that does not answer, teaches nothing', async () => {
    const text = textOf('OnlyThere')
    await engines.clickhouse.insert('schemas', [{ fingerprint: fingerprintOf(text).toString('hex'), text }])
    const key = fingerprintKey(fingerprintOf(text))
    expect(knowsSchema(key)).toBe(false)
    await learnArchivedSchemas(engines.clickhouse)
    expect(knowsSchema(key)).toBe(true)
    await engines.clickhouse.command('RENAME TABLE schemas TO schemas_away')
    expect(await archivedSchemas(engines.clickhouse)).toEqual([])
    await engines.clickhouse.command('RENAME TABLE schemas_away TO schemas')
    const away = createClickHouse({ url: 'http://127.0.0.1:1' })
    await learnArchivedSchemas(away)
    await away.close()
  })
})
