import { describe, expect, test } from 'vitest'
import { decide } from '../../../../processors/decide.ts'
import { emptyFold } from '../../../../processors/fold.ts'
import { createOwner, MissedClaim, type Owner, SourceGap } from '../../../../processors/sequencer/owner.ts'
import type { Written } from '../../../../processors/write.ts'
import { openEnvelope, sealEnvelope } from '../../../../schemas/codec.ts'
import type { LogRecord } from '../../../../schemas/ports.ts'
import { commandOf, commandRecord, packId, send, T0 } from '../../../support/commands.ts'
import { claimRecord, eventRecord } from '../../../support/events.ts'

const command = (offset: number, at = T0 + offset) =>
  commandRecord(offset, at, commandOf('p2p:a:b', 'a', packId(T0, offset), send(`m${offset}`)))

function setup(options: { generation?: number; log?: LogRecord[] } = {}) {
  const log: LogRecord[] = options.log ?? []
  const owner = createOwner({ generation: options.generation ?? 0, owner: 'w', decide }, emptyFold())
  const append = (value: Buffer) => {
    log.push({ offset: log.length, key: null, value, timestamp: T0 })
    return log.length - 1
  }
  return {
    log,
    owner,
    append,
    read: () => owner.fold(log.slice(owner.tail().position.offset)),
    claim: (first = 0) => {
      const offset = append(owner.claim(first))
      owner.claimed(offset)
      return offset
    },
  }
}
const phase = (owner: Owner) => owner.phase()

