import { describe, expect, test } from 'vitest'
import { systemClock } from '../../../infra/clock.ts'
import { silentLog } from '../../../infra/log.ts'
import { createMemoryLog } from '../../../infra/memory/log.ts'
import { cutMessages, destroyUser, holdUser } from '../../../projections/content-keys/destroy.ts'
import { followContentKeys } from '../../../projections/content-keys/follower.ts'
import { parsePackId } from '../../../schemas/ids.ts'
import type { ContentKey } from '../../../schemas/records.ts'
import { sharedTopics } from '../../../schemas/topics.ts'
import { happening } from '../../support/fanout-given.ts'
import { newPackId } from '../../support/gateway.ts'

const SECRET = Buffer.alloc(32, 7)
const T0 = Date.UTC(2026, 10, 22)
const written = { by: 'test', at: T0 }
const packIdAt = (time: number): Buffer => parsePackId(newPackId(time)) as Buffer
const said = Buffer.from('{"text":"hello"}')

async function platform() {
  const store = createMemoryLog(systemClock)
  const admin = await store.admin()
  await admin.ensureTopics(sharedTopics(1))
  return {
    follow: (secret = SECRET, recentOnly = false) =>
      followContentKeys({
        ...{ store, secret, clock: systemClock, logger: silentLog, by: 'test', recentOnly },
        failed(fault) {
          throw fault
        },
      }),
  }
}

type Keys = Awaited<ReturnType<Awaited<ReturnType<typeof platform>>['follow']>>

async function send(keys: Keys, user: string, packId: Buffer) {
  const { keyId, content } = await keys.seal(user, packId, said)
  return happening('MessageSent', { packId, sender: user, keyId, content })
}
const read = async (keys: Keys, message: Awaited<ReturnType<typeof send>>): Promise<string | null> => {
  const [payload] = await keys.openedAll([message])
  if (payload?.type !== 'MessageSent') throw new Error('no message')
  return payload.keyId === null ? payload.content.toString() : null
}
const writeAll = async (keys: Keys, all: readonly ContentKey[]): Promise<void> => {
  for (const key of all) await keys.write(key)
}

describe('a content that one process has sealed', () => {
  test('is opened by every other, and sealed again it is the same', async () => {
    const { follow } = await platform()
    const [one, two] = [await follow(), await follow()]
    const packId = packIdAt(T0)
    const message = await send(one, 'ann', packId)
    expect(message.content.includes('hello')).toBe(false)
    expect(await read(two, message)).toBe(said.toString())
    expect(await send(two, 'ann', packId)).toEqual(message)
    const late = await follow()
    expect(await read(late, message)).toBe(said.toString())
    for (const keys of [one, two, late]) await keys.stop()
  })

  test('has one key, though several made one at the same time', async () => {
    const { follow } = await platform()
    const all = [await follow(), await follow(), await follow()]
    const messages = await Promise.all(all.map((keys) => send(keys, 'ann', packIdAt(T0))))
    for (const keys of all)
      for (const message of messages) expect(await read(keys, message)).toBe(said.toString())
    const later = await Promise.all(all.map((keys) => send(keys, 'ann', packIdAt(T0))))
    expect(new Set(later.map(({ keyId }) => keyId)).size).toBe(1)
    for (const keys of all) await keys.stop()
  })

  test('is not opened with another secret, and that is said at the start', async () => {
    const { follow } = await platform()
    const keys = await follow()
    await send(keys, 'ann', packIdAt(T0))
    await expect(follow(Buffer.alloc(32, 8))).rejects.toMatchObject({ code: 'wrong_keys_secret' })
    await keys.stop()
  })

  test('has nothing any more where its key is not in the log', async () => {
    const { follow } = await platform()
    const [keys, elsewhere] = [await follow(), await (await platform()).follow()]
    const message = await send(elsewhere, 'ann', packIdAt(T0))
    expect(await read(keys, message)).toBeNull()
    await keys.stop()
    await elsewhere.stop()
  })
})

describe('keys', () => {
  test('seal at once where they are known, so that nothing overtakes; whoever waits for a first one keeps his place', async () => {
    const { follow } = await platform()
    const keys = await follow()
    const first = keys.seal('ann', packIdAt(T0), said)
    const second = keys.seal('ann', packIdAt(T0), said)
    expect([first, second].every((one) => one instanceof Promise)).toBe(true)
    const order: number[] = []
    await Promise.all([
      Promise.resolve(first).then(() => order.push(1)),
      Promise.resolve(second).then(() => order.push(2)),
    ])
    expect(order).toEqual([1, 2])
    expect(keys.seal('ann', packIdAt(T0), said)).not.toBeInstanceOf(Promise)
    await keys.stop()
  })

  test('of two that change one at the same time the first counts, for whoever reads later too', async () => {
    const { follow } = await platform()
    const [one, two] = [await follow(), await follow()]
    const message = await send(one, 'ann', packIdAt(T0))
    await two.untilRead()
    const [gone] = destroyUser(one.ring, 'ann', null, written)
    const sealed = [{ keyId: message.keyId ?? '', packId: packIdAt(T0) }]
    const [, root] = cutMessages(two.ring, SECRET, sealed, { by: 'another', at: T0 }).keys
    const results = await Promise.allSettled([one.write(gone as ContentKey), two.write(root as ContentKey)])
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    const late = await follow()
    const stands = [one, two, late].map(({ ring }) => ring.get(message.keyId ?? ''))
    expect(new Set(stands.map((key) => `${key?.state} ${key?.by}`)).size).toBe(1)
    // What is kept by compaction is the last record: it says the same.
    expect(stands[2]?.version).toBe(2)
    for (const keys of [one, two, late]) await keys.stop()
  })
})

