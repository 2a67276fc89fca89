import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { inspect } from 'node:util'
import { gunzipSync, gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ClickHouse, createClickHouse } from '../../infra/clickhouse/client.ts'
import { type EmbeddedClickHouse, startClickHouse } from '../../infra/embedded/clickhouse.ts'
import { noRunRecord } from '../../infra/embedded/run-record.ts'

const dir = mkdtempSync(path.join(tmpdir(), 'longwire-clickhouse-'))
let engine: EmbeddedClickHouse
let db: ClickHouse

beforeAll(async () => {
  engine = await startClickHouse({ dir, record: noRunRecord })
  const root = createClickHouse({ url: engine.url })
  await root.command('CREATE DATABASE IF NOT EXISTS longwire')
  await root.close()
  db = createClickHouse({ url: engine.url, database: 'longwire' })
  await db.command(`CREATE TABLE t (k String, n UInt64, v String) ENGINE = ReplacingMergeTree(n) ORDER BY k
    SETTINGS non_replicated_deduplication_window = 1000`)
}, 60_000)

afterAll(async () => {
  await db?.close()
  await engine?.stop()
  rmSync(dir, { recursive: true, force: true })
})

const rows = (count: number, prefix: string) =>
  Array.from({ length: count }, (_, i) => ({
    k: `${prefix}${i}`,
    n: i,
    v: `text ${i} "quoted" 'single' \\ \n 你好`,
  }))
const countOf = async (prefix: string) => {
  const [row] = await db.query<{ c: number | string }>(
    'SELECT count() AS c FROM t WHERE startsWith(k, {p:String})',
    { p: prefix },
  )
  return Number(row?.c)
}