describe('the owner of a partition', () => {
  test('decides nothing before it has folded up to its claim', () => {
    const { owner, claim, read } = setup()
    expect(phase(owner)).toBe('reading')
    expect(owner.decide([command(0)])).toEqual([])
    claim()
    expect(phase(owner)).toBe('catching-up')
    expect(owner.decide([command(0)])).toEqual([])
    read()
    expect(phase(owner)).toBe('owning')
    expect(owner.decide([command(0)])).toHaveLength(1)
  })

  test('goes on at the last accepted source + 1, whatever its claim says within a generation', () => {
    const log = [
      claimRecord(0),
      eventRecord(1, { epoch: 0, source: 0 }),
      eventRecord(2, { epoch: 0, source: 1, seq: 2 }),
    ]
    const { owner, claim, read } = setup({ log })
    claim(77)
    read()
    expect(owner.decidedSource()).toBe(1)
    const [written] = owner.decide([command(0), command(1), command(2)])
    expect(written?.envelope).toMatchObject({ source: 2, epoch: 3, seq: 3 })
  })

  test('opens a later generation where its claim says', () => {
    const { owner, claim, read } = setup({
      generation: 1,
      log: [claimRecord(0), eventRecord(1, { epoch: 0, source: 0 })],
    })
    claim(40)
    read()
    expect(owner.decidedSource()).toBe(39)
    expect(owner.decide([command(40)])[0]?.envelope).toMatchObject({ generation: 1, source: 40, seq: 2 })
  })

  test('decides on top of what it has decided but not read back', () => {
    const { owner, claim, read } = setup()
    claim()
    read()
    const seqs = [owner.decide([command(0)]), owner.decide([command(1), command(2)])]
      .flat()
      .map((w) => w.envelope.seq)
    expect(seqs).toEqual([1, 2, 3])
  })

  test('lets go at a claim above its own, its own retry included', () => {
    const { owner, claim, read, log, append } = setup()
    claim()
    read()
    append(log[0]?.value as Buffer)
    read()
    expect(phase(owner)).toBe('reading')
    expect(owner.decide([command(0)])).toEqual([])
  })

  test('does not take over when another claimed before it caught up', () => {
    const { owner, claim, read, log } = setup()
    claim()
    log.push(claimRecord(1))
    read()
    expect(phase(owner)).toBe('reading')
  })

  test('throws decided state away with a lost append, and decides again from what was read back', () => {
    const { owner, claim, read } = setup()
    claim()
    read()
    owner.decide([command(0), command(1)])
    owner.lost()
    expect(phase(owner)).toBe('reading')
    claim()
    read()
    expect(owner.decide([command(0)])[0]?.envelope).toMatchObject({ source: 0, seq: 1, epoch: 1 })
  })

  test('takes a hole under its own claim for a lost claim', () => {
    const { owner, claim, read, log } = setup()
    claim()
    read()
    log.push(eventRecord(1, { epoch: 0, source: 5 }))
    read()
    expect(phase(owner)).toBe('reading')
  })

  test('ignores the answer to a claim that it has given up', () => {
    const { owner, append } = setup()
    const offset = append(owner.claim(0))
    owner.lost()
    owner.claimed(offset)
    expect(phase(owner)).toBe('reading')
  })

  test('accepts its own records when it reads them back', () => {
    const { owner, claim, read, append } = setup()
    claim()
    read()
    for (const { envelope } of owner.decide([command(0), command(1)])) append(sealEnvelope(envelope))
    read()
    expect(phase(owner)).toBe('owning')
    expect(owner.tail().position.last).toBe(1)
  })

  test('keeps what it decided and what it read back in one and the same entries', () => {
    const { owner, claim, read, append } = setup()
    claim()
    read()
    for (const { envelope } of owner.decide([command(0), command(1)])) append(sealEnvelope(envelope))
    read()
    const tail = owner.tail()
    const [readBack, decided] = [tail.streams, tail.twin].map(
      (streams) => streams?.get('p2p:a:b')?.answers.order,
    )
    expect(readBack).toHaveLength(2)
    expect(readBack?.map((answer, i) => answer === decided?.[i])).toEqual([true, true])
  })

  test('shares nothing with what it decided where the log says otherwise', () => {
    const { owner, claim, read, append } = setup()
    claim()
    read()
    const [written] = owner.decide([command(0)])
    append(sealEnvelope({ ...(written as Written).envelope, time: T0 + 999 }))
    read()
    expect(owner.tail().streams.get('p2p:a:b')?.answers.order).toMatchObject([{ seq: 1, time: T0 + 999 }])
  })

  test('believes an acknowledged append only when it was read back', () => {
    const { owner, claim, read, log } = setup()
    claim()
    read()
    owner.decide([command(0)])
    log.push({ offset: 1, key: null, value: Buffer.from('another’s'), timestamp: T0 })
    owner.appended(2, 0)
    expect(phase(owner)).toBe('owning')
    read()
    expect(phase(owner)).toBe('reading')
  })

  test('goes on where the acknowledged append is there', () => {
    const { owner, claim, read, append } = setup()
    claim()
    read()
    for (const { envelope } of owner.decide([command(0), command(1)])) append(sealEnvelope(envelope))
    owner.appended(3, 1)
    read()
    owner.appended(3, 1)
    expect(phase(owner)).toBe('owning')
  })

  test('stops loudly where the commands do not continue the events', () => {
    const { owner, claim, read } = setup()
    claim()
    read()
    expect(() => owner.decide([command(3)])).toThrow(SourceGap)
  })

  test('stops loudly at a record of a claim that it never saw', () => {
    const { read } = setup({ log: [claimRecord(0), eventRecord(1, { epoch: 9 })] })
    expect(read).toThrow(MissedClaim)
  })

  test('writes no earlier time than before when the clock of the broker steps back', () => {
    const { owner, claim, read } = setup()
    claim()
    read()
    const times = owner.decide([command(0, T0 + 50), command(1, T0)]).map((written) => written.envelope.time)
    expect(times).toEqual([T0 + 50, T0 + 50])
  })

  test('keeps the time of the log it takes over', () => {
    const { owner, claim, read } = setup({
      log: [claimRecord(0), eventRecord(1, { epoch: 0, source: 0, time: T0 + 99 })],
    })
    claim()
    read()
    expect(owner.decide([command(1)])[0]?.envelope.time).toBe(T0 + 99)
  })

  test('names itself in its claim, and no epoch', () => {
    const { owner } = setup({ generation: 4 })
    expect(openEnvelope(owner.claim(12))).toMatchObject({
      kind: 'claim',
      generation: 4,
      source: 12,
      epoch: -1,
    })
  })
})
