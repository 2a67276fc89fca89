import { describe, expect, test } from 'vitest'
import { systemClock } from '../../../infra/clock.ts'
import { silentLog } from '../../../infra/log.ts'
import { createBlock } from '../../../projections/archive/block.ts'
import type { ArchiveWrite } from '../../../projections/archive/project.ts'
import { archiveSink } from '../../../projections/archive/sink.ts'
import type { ArchivePort } from '../../../projections/ports.ts'
import type { Accepted } from '../../../projections/projection.ts'
import { START } from '../../../schemas/accept.ts'
import { Fault } from '../../../schemas/ports.ts'
import { accepted } from '../../support/projections/accepted.ts'

const run = (first: number, count: number): Accepted[] =>
  Array.from({ length: count }, (_, i) => accepted({ offset: first + i, seq: first + i }, 'MessageSent'))

/** A store that takes an insert when it is let to, or fails it. */
function store() {
  const asked: { table: string; token: string; done(): void; fail(err: unknown): void }[] = []
  const clickhouse: ArchivePort = {
    query: async () => [],
    insert: (table, _rows, { dedupToken }) =>
      new Promise((resolve, reject) => {
        asked.push({ table, token: dedupToken, done: resolve, fail: reject })
      }),
  }
  /** Answers what is asked, up to the insert of `events` that is the `blocks`th. */
  async function takes(blocks: number): Promise<void> {
    for (let seen = 0, at = 0; seen < blocks; at++) {
      await expect.poll(() => asked.length).toBeGreaterThan(at)
      asked[at]?.done()
      if (asked[at]?.table === 'events') seen++
    }
  }
  return { clickhouse, asked, takes }
}

const rest = () => new Promise((resolve) => setTimeout(resolve, 20))

const sinkOn = (clickhouse: ArchivePort, blocksAhead: number) =>
  archiveSink({
    ...{ clickhouse, generation: 0, clock: systemClock, logger: silentLog, blocksAhead },
    ...{ rowsPerBlockMax: 10, lingerMs: 1 },
  })

describe('the sink of the archive', () => {
  test('answers when what it was given is there', async () => {
    const { clickhouse, asked, takes } = store()
    let applied = false
    const applying = sinkOn(clickhouse, 0)
      .apply(0, run(0, 10), START)
      .then(() => {
        applied = true
      })
    await expect.poll(() => asked.length).toBe(1)
    expect(applied).toBe(false)
    await takes(1)
    await applying
    expect(asked.at(-1)?.table).toBe('events')
  })

  test('ahead of the store it takes a block more while one is on its way, and no third one; settled means all is there', async () => {
    const { clickhouse, asked, takes } = store()
    const sink = sinkOn(clickhouse, 1)
    await sink.apply(0, run(0, 10), START)
    let third = false
    const taking = sink.apply(0, run(10, 10), START).then(async () => {
      third = true
    })
    await expect.poll(() => asked.length).toBe(3)
    expect(third).toBe(false)
    let settled = false
    const settling = sink.settled?.().then(() => {
      settled = true
    })
    await takes(1)
    await taking
    expect(settled).toBe(false)
    await takes(2)
    await settling
    const tokens = asked.filter(({ table }) => table === 'events').map(({ token }) => token)
    expect(tokens).toEqual(['im.events:0:0:0-9', 'im.events:0:0:10-19'])
    // From then on it may be read, and is written in order.
    const before = asked.length
    const last = sink.apply(0, run(20, 10), START)
    await expect.poll(() => asked.length).toBe(before + 1)
    await rest()
    expect(asked).toHaveLength(before + 1)
    await takes(3)
    await last
  })

  test('lets nothing in behind a block that failed for good, and says so at once', async () => {
    const { clickhouse, asked } = store()
    const sink = sinkOn(clickhouse, 1)
    await sink.apply(0, run(0, 10), START)
    const behind = sink.apply(0, run(10, 10), START)
    behind.catch(() => {})
    await expect.poll(() => asked.length).toBe(3)
    asked[0]?.fail(new Error('a bug'))
    await expect(behind).rejects.toThrow('a bug')
    await expect(sink.apply(0, run(20, 10), START)).rejects.toThrow('a bug')
    await expect(sink.settled?.()).rejects.toThrow('a bug')
    await expect(sink.begin(0, { begin: 0, end: 0 }, false)).rejects.toThrow('a bug')
    for (const { done } of asked) done()
    await rest()
    expect(asked).toHaveLength(3)
  })

  test('ahead of the store it writes tables side by side, and events behind all that they tell of', async () => {
    const { clickhouse, asked, takes } = store()
    const sink = sinkOn(clickhouse, 1)
    await sink.apply(0, run(0, 10), START)
    const second = sink.apply(0, run(10, 10), START)
    const askedFor = () => asked.map(({ table, token }) => `${table} ${token.split(':').at(-1)}`)
    const first = ['single_chats 0-9', 'messages 0-9', 'items 0-9']
    await expect.poll(askedFor).toEqual(first)
    for (const { done } of asked.slice(1)) done()
    await rest()
    expect(askedFor()).toEqual(first)
    asked[0]?.done()
    await expect.poll(askedFor).toEqual([...first, 'messages 10-19', 'items 10-19', 'events 0-9'])
    for (const { done } of asked.slice(0, 5)) done()
    await rest()
    expect(askedFor()).toHaveLength(6)
    await takes(2)
    await second
    expect(askedFor().at(-1)).toBe('events 10-19')
  })

  test('a failure that may pass is tried again with the same block and token', async () => {
    const { clickhouse, asked, takes } = store()
    const applying = sinkOn(clickhouse, 0).apply(0, run(0, 10), START)
    await expect.poll(() => asked.length).toBe(1)
    asked[0]?.fail(new Fault('clickhouse_unreachable', 'away', { retriable: true }))
    await takes(1)
    await applying
    expect(asked[1]).toMatchObject({ table: asked[0]?.table, token: asked[0]?.token })
  })
})

describe('a block', () => {
  const rowsOf = (writes: readonly ArchiveWrite[]) => {
    const block = createBlock(0)
    block.add([accepted({}, 'MessageSent')], () => writes)
    return block
      .tables()
      .map(([table, { columns, parts }]) => [table, columns, Buffer.concat([...parts]).toString()] as const)
  }

  test('has the values of each row in the order of the columns, however the row is written', () => {
    const rows = rowsOf([
      { table: 'changes', row: { conversation: 'g:1', seq: 1, kind: 'é\n"', time: null } },
      { table: 'changes', row: { time: '1.000', seq: 2, conversation: 'g:2', kind: '' } },
    ])
    expect(rows).toEqual([
      [
        'changes',
        ['conversation', 'seq', 'kind', 'time'],
        '["g:1",1,"é\\n\\"",null]\n["g:2",2,"","1.000"]\n',
      ],
    ])
  })

  test('refuses a row with other columns than those before it', () => {
    const row = (more: object) => ({ table: 'changes', row: { conversation: 'g:1', ...more } }) as const
    expect(() => rowsOf([row({ seq: 1 }), row({})])).toThrow('columns')
    expect(() => rowsOf([row({ seq: 1 }), row({ kind: '' })])).toThrow('columns')
    expect(() => rowsOf([row({ seq: 1 }), row({ seq: 1, kind: '' })])).toThrow('columns')
  })
})
