/** The read at the end: each device anew, with another id, reads its list and every conversation from seq 1. */
import { type Client, connect } from '../../../client/index.ts'
import { hashOfText } from '../checker/log.ts'
import type { History } from '../history.ts'

const pageLimit = 200
const partialRetryMs = 300
const atOnce = 6

export interface FinalRead {
  readonly urls: readonly string[]
  readonly devices: readonly {
    readonly user: string
    readonly name: string
    readonly conversations: readonly string[]
  }[]
  readonly tokens: Readonly<Record<string, string>>
  readonly history: History
  /** For all of it. */
  readonly msMax: number
}

/** Answers what could not be read. */
export async function finalRead({ urls, devices, tokens, history, msMax }: FinalRead): Promise<string[]> {
  const errors: string[] = []
  const untilMs = performance.now() + msMax
  const queue = [...devices]
  const work = async () => {
    for (let device = queue.shift(); device; device = queue.shift()) {
      if (performance.now() > untilMs) {
        errors.push(`${device.name}: there was no time left to read it back`)
        continue
      }
      const deviceId = `${device.name.split('/')[1]}-final`
      const dev = `${device.user}/${deviceId}`
      try {
        const token = tokens[device.user] ?? ''
        const client = await connect({ url: urls, token, deviceId, deviceType: 'chaos' })
        await readOne(client, dev, device.conversations, history, untilMs)
        await client.close()
      } catch (error) {
        errors.push(`${dev}: ${String(error)}`)
      }
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  return errors
}

async function readOne(
  client: Client,
  dev: string,
  seen: readonly string[],
  history: History,
  untilMs: number,
): Promise<void> {
  const list = await client.conversations({ limit: 500 })
  history.add({ dev, op: 'listed', phase: 'ok', n: list.length })
  for (const { conversationId: conv, unread: n, lastSeq: seq } of list)
    history.add({ dev, op: 'unread', phase: 'ok', conv, n, seq })
  // Groups that were left are not in the list; what was seen of them can still be read.
  const convs = new Set([...list.map((entry) => entry.conversationId), ...seen])
  for (const conv of convs) await readConversation(client, dev, conv, history, untilMs)
}

async function readConversation(
  client: Client,
  dev: string,
  conv: string,
  history: History,
  untilMs: number,
): Promise<void> {
  history.add({ dev, op: 'readStart', phase: 'ok', conv })
  for (let after = 0; ; ) {
    const page = await client.history(conv, { after, limit: pageLimit })
    for (const { seq, packId, content } of page.messages) {
      const hash = content === null ? null : hashOfText(content.text ?? '')
      history.add({ dev, op: 'read', phase: 'ok', conv, seq, packId, hash })
    }
    if (page.lastSeq > after) after = page.lastSeq
    if (!page.more && !page.partial) return
    if (performance.now() > untilMs) throw new Error(`${conv} could not be read to its end in time`)
    if (page.partial) await new Promise((resolve) => setTimeout(resolve, partialRetryMs))
  }
}
