/** What senders were told, against the log: lost, doubled, refused and yet there, wrong answers, order of sending. */
import type { Accepted } from './accept.ts'
import type { Model } from './log.ts'
import type { Entry, Find, Finding } from './types.ts'

export interface Command {
  readonly invoke: Entry
  end: Entry | null
}

export interface SendCounts {
  attempts: number
  ok: number
  fail: number
  info: number
  /** Under way when its device's connection broke, so of unknown outcome then, and committed all the same. */
  recovered: number
}

/** The lines that share an id are one command. */
export function pairCommands(history: readonly Entry[]): Map<string, Command> {
  const commands = new Map<string, Command>()
  for (const entry of history) {
    if (entry.id === undefined) continue
    if (entry.phase === 'invoke') commands.set(entry.id, { invoke: entry, end: null })
    else {
      const command = commands.get(entry.id)
      if (command) command.end = entry
    }
  }
  return commands
}

export function checkSends(
  model: Model,
  history: readonly Entry[],
): { findings: Finding[]; counts: SendCounts } {
  const findings: Finding[] = []
  const find: Find = (kind, detail) => void findings.push({ kind, detail })
  const counts: SendCounts = { attempts: 0, ok: 0, fail: 0, info: 0, recovered: 0 }
  const commands = pairCommands(history)
  const byHash = textsByHash(model, find)
  const answered = new Map<string, string>()
  const breaks = breaksOf(history)
  const sent = new Set<string>()

  for (const [id, { invoke, end }] of commands) {
    counts.attempts += 1
    const phase = end?.phase ?? 'info'
    if (phase === 'ok') counts.ok += 1
    else if (phase === 'fail') counts.fail += 1
    else counts.info += 1
    if (phase !== 'ok' && phase !== 'fail') find('unsettled', `${invoke.op} ${id} by ${invoke.dev}`)
    // Read marks and settings are coalesced and told no place.
    if (phase === 'ok' && end?.seq !== undefined) checkAnswer(model, answered, byHash, id, invoke, end, find)
    if (typeof invoke.hash !== 'string') continue
    sent.add(invoke.hash)
    const found = byHash.get(invoke.hash) ?? []
    if (phase === 'ok' && found.length === 0)
      find('lost', `${invoke.op} ${id} by ${invoke.dev}: ${end?.conv} seq ${end?.seq}`)
    if (phase === 'fail' && found.length > 0)
      find('aborted', `${id} was refused with ${end?.code}, and is ${found[0]?.stream} seq ${found[0]?.seq}`)
    if (phase === 'ok' && end && broke(breaks.get(invoke.dev), invoke.t_mono, end.t_mono))
      counts.recovered += 1
  }
  for (const [hash, found] of byHash)
    if (!sent.has(hash) && !byFuzz(found))
      find('ghost', `${found[0]?.stream} seq ${found[0]?.seq}: nobody sent ${hash}`)
  checkSendOrder(commands, find)
  return { findings, counts }
}

/** Of broken frames that made sense all the same, nobody keeps a history. */
const byFuzz = (found: readonly Placed[]): boolean => found.every(({ stream }) => /:fuzz\d/.test(stream))

/** Device → when its connection broke. */
function breaksOf(history: readonly Entry[]): Map<string, number[]> {
  const breaks = new Map<string, number[]>()
  for (const { op, dev, t_mono } of history)
    if (op === 'disconnect') breaks.set(dev, [...(breaks.get(dev) ?? []), t_mono])
  return breaks
}

const broke = (times: readonly number[] | undefined, from: number, to: number): boolean =>
  times?.some((at) => at > from && at < to) ?? false

interface Placed {
  readonly stream: string
  readonly seq: number
}

/** Every text that was sent, and every one that a message was edited to. */
function textsByHash(model: Model, find: Find): Map<string, Placed[]> {
  const byHash = new Map<string, Placed[]>()
  for (const stream of model.streams.values())
    for (const { versions } of stream.messages.values())
      for (const { hash, seq } of versions) {
        const list = byHash.get(hash) ?? []
        byHash.set(hash, list)
        list.push({ stream: stream.name, seq })
      }
  for (const [hash, found] of byHash)
    if (found.length > 1)
      find('duplicated', `body ${hash} is ${found.map((m) => `${m.stream} seq ${m.seq}`).join(' and ')}`)
  return byHash
}

function checkAnswer(
  model: Model,
  answered: Map<string, string>,
  byHash: ReadonlyMap<string, readonly Placed[]>,
  id: string,
  invoke: Entry,
  end: Entry,
  find: Find,
): void {
  const place = `${end.conv} seq ${end.seq}`
  const other = answered.get(place)
  if (other !== undefined) find('ack-reused', `${place} was the answer to ${other} and to ${id}`)
  answered.set(place, id)
  const logged: Accepted | undefined = model.streams.get(end.conv ?? '')?.events[(end.seq ?? 0) - 1]
  if (!logged || logged.seq !== end.seq) {
    // A text that is nowhere is `lost`; one that stands elsewhere was answered wrongly.
    if (!invoke.hash) find('lost', `${invoke.op} ${id} by ${invoke.dev}: ${place}`)
    else if (byHash.has(invoke.hash)) find('ack-wrong', `${id}: told ${place}, which is not in the log`)
    return
  }
  const same = invoke.hash
    ? (byHash.get(invoke.hash) ?? []).some(({ stream, seq }) => stream === end.conv && seq === end.seq)
    : logged.sender === invoke.dev.split('/')[0]
  const samePack = end.packId === undefined || end.packId === logged.packId
  if (!same || !samePack)
    find('ack-wrong', `${id}: told ${place}, where the log holds packId ${logged.packId}`)
}

/** What one device sends to one conversation is committed in the order in which it was sent. */
function checkSendOrder(commands: Map<string, Command>, find: Find): void {
  const last = new Map<string, { seq: number; id: string }>()
  for (const [id, { invoke, end }] of commands) {
    if (invoke.op !== 'send' || end?.phase !== 'ok' || end.seq === undefined) continue
    const key = `${invoke.proc}|${invoke.dev}|${end.conv}`
    const before = last.get(key)
    if (before && before.seq > end.seq)
      find(
        'send-order',
        `${invoke.dev} sent ${before.id} (seq ${before.seq}) before ${id} (seq ${end.seq}) to ${end.conv}`,
      )
    if (!before || before.seq < end.seq) last.set(key, { seq: end.seq, id })
  }
}
