/** What a replay refuses: by a code, with what to do, and with nothing switched. */
import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../../infra/clock.ts'
import { ORIGINAL } from '../../../projections/namespaces/registry.ts'
import { openRegistry } from '../../../projections/namespaces/writer.ts'
import { buildAside, buildNamespace, switchTo } from '../../../projections/replay/replay.ts'
import { differencesIn } from '../../../projections/replay/report.ts'
import type { Stage } from '../../../projections/replay/stage.ts'
import type { Clock } from '../../../schemas/ports.ts'
import { topics } from '../../../schemas/topics.ts'
import { startEngines } from '../../support/projections/engines.ts'
import { replayPlatform } from '../../support/projections/replay-platform.ts'

let engines: Awaited<ReturnType<typeof startEngines<true>>>

beforeAll(async () => {
  engines = await startEngines({ clickhouse: true })
})
afterAll(() => engines?.stop())

let stops: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const stop of stops) await stop()
  stops = []
})

async function platform(projection: 'live' | 'archive', seed: number) {
  const on = await replayPlatform(engines, projection, seed)
  stops.push(on.stop)
  const namesOf = () => on.follower.of(projection).namespaces.map(({ name }) => name || ORIGINAL)
  return { ...on, namesOf, activeOf: () => on.follower.of(projection).active }
}

const compare = (stage: Stage, other: string) => stage.compare('', other, () => {})

test('an unknown projection is refused before anything is asked, with those there are', () => {
  const file = path.resolve(import.meta.dirname, '../../../projections/replay/main.ts')
  const { status, stderr } = spawnSync(process.execPath, [file, 'search'], { encoding: 'utf8' })
  expect(status).toBe(2)
  expect(stderr).toMatch(/'search' is invalid.*live, archive/)
})

test('a log whose beginning is gone is refused, and nothing is begun', async () => {
  const on = await platform('live', 11)
  await on.settled()
  on.broker.trim(topics.events, 1, 40)
  for (const build of [() => buildNamespace(on.context), () => buildAside(on.context, { note: 'a part' })])
    await expect(build()).rejects.toMatchObject({
      code: 'truncated',
      message: expect.stringMatching(/im\.events\/1 begins at offset 40.*Restore/),
    })
  expect(on.namesOf()).toEqual([ORIGINAL])
})

test('a log whose beginning goes while it is replayed ends the replay where it is, and nothing is switched', async () => {
  const on = await platform('live', 12)
  await on.settled()
  const { stage } = on
  const late: Stage = {
    ...stage,
    async positions(namespace) {
      const found = await stage.positions(namespace)
      if (namespace !== '') on.broker.trim(topics.events, 0, 60)
      return found
    },
  }
  await expect(buildNamespace({ ...on.context, stage: late })).rejects.toMatchObject({ code: 'truncated' })
  expect(on.activeOf()).toBe('')
  await expect(switchTo(on.context, on.namesOf().at(-1) ?? '')).rejects.toMatchObject({
    code: 'no_namespace',
  })
})

test('a part that begins before the log, or beyond it, is refused, and nothing is begun', async () => {
  const on = await platform('live', 13)
  const build = (window: Parameters<typeof buildAside>[1]['window']) =>
    buildAside(on.context, { note: 'a part', ...(window ? { window } : {}) })
  await expect(build({ from: { by: 'time', ms: 1_000 }, until: null })).rejects.toMatchObject({
    code: 'outside_log',
    message: expect.stringMatching(
      /^1970-.* is before the log, which begins at 20.*name that time or a later/,
    ),
  })
  await expect(build({ from: null, until: { by: 'offset', offset: 1e9 } })).rejects.toMatchObject({
    code: 'outside_log',
    message: expect.stringMatching(/ends at offset \d+ at the most/),
  })
  expect(on.namesOf()).toEqual([ORIGINAL])
})

