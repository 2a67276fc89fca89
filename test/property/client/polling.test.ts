import { describe, expect, test } from 'vitest'
import { pollingTransport } from '../../../client/polling.ts'
import { fakePolling } from '../../support/fake-polling.ts'
import { createRandom } from '../../support/random.ts'
import { virtualTime } from '../../support/virtual-time.ts'

const runs = Math.min(Number(process.env.SCHEDULES ?? 10_000), 300)

describe('the polling transport', () => {
  test('brings every frame once and in order in both directions, whatever requests and answers are lost', async () => {
    for (let seed = 1; seed <= runs; seed++) {
      const random = createRandom(seed)
      const time = virtualTime(0)
      const server = fakePolling(time, random)
      const got: unknown[] = []
      let closed: string | null = null
      const transport = pollingTransport({ fetch: server.fetch, clock: time, random: random.next })(
        'http://host/poll',
        '',
        {
          open: () => void transport.send('"login"'),
          data: (data) => void got.push(JSON.parse(String(data))),
          closed: (reason) => {
            closed = reason
          },
        },
      )
      await time.run(100)
      // So that no four in a row are lost: then it must give up, which is another test.
      server.lossOf = 0.05
      const pushed: unknown[] = ['welcome']
      const sent: unknown[] = ['login']
      for (let i = 0; i < 60; i++) {
        for (let n = random.int(4); n > 0; n--) {
          pushed.push(`down ${pushed.length}`.padEnd(random.int(60)))
          server.push(pushed.at(-1))
        }
        for (let n = random.int(3); n > 0; n--) {
          sent.push(`up ${sent.length}`)
          transport.send(JSON.stringify(sent.at(-1)))
        }
        await time.run(random.int(200))
      }
      server.lossOf = 0
      await time.run(40_000)
      // What came before it gave up is right all the same.
      if (closed === null) {
        expect(got, `seed ${seed}`).toEqual(pushed)
        expect(server.taken, `seed ${seed}`).toEqual(sent)
      } else {
        expect(got, `seed ${seed}`).toEqual(pushed.slice(0, got.length))
        expect(server.taken, `seed ${seed}`).toEqual(sent.slice(0, server.taken.length))
      }
      transport.close()
      await time.run(1_000)
    }
  })
})
