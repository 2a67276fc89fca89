/** One device of one user, on the SDK alone; everything it does and sees goes to the history. */
import { randomBytes } from 'node:crypto'
import {
  type Client,
  connect,
  LongwireError,
  type Message,
  memoryStore,
  type SendRequest,
  type Sent,
} from '../../../client/index.ts'
import { hashOfText } from '../checker/log.ts'
import type { Entry } from '../checker/types.ts'
import type { History } from '../history.ts'

export interface Device {
  readonly name: string
  readonly user: string
  readonly online: boolean
  /** Closed, to come back later: it takes no commands. */
  readonly away: boolean
  /** Commands without an outcome. */
  readonly pending: number
  readonly seen: ReadonlyMap<string, number>
  /** A text that is nowhere else: answers it with its place. */
  send(target: Target, named?: Named): Promise<Placed | null>
  edit(conv: string, seq: number, named?: Named): Promise<Placed | null>
  command(
    op: string,
    conv: string | undefined,
    call: (client: Client) => Promise<Sent | null>,
  ): Promise<Sent | null>
  /** Goes offline and comes back with what it kept, when `meanwhile` has ended or taken too long. */
  bounce(awayMs: number, meanwhile: () => Promise<unknown>): Promise<void>
  readonly totals: Totals
  close(): Promise<void>
}

export type Target = { readonly to: string } | { readonly conversationId: string }
export type Named = Pick<SendRequest, 'mentions' | 'mentionAll'>

export interface Placed {
  readonly conversationId: string
  readonly seq: number
  readonly text: string
}

export interface Totals {
  attempts: number
  ok: number
  fail: number
  received: number
  reconnects: number
  resends: number
  duplicates: number
  gapsHealed: number
  jumps: number
}

export interface DeviceOptions {
  readonly user: string
  readonly deviceId: string
  readonly urls: readonly string[]
  readonly token: string
  readonly history: History
  /** By performance.now(): heads may not answer until then. */
  readonly headlessUntilMs: number
  readonly received: (device: Device, message: Message) => void
}

/** Refusals that never left this process; the command did not happen. */
const neverSent = new Set(['outbox_full', 'bad_call'])
/** Outcomes that say nothing about whether it happened. */
const unknown = new Set(['closed', 'timeout'])
const meanwhileMsMax = 8_000
const settleMsMax = 15_000
let counter = 0