test('a record in a schema of a later release is refused with its place; the release that knows it goes on in the same namespace', async () => {
  const on = await platform('live', 14)
  await on.settled()
  on.writer.poison('g:later')
  await expect(buildNamespace({ ...on.context, passUnknown: false })).rejects.toMatchObject({
    code: 'unknown_schema',
    message: expect.stringMatching(/im\.events\/\d offset \d+: unknown payload schema .*--pass-unknown/),
  })
  expect(on.activeOf()).toBe('')
  const [, begun] = on.namesOf()
  expect(on.follower.of('live').namespaces.at(-1)?.state).toBe('building')
  const { namespace } = await buildNamespace(on.context)
  expect(namespace).toBe(begun)
  expect((await compare(on.stage, namespace)).examples).toEqual([])
})

test('an archive that lost a day is found by the comparison and left as it is; what was built has that day', async () => {
  const on = await platform('archive', 15)
  await on.settled()
  const lost = on.clickhouse()
  const count = async (database: string, table: string): Promise<number> => {
    const [row] = await lost.query<{ n: string }>(
      `SELECT toString(count()) AS n FROM ${database}.${table} FINAL`,
    )
    return Number(row?.n)
  }
  const original = 'of_archive_15'
  const before = { events: await count(original, 'events'), items: await count(original, 'items') }
  const [middle] = await lost.query<{ ms: string }>(
    'SELECT toString(toUnixTimestamp64Milli(quantileExact(0.5)(time))) AS ms FROM events',
  )
  for (const [table, ms] of [
    ['events', 'toUnixTimestamp64Milli(time)'],
    ['items', 'time_ms'],
    ['messages', 'toUnixTimestamp64Milli(time)'],
  ])
    await lost.command(`ALTER TABLE ${table} DELETE WHERE ${ms} < ${middle?.ms} SETTINGS mutations_sync = 2`)
  expect(await count(original, 'events')).toBeLessThan(before.events)
  const { namespace } = await buildNamespace(on.context)
  const found = await compare(on.stage, namespace)
  expect(differencesIn(found)).toBeGreaterThan(100)
  expect([...found.kinds].filter(([, { different }]) => different > 0).map(([kind]) => kind)).toEqual([
    'messages',
    'items',
    'events',
  ])
  expect(new Set(found.examples.map(({ inActive }) => inActive))).toEqual(new Set(['']))
  expect(on.activeOf()).toBe('')
  await switchTo(on.context, namespace)
  for (const table of ['events', 'items'] as const)
    expect(await count(`${original}_${namespace}`, table), table).toBe(before[table])
  await lost.close()
})

/** Time as a process has it that is killed: from then on nothing of it runs. */
function mortal(): { readonly clock: Clock; kill(): void } {
  let dead = false
  const unlessDead =
    (work: () => void): (() => void) =>
    () => {
      if (!dead) work()
    }
  return {
    clock: { ...systemClock, after: (ms, work) => systemClock.after(ms, unlessDead(work)) },
    kill() {
      dead = true
    },
  }
}

describe.each(['live', 'archive'] as const)('a replay of %s that was killed', (projection) => {
  test('goes on where it was by the same command, once its lease has run out', async () => {
    const on = await platform(projection, 16)
    await on.settled()
    await on.lease.release()
    const { clock, kill } = mortal()
    const registry = await openRegistry({ store: on.store, follower: on.follower, clock, by: 'one' })
    const lease = await registry.lease(projection, 'a replay')
    const { promise: died, resolve } = Promise.withResolvers<void>()
    const dying: Stage = {
      ...on.stage,
      sink(...args) {
        const { sink, close } = on.stage.sink(...args)
        let batches = 0
        return {
          sink: {
            ...sink,
            async apply(...batch) {
              const result = await sink.apply(...batch)
              if (++batches < 2) return result
              kill()
              resolve()
              return new Promise<never>(() => {})
            },
          },
          close,
        }
      },
    }
    void buildNamespace({ ...on.context, stage: dying, clock, registry, lease })
    await died
    const [, begun] = on.namesOf()
    const next = await openRegistry({ store: on.store, follower: on.follower, clock: systemClock, by: 'two' })
    const taken = await next.lease(projection, 'a replay')
    const { namespace } = await buildNamespace({ ...on.context, registry: next, lease: taken })
    expect(namespace).toBe(begun)
    expect((await compare(on.stage, namespace)).examples).toEqual([])
    await taken.release()
    await next.close()
    await registry.close()
  })
})
