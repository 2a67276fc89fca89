import { describe, expect, test } from 'vitest'
import { createConnections } from '../../../gateway/connections.ts'
import { newCounters } from '../../../gateway/counters.ts'
import { createLedger } from '../../../gateway/ledger.ts'
import { type OutgoingEvent, outgoingEvent } from '../../../gateway/outgoing.ts'
import { newPushState, type PushLimits, push } from '../../../gateway/push.ts'
import { createSampling, type Sampling } from '../../../gateway/sampling.ts'
import { formatPackId } from '../../../schemas/ids.ts'
import { hiddenItem } from '../../../schemas/item.ts'
import { limits } from '../../../schemas/limits.ts'
import type { CommandPayload } from '../../../schemas/records.ts'
import { send } from '../../support/commands.ts'
import { connect } from '../../support/fake-connection.ts'

const roomy: PushLimits = { framesMax: 1e6, bytesMax: 1e9, streamsMax: 9, ackTimeoutMs: 1e9, resendsMax: 3 }
const packIdOf = (tail: number): Buffer => {
  const id = Buffer.alloc(16, 7)
  id.writeUInt32BE(tail, 12)
  return id
}
/** Message `seq` of a group, of the broker time 1,000 + seq. */
const messageOf = (seq: number, packId = packIdOf(seq)) => ({
  ...hiddenItem('g:a', seq),
  kind: 'message' as const,
  packId: formatPackId(packId),
  time: 1_000 + seq,
})
const draftOf = (packId: Buffer, payload: CommandPayload = send('hi'), stream = 'g:a') => ({
  ...{ stream, packId, sender: 'ann', device: 'd', trace: null, payload },
})
const answerOf = (packId: Buffer, seq: number, connection: string) => ({
  ...{ boot: 'b', connection, packId, code: null, seq, ordinal: seq, time: 1_000 + seq },
  ...{ repeat: false, conflict: false },
})

function start(oneOf: number | Sampling = 1) {
  const counters = newCounters()
  const sampling = typeof oneOf === 'number' ? createSampling({ oneOf }) : oneOf
  const ledger = createLedger(sampling, counters)
  const connections = createConnections(8)
  const events = new Map<number, OutgoingEvent>()
  const eventOf = (seq: number): OutgoingEvent => {
    const item = messageOf(seq)
    const event = events.get(seq) ?? outgoingEvent(item, ledger.messageOf(item, 1_001 + seq, 1, 1_002 + seq))
    events.set(seq, event)
    return event
  }
  const pushed = (user: string) => {
    const connection = connect(connections, user, { entry: { deviceId: `phone of ${user}` } })
    const state = newPushState<OutgoingEvent>()
    connection.push = state
    return {
      connection,
      state,
      push(seq: number, now: number) {
        push(state, eventOf(seq), now, roomy)
      },
      ack: (seq: number, now: number) =>
        ledger.acknowledge(connection, [{ conversationId: 'g:a', seq }], now),
    }
  }
  return { counters, ledger, pushed }
}

