import { expect, test } from 'vitest'
import { brokenBuilds } from '../chaos/broken/builds.ts'
import { faultText, scheduleOf } from '../chaos/schedule.ts'
import { fullRun, linkRun, type RunSettings, rebuildRun, smokeRun } from '../chaos/settings.ts'

const seeds = Array.from({ length: 200 }, (_, i) => i * 7919)
const sizes: Omit<RunSettings, 'seed'>[] = [
  fullRun,
  smokeRun,
  linkRun,
  rebuildRun,
  ...brokenBuilds.map(({ settings }) => settings),
]

test('the same seed gives the same schedule, another one another', () => {
  const [size] = sizes
  const texts = (seed: number) =>
    scheduleOf({ ...(size as RunSettings), seed }).map(({ atMs, fault }) => `${atMs} ${faultText(fault)}`)
  expect(texts(1)).toEqual(texts(1))
  expect(texts(1)).not.toEqual(texts(2))
})

test('a schedule holds every fault that was asked for, at least 25 kills in the full run', () => {
  for (const seed of seeds)
    for (const size of sizes) {
      const faults = scheduleOf({ ...size, seed }).map(({ fault }) => fault)
      expect(faults.filter(({ kind }) => kind === 'kill')).toHaveLength(size.kills)
      const drops = faults.map((fault) => (fault.kind === 'drop' ? fault.count : 0))
      expect(drops.reduce((sum, count) => sum + count, 0)).toBeGreaterThanOrEqual(size.drops)
      const others = faults.map(({ kind }) => kind).filter((kind) => kind !== 'kill' && kind !== 'drop')
      expect(others.sort()).toEqual([...size.faults].sort())
    }
  expect(fullRun.kills).toBeGreaterThanOrEqual(25)
})

test('never are two of the three brokers away, and no zombie sleeps while another one does', () => {
  for (const seed of seeds)
    for (const size of sizes) {
      let freeAtMs = 0
      for (const { atMs, fault } of scheduleOf({ ...size, seed })) {
        if (!('ms' in fault)) continue
        expect(atMs).toBeGreaterThanOrEqual(freeAtMs)
        freeAtMs = atMs + fault.ms
      }
    }
})
