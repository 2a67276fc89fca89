/** The read at the end: each device anew, with another id, reads its list and every conversation from seq 1. */
import { type Client, connect, LongwireError } from '../../../client/index.ts'
import { hashOfText } from '../checker/log.ts'
import type { History } from '../history.ts'
import { hashOf, type Placed } from './device.ts'

const pageLimit = 200
const partialRetryMs = 300
const atOnce = 6
const searchesPerDevice = 2

export interface FinalRead {
  readonly urls: readonly string[]
  readonly devices: readonly {
    readonly user: string
    readonly name: string
    readonly conversations: readonly string[]
  }[]
  readonly tokens: Readonly<Record<string, string>>
  readonly history: History
  /** Texts that stood somewhere once: living, recalled, edited away. */
  readonly samples: readonly Placed[]
  /** For all of it. */
  readonly msMax: number
}

/** Answers what could not be read. */
export async function finalRead({
  urls,
  devices,
  tokens,
  history,
  samples,
  msMax,
}: FinalRead): Promise<string[]> {
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
        // Each device its own part of them, so that all are searched for.
        const mine = samples.filter(({ conversationId }) => device.conversations.includes(conversationId))
        const from = mine.length === 0 ? 0 : (devices.indexOf(device) * searchesPerDevice) % mine.length
        for (const sample of [...mine.slice(from), ...mine.slice(0, from)].slice(0, searchesPerDevice))
          await searchFor(client, dev, sample, history, untilMs)
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
  const { conversations: list } = await whole(() => client.conversationPage({ limit: 500 }), untilMs)
  history.add({ dev, op: 'listed', phase: 'ok', n: list.length })
  for (const { conversationId: conv, unread: n, mentions, mentionsAll, lastSeq: seq, preview } of list) {
    history.add({ dev, op: 'unread', phase: 'ok', conv, n, mentions, mentionsAll, seq })
    if (preview)
      history.add({ dev, op: 'preview', phase: 'ok', conv, seq: preview.seq, hash: hashOf(preview.content) })
  }
  // What was seen of a group can be read after it was left, whether or not it is listed still.
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
    const page = await whole(() => client.history(conv, { after, limit: pageLimit }), untilMs)
    for (const { seq, packId, content } of page.messages)
      history.add({ dev, op: 'read', phase: 'ok', conv, seq, packId, hash: hashOf(content) })
    if (page.lastSeq > after) after = page.lastSeq
    if (!page.more) return
  }
}

/** By the first word of the text; `n` of those found carry it. */
async function searchFor(
  client: Client,
  dev: string,
  { conversationId: conv, seq, text }: Placed,
  history: History,
  untilMs: number,
): Promise<void> {
  const query = text.split(' ')[0] ?? ''
  const found = await whole(() => client.search({ query }), untilMs)
  const n = found.messages.filter((one) => one.conversationId === conv && one.seq === seq).length
  history.add({ dev, op: 'search', phase: 'ok', conv, seq, n, hash: hashOfText(text) })
  if (found.messages.length > n) throw new Error(`a search for a word of ${conv} seq ${seq} found others`)
}

/** Asks until the answer is whole: what trails, or has no time now, answers later. */
async function whole<T extends { partial: boolean }>(ask: () => Promise<T>, untilMs: number): Promise<T> {
  for (;;) {
    const late = performance.now() > untilMs
    try {
      const answer = await ask()
      if (!answer.partial) return answer
      if (late) throw new Error('no whole answer in time')
    } catch (error) {
      if (late || !(error instanceof LongwireError && error.retry === 'same')) throw error
    }
    await new Promise((resolve) => setTimeout(resolve, partialRetryMs))
  }
}
