/**
 * Messages as fast as the log takes them: the very commands that a gateway appends, written to `im.commands` without one. Everything
 * behind the log (sequencer, fan-out, read models, archive) does what it does for any message; what is left out is the sender's
 * socket, whose limit of commands per second would make this a measurement of patience.
 */
import { randomBytes } from 'node:crypto'
import { systemClock } from '../../infra/clock.ts'
import { kafkaStore } from '../../infra/kafka/store.ts'
import { silentLog } from '../../infra/log.ts'
import { encodeCommandPayload, sealCommand } from '../../schemas/codec.ts'
import { partitionOf } from '../../schemas/ids.ts'
import { Fault } from '../../schemas/ports.ts'
import { topics } from '../../schemas/topics.ts'

export interface Said {
  readonly conversationId: string
  readonly sender: string
  readonly count: number
  readonly textBytes: number
}

export interface Producer {
  /** Resolves to the text of the last one, once all of them are in the log. */
  say(said: Said, progress?: (done: number) => void): Promise<string>
  close(): Promise<void>
}

const COMMANDS_PER_REQUEST = 500

export async function openProducer(brokers: readonly string[]): Promise<Producer> {
  const store = kafkaStore({ brokers, clientId: 'bench-offline' }, silentLog, systemClock)
  const partitions = await partitionCount(store)
  const appender = await store.appender('commands')
  let made = 0

  const commandOf = ({ conversationId: stream, sender }: Said, text: string): Buffer => {
    const payload = encodeCommandPayload({
      ...{ type: 'SendMessage', contentType: 'text', content: Buffer.from(JSON.stringify({ text })) },
      ...{ keyId: null, mentions: [], mentionAll: false, replyTo: null },
    })
    const packId = packIdNow(made++)
    return sealCommand({ stream, packId, sender, device: 'bench', trace: null, reply: null, ...payload })
  }

  return {
    async say(said, progress) {
      const { conversationId, count, textBytes } = said
      const partition = partitionOf(conversationId, partitions)
      let text = ''
      for (let done = 0; done < count; ) {
        const some = Math.min(COMMANDS_PER_REQUEST, count - done)
        const records = Array.from({ length: some }, (_, i) => {
          text = `message ${done + i + 1} `.padEnd(textBytes, 'what was said while somebody was away ')
          return { key: conversationId, value: commandOf(said, text) }
        })
        await appender.appendBatch(topics.commands, partition, records)
        done += some
        progress?.(done)
      }
      return text
    },
    close: () => appender.close(),
  }
}

/** A UUIDv7 of now; those of one millisecond are told apart by a running number. */
function packIdNow(n: number): Buffer {
  const id = randomBytes(16)
  id.writeUIntBE(Date.now(), 0, 6)
  id.writeUInt16BE(0x7000 | (n & 0xfff), 6)
  id.writeUInt8(0x80 | (id.readUInt8(8) & 0x3f), 8)
  return id
}

async function partitionCount(store: ReturnType<typeof kafkaStore>): Promise<number> {
  const admin = await store.admin()
  try {
    for (let partition = 0; ; partition++)
      try {
        await admin.range(topics.commands, partition)
      } catch (err) {
        if (err instanceof Fault && partition > 0) return partition
        throw err
      }
  } finally {
    await admin.close()
  }
}