describe('the embedded ClickHouse through the ordinary client', () => {
  test('it answers a ping', async () => {
    expect(await db.ping()).toBe(true)
  })

  test('a block sent twice with one token is one block', async () => {
    const block = rows(100, 'once-')
    await db.insert('t', block, { dedupToken: 'p0:0-99' })
    await db.insert('t', block, { dedupToken: 'p0:0-99' })
    await db.insert('t', rows(100, 'once-more-'), { dedupToken: 'p0:100-199' })
    expect(await countOf('once-')).toBe(200)
  })

  test('the token of one insert does not reach the next', async () => {
    await db.insert('t', rows(3, 'plain-'), { dedupToken: 'x' })
    await db.insert('t', rows(3, 'plain2-'))
    expect(await countOf('plain')).toBe(6)
  })

  test.each([
    ["it's"],
    ['a\\b'],
    ['tab\tnewline\nend'],
    ["'; DROP TABLE t --"],
    ['你好 🎉'],
    ['{p:String}'],
    [''],
  ])('a parameter arrives as it was sent: %j', async (value) => {
    expect(await db.query('SELECT {p:String} AS x', { p: value })).toEqual([{ x: value }])
  })

  test('numbers, arrays and nulls can be parameters', async () => {
    const sql = 'SELECT {n:UInt32} AS n, {a:Array(String)} AS a, {z:Nullable(String)} AS z'
    expect(await db.query(sql, { n: 7, a: ["x'y", 'z\\'], z: null })).toEqual([
      { n: 7, a: ["x'y", 'z\\'], z: null },
    ])
  })

  test('a forgotten parameter is an error, never the value of an earlier query', async () => {
    for (let i = 0; i < 8; i += 1) await db.query('SELECT {secret:String} AS x', { secret: 'a' })
    await expect(db.query('SELECT {secret:String} AS x')).rejects.toThrow(/456|not set/)
  })

  test('parallel queries keep their own parameters', async () => {
    const answers = await Promise.all(
      Array.from(
        { length: 60 },
        async (_, i) => (await db.query<{ x: string }>('SELECT {p:String} AS x', { p: `${i}` }))[0],
      ),
    )
    expect(answers.map((row) => row?.x)).toEqual(Array.from({ length: 60 }, (_, i) => `${i}`))
  })

  test('errors carry the code of the engine and say whether a retry makes sense', async () => {
    await expect(db.query('SELEC 1')).rejects.toMatchObject({ code: 'clickhouse_refused', retriable: false })
    await expect(db.query('SELECT * FROM nowhere')).rejects.toThrow(/60 UNKNOWN_TABLE/)
    await expect(db.insert('t', [{ k: 1, n: 'x' }])).rejects.toMatchObject({ code: 'clickhouse_refused' })
    expect(await db.ping()).toBe(true)
  })

  test('what an insert was refused for quotes nothing of its rows', async () => {
    for (const row of [{ n: 'leak' }, { k: 'leak', n: ['leak'] }]) {
      const refused = await db.insert('t', [{ ...row, v: '"leak" \'leak\' leak' }]).catch((err) => err)
      expect(refused).toMatchObject({
        code: 'clickhouse_refused',
        message: expect.stringMatching(/^ClickHouse \d+ /),
      })
      expect(inspect(refused, { depth: 9 })).not.toContain('leak')
    }
  })

  test('a page is read while 200,000 rows are written', async () => {
    let writing = true
    const writer = (async () => {
      for (let i = 0; i < 10; i += 1)
        await db.insert('t', rows(20_000, `bulk${i}-`), { dedupToken: `bulk:${i}` })
      writing = false
    })()
    let reads = 0
    while (writing) {
      await db.query('SELECT * FROM t WHERE k = {k:String} LIMIT 1 BY k', { k: 'once-7' })
      reads += 1
    }
    await writer
    expect(reads).toBeGreaterThan(10)
    expect(await countOf('bulk')).toBe(200_000)
  }, 60_000)

  test('gzip is understood both ways', async () => {
    const response = await fetch(
      `${engine.url}/?query=${encodeURIComponent('INSERT INTO longwire.t FORMAT JSONEachRow')}`,
      {
        method: 'POST',
        headers: { 'content-encoding': 'gzip' },
        body: gzipSync('{"k":"zipped-1","n":1,"v":"x"}\n'),
      },
    )
    expect(response.status).toBe(200)
    expect(JSON.parse(response.headers.get('x-clickhouse-summary') ?? '{}')).toMatchObject({
      written_rows: '1',
    })
    expect(await countOf('zipped-')).toBe(1)
    const raw = await rawRequest(`${engine.url}/?enable_http_compression=1&query=SELECT%201`)
    expect(gunzipSync(raw).toString()).toBe('1\n')
  })

  test.each([
    ['/nowhere', {}, 404],
    ['/?query=SELECT%201', { origin: 'https://evil.example' }, 403],
    ['/?query=SELECT%201&a-b=1', {}, 400],
    ['/?query=SELECT%201&no_such_setting_at_all=1', {}, 400],
    ['/?database=nowhere&query=SELECT%201', {}, 404],
  ])('a bad request %s is refused and harms nothing', async (target, headers, status) => {
    const response = await fetch(engine.url + target, {
      method: 'POST',
      headers: headers as Record<string, string>,
    })
    expect(response.status).toBe(status)
    expect(await response.text()).toMatch(/^Code: \d+\. DB::Exception/)
    expect(await db.ping()).toBe(true)
  })

  test('data survives a restart, and a kill -9 loses nothing that was acknowledged', async () => {
    await engine.restart()
    expect(await countOf('once-')).toBe(200)
    await db.insert('t', rows(1000, 'killed-'), { dedupToken: 'killed' })
    engine.kill('SIGKILL')
    await engine.restart()
    expect(await countOf('killed-')).toBe(1000)
    await db.insert('t', rows(1000, 'killed-'), { dedupToken: 'killed' })
    expect(await countOf('killed-')).toBe(1000)
  }, 60_000)
})

// Node's fetch unpacks gzip by itself, so the bytes are read by hand.
async function rawRequest(url: string): Promise<Buffer> {
  const { get } = await import('node:http')
  return new Promise((resolve, reject) => {
    get(url, { headers: { 'accept-encoding': 'gzip' } }, (res) => {
      const chunks: Buffer[] = []
      res.on('data', (chunk: Buffer) => chunks.push(chunk))
      res.on('end', () => resolve(Buffer.concat(chunks)))
    }).on('error', reject)
  })
}