export async function openDevice(options: DeviceOptions): Promise<Device> {
  const { user, deviceId, history } = options
  const name = `${user}/${deviceId}`
  const store = memoryStore()
  const seen = new Map<string, number>()
  const totals: Totals = {
    ...{ attempts: 0, ok: 0, fail: 0, received: 0, reconnects: 0 },
    ...{ resends: 0, duplicates: 0, gapsHealed: 0, jumps: 0 },
  }
  let pending = 0
  let client: Client
  let away = false
  let gone = false

  const note = (entry: Omit<Entry, 't_mono' | 'proc' | 'dev'>) => history.add({ dev: name, ...entry })
  const open = async (): Promise<Client> => {
    let onlineBefore = false
    note({ op: 'connect', phase: 'invoke' })
    const opened = await connect({
      ...{ url: options.urls, token: options.token, deviceId, deviceType: 'chaos', store },
      // A device that was cut off for long must still see every message, one by one.
      ...{ catchUpMax: 100_000, connectTimeoutMs: 0 },
      on: {
        message(message) {
          const { conversationId: conv, seq, packId, content } = message
          totals.received += 1
          // Without heads a device cannot know what a conversation had before it heard of it first.
          if (!seen.has(conv) && performance.now() < options.headlessUntilMs)
            note({ op: 'from', phase: 'info', conv, seq })
          seen.set(conv, (seen.get(conv) ?? 0) + 1)
          note({ op: 'recv', phase: 'ok', conv, seq, packId, hash: hashOf(content) })
          options.received(device, message)
        },
        recalled({ conversationId: conv, targetSeq, seq }) {
          note({ op: 'recalled', phase: 'ok', conv, seq: targetSeq, n: seq })
        },
        edited({ conversationId: conv, targetSeq, seq, content }) {
          note({ op: 'edited', phase: 'ok', conv, seq: targetSeq, n: seq, hash: hashOf(content) })
        },
        conversation({ conversationId: conv, reason, lastSeq: seq }) {
          if (reason !== 'new') note({ op: reason, phase: 'info', conv, seq })
        },
        state({ state, code, address }) {
          const how = { code: code ?? '', detail: address ?? '' }
          if (state === 'online') note({ op: onlineBefore ? 'reconnect' : 'connect', phase: 'ok', ...how })
          else if (state === 'waiting' || state === 'closed')
            note({ op: 'disconnect', phase: 'info', ...how })
          if (state === 'online') onlineBefore = true
        },
      },
    })
    return opened
  }
  const settle = () => {
    const { reconnects, resends, duplicates, gapsHealed, jumps } = client.stats()
    totals.reconnects += reconnects
    totals.resends += resends
    totals.duplicates += duplicates
    totals.gapsHealed += gapsHealed
    totals.jumps += jumps
  }

  async function command(
    op: string,
    conv: string | undefined,
    call: (client: Client) => Promise<Sent | null>,
    text?: string,
  ): Promise<Sent | null> {
    counter += 1
    const id = `${process.pid}-${counter}`
    totals.attempts += 1
    pending += 1
    note({ op, phase: 'invoke', id, conv, ...(text === undefined ? {} : namedBy(text)) })
    try {
      const sent = await call(client)
      totals.ok += 1
      note({ op, phase: 'ok', id, conv: sent?.conversationId ?? conv, seq: sent?.seq, packId: sent?.packId })
      return sent ?? null
    } catch (error) {
      const code = error instanceof LongwireError ? error.code : String(error)
      const sure = neverSent.has(code) || (error instanceof LongwireError && !unknown.has(code))
      if (sure) totals.fail += 1
      note({ op, phase: sure ? 'fail' : 'info', id, conv, code })
      return null
    } finally {
      pending -= 1
    }
  }

  const device: Device = {
    name,
    user,
    seen,
    get online() {
      return !away && client.state === 'online'
    },
    get away() {
      return away
    },
    get pending() {
      return pending
    },
    get totals() {
      const live = gone ? null : client.stats()
      return {
        ...totals,
        reconnects: totals.reconnects + (live?.reconnects ?? 0),
        resends: totals.resends + (live?.resends ?? 0),
        duplicates: totals.duplicates + (live?.duplicates ?? 0),
        gapsHealed: totals.gapsHealed + (live?.gapsHealed ?? 0),
        jumps: totals.jumps + (live?.jumps ?? 0),
      }
    },
    async send(target, named) {
      const text = freshText()
      const conv = 'to' in target ? pairOf(user, target.to) : target.conversationId
      const call = (live: Client) => live.send({ ...target, ...named, text })
      const sent = await command('send', conv, call, text)
      return sent && { conversationId: conv, seq: sent.seq, text }
    },
    async edit(conv, seq, named) {
      const text = freshText()
      const call = (live: Client) => live.edit(conv, seq, { ...named, text })
      const sent = await command('edit', conv, call, text)
      return sent && { conversationId: conv, seq, text }
    },
    command: (op, conv, call) => command(op, conv, call),
    async bounce(awayMs, meanwhile) {
      if (away) return
      // Takes no more commands, and leaves when those under way have their outcome.
      away = true
      const untilMs = performance.now() + settleMsMax
      while (pending > 0 && performance.now() < untilMs) await sleep(50)
      if (pending > 0) {
        away = false
        return
      }
      settle()
      gone = true
      await client.close()
      await Promise.all([sleep(awayMs), Promise.race([meanwhile(), sleep(meanwhileMsMax)])])
      client = await open()
      gone = false
      away = false
    },
    async close() {
      if (away) return
      away = true
      await client.close({ deadlineMs: 1_000 })
    },
  }
  note({ op: 'watch', phase: 'ok' })
  client = await open()
  return device
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** The first word is in no other text, to be searched for. */
const freshText = () => `${randomBytes(12).toString('hex')} ${counter} ${'.'.repeat(40)}`
/** A text in the history, which never holds one. */
const namedBy = (text: string) => ({ hash: hashOfText(text), detail: text.split(' ')[0] ?? '' })
/** Null: recalled, or erased. */
export const hashOf = (content: Message['content']): string | null =>
  content === null ? null : hashOfText(content.text ?? '')

export const pairOf = (a: string, b: string) => (a < b ? `p2p:${a}:${b}` : `p2p:${b}:${a}`)
