/** Trace and export over a real archive that follows a log in memory. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../../infra/clock.ts'
import { table } from '../../../infra/terminal.ts'
import { noContentKeys } from '../../../projections/content-keys/follower.ts'
import { exportOf, type Subject } from '../../../projections/export/export.ts'
import { checkFolder, intoFolder, openLineFile } from '../../../projections/export/files.ts'
import { traceText } from '../../../projections/trace/text.ts'
import { traceOf } from '../../../projections/trace/trace.ts'
import { decodeEventPayload } from '../../../schemas/codec.ts'
import { formatPackId, p2pId, partitionOf, userStream } from '../../../schemas/ids.ts'
import type { Envelope } from '../../../schemas/records.ts'
import {
  addMembers,
  block,
  edit,
  markRead,
  recall,
  removeMembers,
  requestJoin,
  send,
} from '../../support/commands.ts'
import { startEngines } from '../../support/projections/engines.ts'
import { following, type VerifiedLog, verifiedLog, verifierOf } from '../../support/projections/verified.ts'

const pair = p2pId('ann', 'bob')
let engines: Awaited<ReturnType<typeof startEngines<true>>>
let log: VerifiedLog
let team: string
let hello: Envelope
let message: Envelope
let refused: Envelope
let folder: string

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'longwire-export-'))
  engines = await startEngines({ clickhouse: true })
  log = verifiedLog()
  const models = await following(log, engines)
  team = log.found('ann', 'bob')
  hello = log.say(pair, 'ann', send('hi'))
  message = log.say(pair, 'bob', send('a secret text'))
  log.say(pair, 'bob', edit(2, 'a better text'))
  log.say(pair, 'ann', block(true))
  log.say(team, 'ann', send('for two'))
  log.say(team, 'ann', removeMembers('bob'))
  log.say(team, 'ann', send('while bob was out'))
  log.say(team, 'zoe', requestJoin('it is me'))
  log.say(team, 'ann', addMembers('bob'))
  refused = log.say(team, 'dan', send('no member'))
  log.say(pair, 'bob', recall(2))
  log.say(userStream('bob'), 'bob', markRead(pair, 1, 1))
  const report = await (await verifierOf(log, engines)).round()
  expect(report.findings.flatMap((of) => of.kinds())).toEqual([])
  await models.stop()
})
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true })
  await engines?.stop()
})

const packIdOf = (envelope: Envelope): string => {
  const payload = decodeEventPayload(envelope)
  return 'packId' in payload ? formatPackId(payload.packId) : ''
}

describe('the trace of a message', () => {
  const trace = (packId: string) =>
    traceOf(
      {
        ...{ store: log.log, clickhouse: engines.clickhouse, shared: engines.clickhouse },
        ...{ partitions: log.partitions, clock: systemClock },
      },
      packId,
    )

  test('names each hop with its place and time, what changed it, and each device it was pushed to', async () => {
    const at = message.time
    const seconds = (ms: number) => ((at + ms) / 1_000).toFixed(3)
    const push = {
      conversation: pair,
      seq: 2,
      rank: 0,
      connection: 'c7',
      gateway: 'gw-1',
      boot: 'b',
      ended: '',
      resends: 0,
    }
    await engines.clickhouse.insert('ledger_pushes', [
      {
        ...{ ...push, user: 'ann', device_id: 'phone-1', device_type: 'phone', transport: 'ws' },
        ...{ time: seconds(0), fanned_at: seconds(3), pushed_at: seconds(4), acked_at: seconds(9) },
      },
    ])
    const found = await trace(packIdOf(message))
    const partition = partitionOf(pair, log.partitions)
    const [way] = found.ways
    expect(way?.command).toMatchObject({ partition, offset: message.source, time: at, stream: pair })
    expect(way?.record).toMatchObject({
      ...{ partition, seq: 2, ordinal: 2, kind: 'event', type: 'MessageSent', archived: 'same bytes' },
      ...{ source: message.source, epoch: 0, sender: 'bob' },
    })
    expect(found.changes.map(({ kind, seq, by }) => `${kind} ${seq} ${by}`)).toEqual([
      'edited 3 bob',
      'recalled 5 bob',
    ])
    expect(found.ledger).toMatchObject({ devices: 1, acked: 1 })
    const text = traceText(table, found)
    for (const part of ['command', 'record', 'archive', 'edited', 'recalled', 'phone-1', '+9 ms'])
      expect(text).toContain(part)
    expect(text).not.toContain('secret')
    expect(text).not.toContain('better')
    expect(text.split('\n').length).toBeLessThan(40)
  })

  test('of a refused command names the code', async () => {
    const found = await trace(packIdOf(refused).toUpperCase())
    expect(found.ways[0]?.record).toMatchObject({ kind: 'rejection', code: 'not_member', seq: 0 })
  })

  test('that nobody knows says where was looked, and what is no packId is refused', async () => {
    const unknown = packIdOf(message).replace(/.{12}$/, '0123456789ab')
    await expect(trace(unknown)).rejects.toThrow(
      /no message has packId .*records of the archive.*commands that im\.commands keeps/,
    )
    await expect(trace('yesterday')).rejects.toThrow(/is no packId/)
  })
})

describe('an export', () => {
  const write = (subject: Subject, name: string) =>
    intoFolder(path.join(folder, name), (part) =>
      exportOf(subject, {
        ...{
          clickhouse: engines.clickhouse,
          shared: engines.clickhouse,
          opener: noContentKeys,
          generation: 0,
          now: systemClock.now(),
        },
        open: (file) => openLineFile(part, file),
      }),
    )
  const linesOf = (name: string) =>
    readFileSync(path.join(folder, name, 'records.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, never>)

  test('of a conversation holds each of its events with the bytes of the log', async () => {
    const manifest = await write({ kind: 'conversation', id: pair }, 'pair')
    expect(manifest).toMatchObject({
      records: 5,
      streams: [{ stream: pair, records: 5, firstSeq: 1, lastSeq: 5 }],
    })
    expect(manifest.types).toEqual({ MessageSent: 2, MessageEdited: 1, Blocked: 1, MessageRecalled: 1 })
    const lines = linesOf('pair')
    expect(lines.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5])
    expect(lines[0]).toMatchObject({
      payload: hello.payload.toString('base64'),
      data: { content: '{"text":"hi"}' },
    })
    // Edited over and recalled: for auditors.
    expect(lines.slice(1, 3)).toMatchObject([{ withheld: true }, { withheld: true }])
    expect(JSON.stringify(lines)).not.toContain('secret')
    expect((await checkFolder(path.join(folder, 'pair'))).wrong).toEqual([])
  })

  test('of a user holds what was said while he was in, and nothing that is not for him', async () => {
    const manifest = await write({ kind: 'user', id: 'bob' }, 'bob')
    const lines = linesOf('bob')
    const seqsOf = (stream: string) => lines.filter((line) => line.stream === stream).map(({ seq }) => seq)
    expect(seqsOf(team)).toEqual([1, 2, 3, 6])
    expect(seqsOf(pair)).toEqual([1, 2, 3, 4, 5])
    expect(seqsOf(userStream('bob'))).toEqual([1])
    const withheld = lines.filter((line) => line.withheld).map(({ stream, seq }) => `${stream} ${seq}`)
    expect(withheld).toEqual([`${pair} 2`, `${pair} 3`, `${pair} 4`])
    expect(manifest.streams.find(({ stream }) => stream === team)?.intervals).toEqual([
      { from: 1, to: 3 },
      { from: 6, to: null },
    ])
    expect(JSON.stringify(lines)).not.toContain('while bob was out')
  })

  test('that somebody changed, cut or added to is found out', async () => {
    await write({ kind: 'conversation', id: team }, 'team')
    const at = path.join(folder, 'team')
    const file = path.join(at, 'records.jsonl')
    const text = readFileSync(file, 'utf8')
    writeFileSync(file, text.replace('for two', 'for you'))
    expect((await checkFolder(at)).wrong).toEqual([expect.stringMatching(/^records\.jsonl has SHA-256 /)])
    const lines = text.split('\n')
    const line = JSON.parse(lines[1] as string) as { payload: string }
    line.payload = `AAAA${line.payload.slice(4)}`
    writeFileSync(file, [lines[0], JSON.stringify(line), ...lines.slice(3)].join('\n'))
    const { wrong } = await checkFolder(at)
    expect(wrong[0]).toBe('records.jsonl line 2: its hash is not that of its payload')
    expect(wrong[1]).toMatch(/has 5 lines, not 6/)
    writeFileSync(file, text)
    writeFileSync(path.join(at, 'more.txt'), 'more')
    expect((await checkFolder(at)).wrong).toEqual(['more.txt is not in the manifest'])
    await expect(checkFolder(folder)).rejects.toThrow(/is this the folder of an export/)
  })

  test('of what is not there, or into a folder that holds something, is refused; of an archive that lost rows too, and nothing is left', async () => {
    await expect(write({ kind: 'user', id: 'nobody' }, 'x')).rejects.toThrow(
      /holds nothing of a user 'nobody'/,
    )
    await expect(write({ kind: 'conversation', id: 'g:none' }, 'x')).rejects.toThrow(/holds no conversation/)
    await expect(write({ kind: 'conversation', id: 'all' }, 'x')).rejects.toThrow(/is no conversation/)
    await expect(write({ kind: 'conversation', id: pair }, 'bob')).rejects.toThrow(/is not empty/)
    await engines.clickhouse.command(
      `ALTER TABLE events DELETE WHERE stream = '${team}' AND seq IN (2, 3) SETTINGS mutations_sync = 2`,
    )
    await expect(write({ kind: 'user', id: 'ann' }, 'x')).rejects.toThrow(
      /lacks seq 2 to 3 of g:.*npm run replay/,
    )
    await expect(checkFolder(path.join(folder, 'x'))).rejects.toThrow(RangeError)
    await expect(checkFolder(path.join(folder, 'x.part'))).rejects.toThrow(RangeError)
  })
})
