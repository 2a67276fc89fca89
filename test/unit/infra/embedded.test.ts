import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { deflateRawSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { parseInsert, parseRequest, quote } from '../../../infra/embedded/chdb-request.ts'
import { freePorts, isPortFree, stablePorts } from '../../../infra/embedded/ports.ts'
import { identify, isRunning } from '../../../infra/embedded/process-identity.ts'
import { lockDataDir, openRunRecord, stopLeftovers } from '../../../infra/embedded/run-record.ts'
import { readZipEntry } from '../../../infra/embedded/zip.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'longwire-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

const sleeper = () =>
  spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { detached: true, stdio: 'ignore' })
const gone = () => {
  const { pid } = spawnSync(process.execPath, ['-e', ''])
  return { pid, startedAt: 'long ago' }
}

describe('the data folder', () => {
  test('is refused while a process that runs holds it', () => {
    const lock = lockDataDir(dir)
    expect(() => lockDataDir(dir)).toThrow(/in use by process \d+: stop it, or set LONGWIRE_DATA/)
    lock.release()
    lockDataDir(dir).release()
  })

  test('is taken over from a holder that is dead, even when its pid lives again', () => {
    writeFileSync(path.join(dir, 'lock.json'), JSON.stringify(gone()))
    lockDataDir(dir).release()
    writeFileSync(
      path.join(dir, 'lock.json'),
      JSON.stringify({ pid: process.pid, startedAt: 'another time' }),
    )
    lockDataDir(dir).release()
  })

  test('with a damaged lock can be used', () => {
    writeFileSync(path.join(dir, 'lock.json'), '{"pid":')
    lockDataDir(dir).release()
    expect(existsSync(path.join(dir, 'lock.json'))).toBe(false)
  })

  test('what a killed run left is stopped, even when it is paused', async () => {
    const [left, paused] = [sleeper(), sleeper()]
    const record = openRunRecord(dir)
    record.add('left', left.pid ?? 0)
    record.add('paused', paused.pid ?? 0)
    paused.kill('SIGSTOP')
    expect((await stopLeftovers(dir)).sort()).toEqual(['left', 'paused'])
    expect(identify(left.pid ?? 0)).toBeUndefined()
    expect(identify(paused.pid ?? 0)).toBeUndefined()
  })

  test('a stranger that was given the pid of an old process is left alone', async () => {
    const stranger = sleeper()
    const pid = stranger.pid ?? 0
    writeFileSync(path.join(dir, 'run.json'), JSON.stringify([{ name: 'kafka-1', pid, startedAt: 'before' }]))
    expect(await stopLeftovers(dir)).toEqual([])
    const identity = identify(pid)
    expect(identity && isRunning(identity)).toBe(true)
    stranger.kill('SIGKILL')
  })
})

describe('ports', () => {
  test('are kept while they are free and changed when one is taken', async () => {
    const ports = await stablePorts(dir, 3)
    expect(new Set(ports).size).toBe(3)
    expect(await stablePorts(dir, 3)).toEqual(ports)
    const { createServer } = await import('node:net')
    const holder = createServer().listen(ports[1], '127.0.0.1')
    await new Promise((resolve) => holder.once('listening', resolve))
    expect(await isPortFree(ports[1] ?? 0, '127.0.0.1')).toBe(false)
    expect(await stablePorts(dir, 3)).not.toEqual(ports)
    await new Promise((resolve) => holder.close(resolve))
  })

  test('are all different', async () => {
    expect(new Set(await freePorts(20)).size).toBe(20)
  })
})

describe('a zip archive', () => {
  const archive = zipOf('folder/a.txt', Buffer.from('hello '.repeat(100)))
  test('gives an entry back byte for byte', () => {
    expect(readZipEntry(archive, 'folder/a.txt')?.toString()).toBe('hello '.repeat(100))
    expect(readZipEntry(archive, 'folder/b.txt')).toBeUndefined()
  })
  test('that is none is an error, not a hang', () => {
    expect(() => readZipEntry(Buffer.from('not a zip at all, really not'), 'a')).toThrow('not a zip')
    expect(() => readZipEntry(Buffer.alloc(0), 'a')).toThrow('not a zip')
  })
})

describe('a request of the HTTP interface', () => {
  const parse = (query: string, body = '') => parseRequest(new URLSearchParams(query), Buffer.from(body))
  test('reads the query from the body, or from the address with data in the body', () => {
    expect(parse('', 'SELECT 1')).toMatchObject({ kind: 'read', sql: 'SELECT 1', data: undefined })
    const insert = parse('query=INSERT+INTO+t+FORMAT+JSONEachRow&async_insert=0&query_id=q', '{}')
    expect(insert).toMatchObject({ kind: 'write', sql: 'INSERT INTO t FORMAT JSONEachRow', queryId: 'q' })
    expect([...insert.settings]).toEqual([['async_insert', '0']])
  })
  test('keeps a comment from hiding a write', () => {
    expect(parse('', '-- x\n/* y */ DROP TABLE t').kind).toBe('write')
  })
  test.each(['', '  ', '-- only a comment\n'])('refuses an empty query %j', (body) => {
    expect(() => parse('', body)).toThrow('Code: 62')
  })
  test.each(['param_a-b=1', 'a%20b=1', 'database=a%60b', 'default_format=x%3By'])(
    'refuses a bad name: %s',
    (query) => {
      expect(() => parse(query, 'SELECT 1')).toThrow(/^Code: \d+/)
    },
  )
  test('takes an insert apart', () => {
    expect(parseInsert('INSERT INTO db.t (a, `b`)\n FORMAT JSONEachRow')).toEqual({
      table: 'db.t',
      columns: ['a', 'b'],
      format: 'JSONEachRow',
    })
    expect(() => parseInsert('INSERT INTO t SELECT 1')).toThrow('Code: 62')
  })
  test('a string literal cannot be left', () => {
    expect(quote("a'; DROP TABLE t -- \\")).toBe("'a\\'; DROP TABLE t -- \\\\'")
  })
})

function zipOf(name: string, content: Buffer): Buffer {
  const packed = deflateRawSync(content)
  const nameBytes = Buffer.from(name)
  const local = Buffer.alloc(30)
  local.writeUInt32LE(0x04034b50, 0)
  local.writeUInt16LE(nameBytes.length, 26)
  const central = Buffer.alloc(46)
  central.writeUInt32LE(0x02014b50, 0)
  central.writeUInt16LE(8, 10)
  central.writeUInt32LE(packed.length, 20)
  central.writeUInt32LE(content.length, 24)
  central.writeUInt16LE(nameBytes.length, 28)
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50, 0)
  end.writeUInt16LE(1, 10)
  end.writeUInt32LE(local.length + nameBytes.length + packed.length, 16)
  return Buffer.concat([local, nameBytes, packed, central, nameBytes, end])
}

test('the record of a run names its processes', () => {
  const child = sleeper()
  openRunRecord(dir).add('kafka-1', child.pid ?? 0)
  expect(JSON.parse(readFileSync(path.join(dir, 'run.json'), 'utf8'))).toMatchObject([
    { name: 'kafka-1', pid: child.pid },
  ])
  child.kill('SIGKILL')
})
