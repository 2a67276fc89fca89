import { describe, expect, test } from 'vitest'
import type { CommandDraft } from '../../../gateway/command-of.ts'
import { createCommandSink } from '../../../gateway/commands.ts'
import { newCounters } from '../../../gateway/counters.ts'
import { silentLog } from '../../../infra/log.ts'
import { createVirtualClock } from '../../../infra/memory/virtual-clock.ts'
import type { SealedContent } from '../../../projections/content-keys/follower.ts'
import { decodeCommandPayload, openCommand } from '../../../schemas/codec.ts'
import { parsePackId } from '../../../schemas/ids.ts'
import { Fault } from '../../../schemas/ports.ts'
import type { CommandPayload } from '../../../schemas/records.ts'
import { send } from '../../support/commands.ts'
import { newPackId } from '../../support/gateway.ts'

type Seal = (user: string, packId: Buffer, content: Buffer) => SealedContent | Promise<SealedContent>

function sink(seal: Seal) {
  const appended: string[] = []
  const commands = createCommandSink({
    appender: {
      async append(_topic, _partition, { value }) {
        const payload = decodeCommandPayload(openCommand(value as Buffer))
        appended.push('content' in payload ? `${payload.keyId} ${payload.content}` : payload.type)
        return appended.length
      },
      appendBatch: async () => 0,
      close: async () => {},
    },
    sealer: { seal },
    ...{ partitions: 4, gatewayId: 'g1', boot: 'b1', clock: createVirtualClock(), log: silentLog },
    counters: newCounters(),
    observeAppendMs() {},
  })
  const append = (payload: CommandPayload, connection = 'c1') => commands.append(draftOf(payload), connection)
  return { appended, append }
}

const draftOf = (payload: CommandPayload): CommandDraft => ({
  ...{ stream: 'g:x', packId: parsePackId(newPackId()) as Buffer, sender: 'ann', device: 'd', trace: null },
  payload,
})
const sealed = { keyId: 'ann~1', content: Buffer.from('sealed') }
const leave: CommandPayload = { type: 'RemoveMembers', members: ['ann'] }

describe('commands of one connection', () => {
  test('are appended in the order in which they came, sealed or not', async () => {
    const { appended, append } = sink(() => sealed)
    await Promise.all([append(send('hi')), append(leave), append(send('still here?'))])
    expect(appended).toEqual(['ann~1 sealed', 'RemoveMembers', 'ann~1 sealed'])
  })

  test('wait behind one that waits for its sender’s first key, and those of others do not', async () => {
    const { promise, resolve } = Promise.withResolvers<SealedContent>()
    let asked = 0
    const { appended, append } = sink(() => (asked++ === 0 ? promise : sealed))
    const all = [append(send('hi')), append(leave), append(send('there')), append(leave, 'c2')]
    await all[3]
    expect(appended).toEqual(['RemoveMembers'])
    resolve({ keyId: 'ann~0', content: Buffer.from('first') })
    expect(await Promise.all(all)).toEqual([null, null, null, null])
    expect(appended.slice(1)).toEqual(['ann~0 first', 'RemoveMembers', 'ann~1 sealed'])
  })

  test('go on where a key cannot be made, and one whose packId was destroyed is to be sent anew', async () => {
    let asked = 0
    const { appended, append } = sink(async () => {
      if (asked++ === 0) throw new Fault('keys_behind', 'no', { retriable: true })
      throw new Fault('key_destroyed', 'no', { retriable: false })
    })
    expect(await Promise.all([append(send('hi')), append(send('there')), append(leave)])).toEqual([
      ...['unavailable', 'pack_id_expired'],
      null,
    ])
    expect(appended).toEqual(['RemoveMembers'])
  })
})
