/**
 * Erasures under load: what was acknowledged before one began is gone from keys, stores and later connections; what was sent after it
 * had ended, or by anybody else, is not. In the hole between both are right, as long as all agree.
 */
import type { Message, Model, Version } from './log.ts'
import { pairCommands } from './sends.ts'
import type { Entry, Find, Finding } from './types.ts'

export interface ErasureCounts {
  /** Erasures that ended. */
  ended: number
  /** Contents that were acknowledged before an erasure of their sender, and are gone. */
  gone: number
  /** Contents of erased users that were sent later, and can be read. */
  later: number
  /** Times that a device was shown a message without the text that was erased. */
  seen: number
  /** Contents that nobody saw any more, which were cut out of keys. */
  cut: number
}

/** First words of texts that stand somewhere in a store. */
export interface Standing {
  readonly store: string
  readonly words: ReadonlySet<string>
}

export interface ToldText {
  readonly hash: string
  /** Its first word, which is in no other text. */
  readonly word: string
  readonly sentAt: number
  readonly toldAt: number
}

/** What senders were told, by `<stream> <seq>`. */
export function textsTold(history: readonly Entry[]): Map<string, ToldText> {
  const told = new Map<string, ToldText>()
  for (const { invoke, end } of pairCommands(history).values()) {
    if (end?.phase !== 'ok' || typeof invoke.hash !== 'string') continue
    const { hash, detail: word = '', t_mono: sentAt } = invoke
    told.set(`${end.conv} ${end.seq}`, { hash, word, sentAt, toldAt: end.t_mono })
  }
  return told
}

interface Erasure {
  readonly from: number
  /** Infinite where it never ended. */
  to: number
}

/** By user, and under '' those of what nobody sees any more. */
function erasuresIn(history: readonly Entry[]): Map<string, Erasure[]> {
  const byUser = new Map<string, Erasure[]>()
  for (const { op, phase, detail = '', t_mono } of history) {
    if (op !== 'erase') continue
    const list = byUser.get(detail) ?? []
    byUser.set(detail, list)
    const last = list.at(-1)
    if (phase === 'invoke') list.push({ from: t_mono, to: Infinity })
    else if (last) last.to = t_mono
  }
  return byUser
}

export function checkErasures(
  model: Model,
  history: readonly Entry[],
  told: ReadonlyMap<string, ToldText>,
  standing: readonly Standing[],
): { findings: Finding[]; counts: ErasureCounts } {
  const findings: Finding[] = []
  const find: Find = (kind, detail) => void findings.push({ kind, detail })
  const counts: ErasureCounts = { ended: 0, gone: 0, later: 0, seen: 0, cut: 0 }
  const byUser = erasuresIn(history)
  for (const [user, list] of byUser)
    if (user !== '') counts.ended += list.filter(({ to }) => to < Infinity).length
  if (byUser.size === 0 && standing.length === 0) return { findings, counts }

  for (const { name, messages } of model.streams.values())
    for (const message of messages.values())
      for (const version of message.versions) {
        const place = `${name} seq ${version.seq} by ${message.sender}`
        const text = told.get(`${name} ${version.seq}`)
        const own = byUser.get(message.sender) ?? []
        const before = text !== undefined && own.some((one) => isBefore(text, one))
        const within = own.some(({ to }) => text === undefined || text.sentAt < to)
        const superseded = message.recalledBy !== null || version !== message.versions.at(-1)
        if (version.erased) {
          if (before) counts.gone += 1
          else if (!within && superseded && byUser.has('')) counts.cut += 1
          else if (!within) find('erased', `${place}: its key is gone, and nobody erased it`)
          for (const { store, words } of standing)
            if (text && words.has(text.word)) find('unerased', `${place}: stands in clear in ${store}`)
        } else if (before) find('unerased', `${place}: a key that is left opens it`)
        else if (own.length > 0 && !within) counts.later += 1
      }
  checkSeen(model, history, byUser, told, counts, find)
  return { findings, counts }
}

const isBefore = ({ toldAt }: ToldText, { from, to }: Erasure): boolean => toldAt < from && to < Infinity

/** No connection that began after an erasure is given what was erased. */
function checkSeen(
  model: Model,
  history: readonly Entry[],
  byUser: ReadonlyMap<string, readonly Erasure[]>,
  told: ReadonlyMap<string, ToldText>,
  counts: ErasureCounts,
  find: Find,
): void {
  const onlineSince = new Map<string, number>()
  for (const { dev, op, phase, conv = '', seq = 0, hash, t_mono } of history) {
    if ((op === 'connect' || op === 'reconnect') && phase === 'ok') onlineSince.set(dev, t_mono)
    if (op !== 'recv' && op !== 'edited' && op !== 'read' && op !== 'preview') continue
    const message = model.streams.get(conv)?.messages.get(seq)
    if (!message) continue
    if (hash === null) {
      if (message.recalledBy === null && message.versions.some(({ erased }) => erased)) counts.seen += 1
      continue
    }
    const version = message.versions.find((one) => one.hash === hash)
    // His own device knows what it sent.
    if (!version?.erased || message.sender === dev.split('/')[0]) continue
    const erasure = erasureOf(conv, message, version, byUser, told)
    if (erasure && (onlineSince.get(dev) ?? 0) > erasure.to)
      find('unerased', `${dev} ${op} ${conv} seq ${seq}: on a connection from after the erasure`)
  }
}

/** The first that took this text away. */
const erasureOf = (
  conv: string,
  { sender }: Message,
  { seq }: Version,
  byUser: ReadonlyMap<string, readonly Erasure[]>,
  told: ReadonlyMap<string, ToldText>,
): Erasure | undefined => {
  const text = told.get(`${conv} ${seq}`)
  return text && byUser.get(sender)?.find((one) => isBefore(text, one))
}