describe('the ledger of a gateway', () => {
  test('a cumulative ack becomes a row for each push that it covers, and only it', () => {
    const { ledger, pushed } = start()
    const bob = pushed('bob')
    for (const seq of [1, 2, 3]) bob.push(seq, 1_010 + seq)
    bob.ack(2, 1_050)
    bob.ack(2, 1_060)
    const part = ledger.take(0)
    expect(part.devices).toEqual([
      {
        user: 'bob',
        deviceId: 'phone of bob',
        deviceType: 'test',
        transport: 'ws',
        connection: bob.connection.id,
      },
    ])
    expect(part.messages.map(({ seq, fannedAt }) => [seq, fannedAt])).toEqual([
      [1, 1_002],
      [2, 1_003],
    ])
    expect(part.pushes).toEqual([
      { message: 0, device: 0, pushedMs: 10, ackedMs: 49, ended: null, resends: 0 },
      { message: 1, device: 0, pushedMs: 10, ackedMs: 48, ended: null, resends: 0 },
    ])
    ledger.written(part)
    expect(ledger.waiting()).toBe(0)
  })

  test('what a connection never acknowledged is written when it ends, with how it ended', () => {
    const { ledger, pushed } = start()
    const bob = pushed('bob')
    for (const seq of [1, 2]) bob.push(seq, 1_010)
    bob.ack(1, 1_020)
    ledger.left(bob.connection, bob.state, 'heartbeat_timeout')
    expect(ledger.take(0).pushes.map(({ ackedMs, ended }) => [ackedMs, ended])).toEqual([
      [19, null],
      [null, 'heartbeat_timeout'],
    ])
  })

  test('a sample holds a message wholly or not at all: by its packId, for senders and recipients alike', () => {
    const { ledger, pushed } = start(4)
    const [bob, cid] = [pushed('bob'), pushed('cid')]
    for (let seq = 1; seq <= 40; seq++) {
      ledger.sent(bob.connection, draftOf(packIdOf(seq)), 1_000 + seq)
      ledger.answered('g:a', answerOf(packIdOf(seq), seq, bob.connection.id), 1_005 + seq)
      for (const device of [bob, cid]) device.push(seq, 1_010 + seq)
    }
    for (const device of [bob, cid]) device.ack(40, 2_000)
    const { messages, pushes, sends, isAll } = ledger.take(0)
    expect(isAll).toBe(true)
    expect(messages.map(({ seq }) => seq)).toEqual(Array.from({ length: 10 }, (_, i) => 4 * (i + 1)))
    expect(pushes).toHaveLength(20)
    expect(sends.map(({ seq }) => seq)).toEqual(messages.map(({ seq }) => seq))
  })

  test('while the sample changes, each row says what it is one of, and rows so weighed come to what was pushed', () => {
    let oneOf = 1
    const { ledger, pushed } = start(() => oneOf)
    const bob = pushed('bob')
    for (let seq = 1; seq <= 192; seq++) {
      oneOf = seq <= 64 ? 1 : seq <= 128 ? 16 : 4
      ledger.sent(bob.connection, draftOf(packIdOf(seq)), 1_000 + seq)
      bob.push(seq, 1_010 + seq)
    }
    oneOf = 2
    for (let seq = 1; seq <= 192; seq++)
      ledger.answered('g:a', answerOf(packIdOf(seq), seq, bob.connection.id), 1_500)
    bob.ack(192, 2_000)
    const { messages, pushes, sends } = ledger.take(0)
    expect(pushes.map(({ message }) => messages[message])).toEqual(messages)
    for (const { seq, oneOf: of } of messages) expect(of).toBe(seq <= 64 ? 1 : seq <= 128 ? 16 : 4)
    for (const rows of [messages, sends]) {
      expect(rows).toHaveLength(64 + 4 + 16)
      expect(rows.reduce((sum, { oneOf: of }) => sum + of, 0)).toBe(192)
    }
  })

  test('a send is told when it is answered: with the times of the frame, of the log and of the answer', () => {
    const { ledger, pushed } = start()
    const { connection } = pushed('ann')
    const [id, other, refused, late] = [1, 2, 3, 4].map(packIdOf) as [Buffer, Buffer, Buffer, Buffer]
    ledger.sent(connection, draftOf(id), 1_000)
    ledger.appended(connection, id, true, 1_004)
    ledger.answered('g:a', answerOf(id, 1, connection.id), 1_009)
    // Of no message, not in the log, rejected, in a live room, never asked for here.
    ledger.sent(
      connection,
      draftOf(other, { type: 'MarkRead', conversationId: 'g:a', seq: 1, ordinal: 1 }),
      1_000,
    )
    ledger.answered('g:a', answerOf(other, 2, connection.id), 1_009)
    ledger.sent(connection, draftOf(refused), 1_000)
    ledger.appended(connection, refused, false, 1_001)
    ledger.answered('g:a', answerOf(refused, 3, connection.id), 1_009)
    ledger.sent(connection, draftOf(late, undefined, 'r:hall'), 1_000)
    ledger.answered('r:hall', answerOf(late, 4, connection.id), 1_009)
    ledger.answered('g:a', answerOf(packIdOf(9), 5, connection.id), 1_009)
    const { sends } = ledger.take(0)
    expect(sends).toEqual([
      {
        ...{ conversation: 'g:a', seq: 1, packId: id, device: 0, time: 1_001 },
        ...{ receivedMs: -1, acceptedMs: 3, committedMs: 8, oneOf: 1 },
      },
    ])
  })

  test('a packId that two have sent is of each his own', () => {
    const { ledger, pushed } = start()
    const [ann, bob] = [pushed('ann').connection, pushed('bob').connection]
    const id = packIdOf(1)
    ledger.sent(ann, draftOf(id), 1_000)
    ledger.sent(bob, draftOf(id), 1_400)
    ledger.appended(ann, id, true, 1_004)
    ledger.appended(bob, id, false, 1_404)
    ledger.answered('g:a', answerOf(id, 1, ann.id), 1_009)
    ledger.answered('g:a', answerOf(id, 2, bob.id), 1_409)
    const { devices, sends } = ledger.take(0)
    expect(devices.map(({ user }) => user)).toEqual(['ann'])
    expect(sends).toMatchObject([{ seq: 1, device: 0, receivedMs: -1, acceptedMs: 3, committedMs: 8 }])
  })

  test('a frame that is sent again counts from when it first came', () => {
    const { ledger, pushed } = start()
    const { connection } = pushed('ann')
    const id = packIdOf(1)
    ledger.sent(connection, draftOf(id), 1_000)
    ledger.appended(connection, id, true, 1_004)
    ledger.sent(connection, draftOf(id), 1_500)
    ledger.appended(connection, id, true, 1_504)
    ledger.answered('g:a', answerOf(id, 1, connection.id), 1_600)
    expect(ledger.take(0).sends).toMatchObject([{ receivedMs: -1, acceptedMs: 3, committedMs: 599 }])
  })

  test('a send that was rejected makes room for another, and one that finds no room is counted', () => {
    const { counters, ledger, pushed } = start()
    const { connection } = pushed('ann')
    for (let n = 0; n < limits.ledgerSendsMax + 1; n++) ledger.sent(connection, draftOf(packIdOf(n)), 1_000)
    expect(counters.ledgerDropped).toBe(1)
    ledger.answered('g:a', { ...answerOf(packIdOf(1), 1, connection.id), code: 'not_member' }, 1_005)
    ledger.sent(connection, draftOf(packIdOf(1 << 20)), 1_006)
    expect(counters.ledgerDropped).toBe(1)
    ledger.answered('g:a', answerOf(packIdOf(1 << 20), 1, connection.id), 1_009)
    expect(ledger.take(1_010).sends).toHaveLength(1)
  })

  test('what is over its bounds is dropped and counted, and what waits is written in parts that fit a record', () => {
    const { counters, ledger, pushed } = start()
    const bob = pushed('bob')
    for (let seq = 1; seq <= limits.ledgerRowsMax + 7; seq++) bob.push(seq, 1_000)
    bob.ack(limits.ledgerRowsMax + 7, 1_000)
    expect(ledger.waiting()).toBe(limits.ledgerRowsMax)
    expect([ledger.dropped(), counters.ledgerDropped]).toEqual([7, 7])
    const part = ledger.take(0)
    expect(part.pushes).toHaveLength(limits.ledgerPerRecordMax)
    expect(part.isAll).toBe(false)
    ledger.written(part)
    expect(ledger.take(0).messages[0]?.seq).toBe(limits.ledgerPerRecordMax + 1)
  })

  test('a send that is never answered is forgotten in time', () => {
    const { ledger, pushed } = start()
    const { connection } = pushed('ann')
    ledger.sent(connection, draftOf(packIdOf(1)), 0)
    ledger.take(limits.ledgerSendMsMax)
    ledger.answered('g:a', answerOf(packIdOf(1), 1, connection.id), limits.ledgerSendMsMax)
    expect(ledger.waiting()).toBe(0)
  })

  test('off, nothing is noted', () => {
    const { ledger, pushed } = start(0)
    const bob = pushed('bob')
    ledger.sent(bob.connection, draftOf(packIdOf(0)), 0)
    ledger.answered('g:a', answerOf(packIdOf(0), 1, bob.connection.id), 1)
    bob.push(1, 0)
    ledger.left(bob.connection, bob.state, 'lost')
    expect(ledger.waiting()).toBe(0)
  })
})
