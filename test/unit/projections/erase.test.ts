/** What is in Redis and not in the archive yet must not be passed over by an erasure. */
import { expect, test } from 'vitest'
import { createKeyRing } from '../../../projections/content-keys/ring.ts'
import { eraseUser } from '../../../projections/erase/erase.ts'
import { seal } from '../../../schemas/avro.ts'
import { encodeEventPayload } from '../../../schemas/codec.ts'
import { sealContent, wholeTree, wrap } from '../../../schemas/content-keys.ts'
import { type ContentKey, records } from '../../../schemas/records.ts'
import { content, packId } from '../../support/checker-world.ts'
import { happening } from '../../support/fanout-given.ts'
import { virtualTime } from '../../support/virtual-time.ts'

const secret = Buffer.alloc(32, 7)
const id = 'ann~1'

/** Ann has said two things; the second comes into the archive `lateMs` after the erasure has begun. */
function erasure(lateMs: number) {
  const clock = virtualTime(1_000_000)
  const fromMs = clock.now()
  const ring = createKeyRing(secret)
  const write = async (key: ContentKey) => void ring.apply(seal(records.ContentKey, key))
  const tree = wrap(secret, id, wholeTree(Buffer.alloc(16, 1)))
  void write({ id, version: 0, state: 'live', heldUntil: null, tree, madeAt: 1, by: 'test', at: 1 })
  const rows = [1, 2].map((seq) => {
    const sealed = sealContent(ring.leaf(id, packId(seq)) as Buffer, content('hello'))
    const payload = happening('MessageSent', {
      packId: packId(seq),
      sender: 'ann',
      keyId: id,
      content: sealed,
    })
    const { schema, payload: bytes } = encodeEventPayload(payload)
    const place = {
      generation: 0,
      partition: 0,
      source_: seq - 1,
      offset_: seq,
      epoch_: 0,
      ordinal_: seq,
      ms_: 1,
    }
    const as = { kind: 'event', stream: 'p2p:ann:bob', seq_: String(seq) }
    return { ...place, ...as, schema: schema.toString('hex'), bytes: bytes.toString('base64') }
  })
  const archived = () => rows.slice(0, clock.now() - fromMs < lateMs ? 1 : 2)
  const query = async (sql: string): Promise<never[]> => {
    if (sql.includes('max(source)'))
      return [{ generation: 0, partition: 0, top: archived().length - 1 }] as never[]
    return (sql.includes('sender = ') ? archived() : [{ n: '0' }]) as never[]
  }
  const blanked: number[] = []
  const redis = {
    async batch([call]: readonly unknown[]) {
      const { args } = call as { args: number[] }
      blanked.push(...args)
      return [args.length]
    },
  }
  const done = eraseUser(
    {
      ...{ clock, secret, by: 'test', log: { query }, generation: 0, commandEnds: async () => [2] },
      keys: { ring, write, untilRead: async () => {} } as never,
      ...{ redis: [redis], archives: [{ query, command: async () => {} }] },
    },
    'ann',
    0,
  )
  return { clock, blanked, done }
}

test('what the archive got late, and Redis had already, is taken from Redis as well', async () => {
  const { clock, blanked, done } = erasure(20_000)
  await clock.run(60_000)
  expect(await done).toMatchObject({ contents: 2, redis: 2 })
  expect(blanked.sort()).toEqual([1, 2])
})

test('an archive that does not catch up is told, and what it has is taken away', async () => {
  const { clock, blanked, done } = erasure(10_000_000)
  const failed = expect(done).rejects.toMatchObject({ code: 'archive_behind', retriable: true })
  await clock.run(120_000)
  await failed
  expect(blanked).toEqual([1])
})
