import { describe, expect, test } from 'vitest'
import { type ArchivePage, heldPages } from '../../../projections/reads/pages.ts'
import type { Item } from '../../../schemas/frames.ts'
import { hiddenItem } from '../../../schemas/item.ts'
import { createRandom } from '../../support/random.ts'

/** A stream of `head` items, and how often and what of it was loaded. */
function given(head: number, contentBytes = 10) {
  const loads: (readonly [string, number, number])[] = []
  const versions = new Map<number, { version: number; recalled: boolean }>()
  const clock = { at: 0, now: () => clock.at }
  const state = { head, content: 'x'.repeat(contentBytes), changesUpTo: 0 }
  const item = (stream: string, seq: number): Item => ({
    ...hiddenItem(stream, seq),
    kind: 'message',
    content: state.content,
  })
  const page = heldPages(async (stream, from, to): Promise<ArchivePage> => {
    loads.push([stream, from, to])
    await Promise.resolve()
    const items: Item[] = []
    for (let seq = from; seq <= Math.min(to, state.head); seq++) items.push(item(stream, seq))
    const known = [...versions].filter(([seq]) => seq >= from && seq <= to)
    return { items, versions: new Map(known), changesUpTo: state.changesUpTo }
  }, clock)
  const seqs = async (...args: Parameters<typeof page>) => (await page(...args)).items.map(({ seq }) => seq)
  return { page, seqs, loads, clock, state, versions }
}

const run = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i)

describe('pages of the archive', () => {
  test('hold exactly what was asked for, whatever was read before', async () => {
    const { seqs, clock } = given(1_000)
    const random = createRandom(7)
    for (let i = 0; i < 500; i++) {
      const from = 1 + random.int(1_000)
      const to = from + random.int(200)
      expect(await seqs('g:1', from, to)).toEqual(from > 1_000 ? [] : run(from, Math.min(to, 1_000)))
      clock.at += random.int(2_000)
    }
  })

  test('that many ask for at once are read once', async () => {
    const { seqs, loads } = given(1_000)
    const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => seqs('g:1', 65 + (i % 20), 110)))
    expect(loads).toEqual([['g:1', 65, 128]])
    expect(answers[3]).toEqual(run(68, 110))
  })

  test('beside each other are read once, and again when they are ten seconds old', async () => {
    const { seqs, page, loads, clock } = given(1_000)
    await seqs('g:1', 100, 120)
    expect((await page('g:1', 70, 99)).held).toBe(true)
    expect(loads).toHaveLength(1)
    clock.at += 10_000
    expect((await page('g:1', 70, 99)).held).toBe(false)
    expect(loads).toHaveLength(2)
  })

  test('of other streams are others', async () => {
    const { page } = given(1_000)
    await page('g:1', 1, 30)
    const other = await page('g:2', 1, 30)
    expect(other.held).toBe(false)
    expect(new Set(other.items.map(({ conversationId }) => conversationId))).toEqual(new Set(['g:2']))
  })

  test('are read anew on demand, with the changes made since', async () => {
    const { page, versions } = given(1_000)
    await page('g:1', 1, 30)
    versions.set(3, { version: 900, recalled: true })
    expect((await page('g:1', 1, 30)).versions.size).toBe(0)
    expect((await page('g:1', 1, 30, true)).versions.get(3)?.version).toBe(900)
    expect((await page('g:1', 1, 30)).versions.get(3)?.version).toBe(900)
  })

  test('know of changes as far as the oldest of their parts does', async () => {
    const { page, state } = given(1_000)
    await page('g:1', 1, 64)
    state.changesUpTo = 700
    expect((await page('g:1', 30, 100)).changesUpTo).toBe(0)
    expect((await page('g:1', 65, 100)).changesUpTo).toBe(700)
  })

  test('say of each item what was newest when that item was read', async () => {
    const { page, versions } = given(1_000)
    await page('g:1', 1, 64)
    versions.set(3, { version: 900, recalled: true })
    versions.set(70, { version: 901, recalled: false })
    expect([...(await page('g:1', 1, 100)).versions.keys()]).toEqual([70])
  })

  test('at the growing end are not held', async () => {
    const { seqs, state } = given(100)
    expect(await seqs('g:1', 90, 120)).toEqual(run(90, 100))
    state.head = 110
    expect(await seqs('g:1', 90, 120)).toEqual(run(90, 110))
  })

  test('read only what is missing between held ones', async () => {
    const { seqs, loads } = given(1_000)
    await seqs('g:1', 1, 64)
    await seqs('g:1', 193, 256)
    expect(await seqs('g:1', 30, 220)).toEqual(run(30, 220))
    expect(loads.at(-1)).toEqual(['g:1', 65, 192])
  })

  test('take no more than 16 MiB: those used longest ago go', async () => {
    const { seqs, loads } = given(10_000, 32_768)
    for (let block = 0; block < 20; block++) await seqs('g:1', block * 64 + 1, block * 64 + 64)
    loads.length = 0
    await seqs('g:1', 19 * 64 + 1, 19 * 64 + 64)
    expect(loads).toEqual([])
    await seqs('g:1', 1, 64)
    expect(loads).toHaveLength(1)
  })

  test('that could not be read are asked for again', async () => {
    let fails = true
    const page = heldPages(
      async () => {
        if (fails) throw new Error('away')
        return { items: [], versions: new Map(), changesUpTo: 0 }
      },
      { now: () => 0 },
    )
    await expect(page('g:1', 1, 30)).rejects.toThrow('away')
    fails = false
    expect((await page('g:1', 1, 30)).items).toEqual([])
  })
})
