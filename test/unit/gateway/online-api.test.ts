import { beforeEach, describe, expect, test } from 'vitest'
import { createConnections } from '../../../gateway/connections.ts'
import { onlineApi } from '../../../gateway/online-api.ts'
import { createMemoryOnlineMap, type MemoryOnlineMap } from '../../../infra/memory/online-map.ts'

const NOW = 1_000_000
let map: MemoryOnlineMap
const ask = async (path: string) => {
  const api = onlineApi({
    online: map,
    connections: createConnections(32),
    lives: ({ expiresAt }) => expiresAt > NOW,
  })
  return api(new URL(path, 'http://localhost'))
}
const entry = (gateway: string, boot: string, connection: string, expiresAt = NOW + 1) => ({
  ...{ gateway, boot, connection, deviceId: `device-${connection}`, deviceType: 'phone' },
  ...{ loginAt: 5, expiresAt },
})

beforeEach(async () => {
  map = createMemoryOnlineMap()
  await map.register({ user: 'ann', entry: entry('g1', 'b1', 'b1-0') })
  await map.register({ user: 'ann', entry: entry('g2', 'b2', 'b2-0') })
  await map.register({ user: 'bob', entry: entry('g2', 'b2', 'b2-1') })
  await map.register({ user: 'cid', entry: entry('g2', 'b2', 'b2-2', NOW) })
  await map.announce('g1', 'b1')
  await map.announce('g2', 'b2')
})

describe('who is online is found', () => {
  test('by user, with each connection', async () => {
    expect(await ask('/online/users/ann')).toMatchObject({
      status: 200,
      body: { user: 'ann', online: true, connections: [{ connection: 'b1-0' }, { connection: 'b2-0' }] },
    })
    expect(await ask('/online/users/nobody')).toMatchObject({ body: { online: false, connections: [] } })
  })

  test('by connection, on whatever gateway it is, with or without its user', async () => {
    const found = { status: 200, body: { user: 'bob', gateway: 'g2', deviceId: 'device-b2-1' } }
    expect(await ask('/online/connections/b2-1')).toMatchObject(found)
    expect(await ask('/online/connections/b2-1?user=bob')).toMatchObject(found)
    expect(await ask('/online/connections/b2-1?user=ann')).toMatchObject({ status: 404 })
    expect(await ask('/online/connections/b9-1')).toMatchObject({ status: 404 })
  })

  test('by gateway, with its users', async () => {
    expect(await ask('/online/gateways/g2')).toMatchObject({
      status: 200,
      body: {
        ...{ gateway: 'g2', boot: 'b2', users: 3, more: false },
        connections: [
          { user: 'ann', connection: 'b2-0' },
          { user: 'bob', connection: 'b2-1' },
        ],
      },
    })
    expect(await ask('/online/gateways/g9')).toMatchObject({ status: 404 })
  })

  test('no more once the record has expired', async () => {
    expect(await ask('/online/users/cid')).toMatchObject({ body: { online: false } })
    expect(await ask('/online/connections/b2-2')).toMatchObject({ status: 404 })
  })
})

test('bad ids are refused, other paths are not its own, and a map that does not answer is said to be so', async () => {
  expect(await ask('/online/users/a%20b')).toMatchObject({ status: 400, body: { code: 'bad_id' } })
  expect(await ask('/online/connections/b2-1?user=%20')).toMatchObject({ status: 400 })
  expect(await ask('/online/everybody/x')).toBeNull()
  expect(await ask('/elsewhere')).toBeNull()
  map.down = true
  expect(await ask('/online/users/ann')).toMatchObject({ status: 503, body: { code: 'unavailable' } })
})