describe('destroying', () => {
  test('one message leaves all others of the user, and what he sends later', async () => {
    const { follow } = await platform()
    const keys = await follow()
    const messages = []
    for (let i = 0; i < 40; i++) messages.push(await send(keys, 'ann', packIdAt(T0 + i * 86_400_000)))
    const gone = messages.filter((_, i) => i % 3 === 0)
    const sealed = gone.map(({ keyId, packId }) => ({ keyId: keyId ?? '', packId }))
    const { keys: records, left } = cutMessages(keys.ring, SECRET, sealed, written)
    expect(left).toEqual([])
    await writeAll(keys, records)
    expect(cutMessages(keys.ring, SECRET, sealed, written).keys).toEqual([])
    const late = await follow()
    for (const message of messages)
      expect(await read(late, message)).toBe(gone.includes(message) ? null : said.toString())
    expect(await read(keys, await send(late, 'ann', packIdAt(T0)))).toBe(said.toString())
    await keys.stop()
    await late.stop()
  })

  test('where old parts are not kept, what lies in them is not opened, and everything else is', async () => {
    const { follow } = await platform()
    const keys = await follow()
    const [old, beside, recent] = [
      await send(keys, 'ann', packIdAt(T0 - 400 * 86_400_000)),
      await send(keys, 'ann', packIdAt(T0 - 200 * 86_400_000)),
      await send(keys, 'ann', packIdAt(systemClock.now())),
    ]
    const cut = [old, recent].map(({ keyId, packId }) => ({ keyId: keyId ?? '', packId }))
    await writeAll(keys, cutMessages(keys.ring, SECRET, cut, written).keys)
    const gateway = await follow(SECRET, true)
    expect(gateway.ring.size()).toBe(keys.ring.size() - 1)
    for (const message of [old, recent]) expect(await read(gateway, message)).toBeNull()
    expect(await read(gateway, beside)).toBe(said.toString())
    expect(await read(keys, await send(gateway, 'ann', packIdAt(systemClock.now())))).toBe(said.toString())
    await keys.stop()
    await gateway.stop()
  })

  test('goes on where its writer died after the part and before the rest', async () => {
    const { follow } = await platform()
    const keys = await follow()
    const [message, other] = [await send(keys, 'ann', packIdAt(T0)), await send(keys, 'ann', packIdAt(T0))]
    const sealed = [{ keyId: message.keyId ?? '', packId: message.packId }]
    const [part] = cutMessages(keys.ring, SECRET, sealed, written).keys
    await keys.write(part as ContentKey)
    expect(await read(keys, message)).toBeNull()
    const rest = cutMessages(keys.ring, SECRET, sealed, written).keys
    expect(rest.map(({ id }) => id)).toEqual([message.keyId])
    await writeAll(keys, rest)
    expect(await read(keys, message)).toBeNull()
    expect(await read(keys, other)).toBe(said.toString())
    expect(cutMessages(keys.ring, SECRET, sealed, written).keys).toEqual([])
    await keys.stop()
  })

  test('all of a user: for a time auditors read it, then nobody; others and his new messages stay', async () => {
    const { follow } = await platform()
    const keys = await follow()
    const [his, hers, cut] = [
      await send(keys, 'bob', packIdAt(T0)),
      await send(keys, 'ann', packIdAt(T0)),
      await send(keys, 'bob', packIdAt(T0)),
    ]
    await writeAll(
      keys,
      cutMessages(keys.ring, SECRET, [{ keyId: cut.keyId ?? '', packId: cut.packId }], written).keys,
    )
    await writeAll(keys, holdUser(keys.ring, 'bob', T0 + 1_000, written))
    expect([await read(keys, his), await read(keys, hers)]).toEqual([null, said.toString()])
    expect(keys.ring.leaf(his.keyId ?? '', his.packId, true)).toBeInstanceOf(Buffer)
    const later = await send(keys, 'bob', packIdAt(T0))
    expect(await read(keys, later)).toBe(said.toString())
    expect(destroyUser(keys.ring, 'bob', T0, written)).toEqual([])
    await writeAll(keys, destroyUser(keys.ring, 'bob', T0 + 1_000, written))
    expect(keys.ring.leaf(his.keyId ?? '', his.packId, true)).toBe('destroyed')
    expect(await read(keys, later)).toBe(said.toString())
    expect(keys.ring.ofUser('bob').filter((id) => keys.ring.get(id)?.tree).length).toBe(1)
    await writeAll(keys, destroyUser(keys.ring, 'bob', null, written))
    expect([await read(keys, later), await read(keys, hers)]).toEqual([null, said.toString()])
    await keys.stop()
  })
})
