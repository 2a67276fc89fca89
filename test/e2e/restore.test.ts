/**
 * Kafka's data is gone: `npm run restore`, with more partitions than before, and people chat on as if nothing had been. What is lost
 * was written by a newer release than the one that restores it.
 */
import { rm } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runCommand } from '../support/command.ts'
import { newPackId } from '../support/gateway.ts'
import { rawClient } from '../support/gateway-client.ts'
import { allOf, personOf, until } from '../support/person.ts'
import { type Platform, startPlatform } from '../support/platform.ts'

const AFTER = { LONGWIRE_GENERATION: '2', LONGWIRE_PARTITIONS: '12' }
const NEWER = path.resolve(import.meta.dirname, '../support/newer-roles.ts')
const packId = newPackId()
let platform: Platform
let runs = true
let chat = ''
let before: Awaited<ReturnType<typeof seenByAlice>>
let firstSeq = 0
let records = 0

beforeAll(async () => {
  platform = await startPlatform(undefined, { NODE_OPTIONS: `--import ${NEWER}` })
})
afterAll(async () => {
  if (runs) expect(await platform?.stop()).toBe(0)
  else await rm(platform.dataDir, { recursive: true, force: true })
})

const person = (user: string) => personOf({ url: platform.ws, token: () => platform.mint(user), user })

const restore = (settings: Readonly<Record<string, string>>, ...args: string[]) =>
  runCommand(platform.dataDir, 'projections/restore/main.ts', args, settings)

/** Sends a text to bob under a packId of the test's own and resolves to the answer. */
async function sendOnce(ws = platform.ws) {
  const client = await rawClient(ws)
  client.login(await platform.mint('alice'))
  await client.next('welcome')
  const content = { contentType: 'text', content: { text: 'only once' }, mentions: [], mentionAll: false }
  client.send({ type: 'send', packId, to: 'bob', ...content })
  const answer = await client.next('committed')
  client.close()
  return answer
}

/** Every conversation of hers, whole, with what is unread. */
async function seenByAlice() {
  const { me } = await person('alice')
  const list = await me.conversations()
  const seen = await Promise.all(
    list.map(async ({ conversationId, unread, lastSeq }) => {
      const all = await allOf(me, conversationId)
      return { conversationId, unread, lastSeq, all: all.map(({ seq, content }) => [seq, content]) }
    }),
  )
  await me.close()
  return seen.sort((a, b) => (a.conversationId < b.conversationId ? -1 : 1))
}

const ask = async (body: string): Promise<string> =>
  (await (await fetch(platform.clickhouse, { method: 'POST', body })).text()).trim()
const archived = async (database: string): Promise<number> =>
  Number(await ask(`SELECT count() FROM ${database}.events_once`))

describe('when the logs are lost', () => {
  test('the platform does not begin a new log beside a full archive, and says what to do', async () => {
    const alice = await person('alice')
    const bob = await person('bob')
    chat = (await alice.me.send({ to: 'bob', text: 'one' })).conversationId
    const taken = await bob.me.send({ to: 'alice', text: 'take this back' })
    await bob.me.recall(chat, taken.seq)
    const wrong = await alice.me.send({ to: 'bob', text: 'wrogn' })
    await alice.me.edit(chat, wrong.seq, { text: 'right' })
    const group = await bob.me.createGroup({ name: 'three', members: ['alice', 'carol'] })
    for (let i = 1; i <= 10; i++) await bob.me.send({ conversationId: group.conversationId, text: `g${i}` })
    for (let i = 1; i <= 10; i++) await alice.me.send({ to: `friend-${i}`, text: `hello ${i}` })
    const refused = alice.me.send({ conversationId: 'g:nothing', text: 'no' })
    await expect(refused).rejects.toMatchObject({ code: 'not_member' })
    // Through a gateway of this release: another's commands are other bytes, which a repetition must not be.
    const older = await platform.addGateway('older')
    firstSeq = (await sendOnce(older.ws)).seq
    // 5 commands in the chat with bob, the group and its messages, the friends, the refused one, the one under its own packId.
    await until('all is in the archive', async () => {
      records = await archived('longwire')
      await sleep(200)
      return records >= 28
    })
    await Promise.all([alice.me.close(), bob.me.close()])
    await until('all is in the read models', async () => {
      before = await seenByAlice()
      return before.some(({ conversationId, lastSeq }) => conversationId === chat && lastSeq === firstSeq)
    })
    expect(await platform.stop({ keep: true })).toBe(0)
    runs = false
    await rm(path.join(platform.dataDir, 'kafka'), { recursive: true })
    await expect(startPlatform(platform.dataDir)).rejects.toThrow(/im\.events is empty.*npm run restore/)
  })

  test('they are restored as a new generation, with other partitions, and the old settings are refused', async () => {
    const restored = await restore({}, '--partitions', '12')
    expect(restored.code, restored.printed).toBe(0)
    expect(restored.printed).toContain(`restored ${records} records as generation 1, in 12 partitions`)
    const settings = 'set LONGWIRE_GENERATION=2 and LONGWIRE_PARTITIONS=12'
    await expect(startPlatform(platform.dataDir)).rejects.toThrow(settings)
  })

  test('all is as it was, the next message gets the next seq, and an old packId its old one', async () => {
    platform = await startPlatform(platform.dataDir, AFTER)
    runs = true
    await until('the read models are built', async () => {
      const after = await seenByAlice().catch(() => null)
      return JSON.stringify(after) === JSON.stringify(before)
    })
    expect(await sendOnce()).toMatchObject({ seq: firstSeq, repeat: true })
    const bob = await person('bob')
    expect((await bob.me.send({ to: 'alice', text: 'on we go' })).seq).toBe(firstSeq + 1)
    await bob.me.close()
    await until(
      'the archive has what came since',
      async () => (await archived('longwire_g1')) === records + 2,
    )
    const verified = await runCommand(platform.dataDir, 'projections/verify/main.ts', [], AFTER)
    expect(verified.code, verified.printed).toBe(0)
  })
})
