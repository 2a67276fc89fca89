/** A sequencer whose logs were renewed under it. */
import { expect, test } from 'vitest'
import { silentLog } from '../../../../infra/log.ts'
import { createMemoryLog } from '../../../../infra/memory/log.ts'
import { createVirtualClock } from '../../../../infra/memory/virtual-clock.ts'
import { claimRecord } from '../../../../processors/sequencer/owner.ts'
import { startSequencer } from '../../../../processors/sequencer/sequencer.ts'
import { sealEnvelope } from '../../../../schemas/codec.ts'
import type { Fault } from '../../../../schemas/ports.ts'
import { sharedTopics, topics } from '../../../../schemas/topics.ts'

test('a claim of a later generation ends a sequencer, which does not claim against it', async () => {
  const clock = createVirtualClock()
  const log = createMemoryLog(clock)
  for (const { name, partitions } of sharedTopics(1)) log.broker.createTopic(name, partitions)
  const faults: Fault[] = []
  const process = log.process('old')
  const starting = startSequencer({
    ...{ store: process, clock: process.clock, logger: silentLog, generation: 0, name: 'old' },
    failed: (fault) => faults.push(fault),
  })
  await clock.advance(2_000)
  const sequencer = await starting
  expect(sequencer.owned()).toEqual({ assigned: 1, owning: 1 })
  const later = { key: null, value: sealEnvelope(claimRecord(1, 0, 'rewriter')) }
  log.broker.append(topics.events, 0, [later], clock.now())
  await clock.advance(2_000)
  expect(faults.map(({ code }) => code)).toEqual(['generation_behind'])
  expect(log.broker.range(topics.events, 0).end).toBe(2)
  process.kill()
})
