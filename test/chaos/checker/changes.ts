/**
 * I9: recalls and edits at the devices. After a recall no device shows the text once it knows of the recall, none that comes
 * online after it was told gets the text any more, nobody reads or finds it at the end; and every device that shows a text
 * learns of its changes, those made while its user was out included, and of none made after he left.
 */
import { isErased, knownOf, knownUpTo, type Message, type Model, type Stream, visible } from './log.ts'
import type { Entry, Find, Finding } from './types.ts'

export interface ChangeCounts {
  recalls: number
  edits: number
  /** Recalls that a device learned of only after it had been offline. */
  learnedLate: number
  /** Searches at the end that were compared, for recalled and for living texts. */
  searches: number
}

interface Device {
  readonly user: string
  onlineSince: number
  /** What it shows, by conversation and seq; null: as recalled, '': as erased. */
  readonly shows: Map<string, Map<number, string | null>>
}

export function checkChanges(
  model: Model,
  history: readonly Entry[],
): { findings: Finding[]; counts: ChangeCounts } {
  const findings: Finding[] = []
  const find: Find = (kind, detail) => void findings.push({ kind, detail })
  const counts: ChangeCounts = { recalls: 0, edits: 0, learnedLate: 0, searches: 0 }
  for (const stream of model.streams.values())
    for (const message of stream.messages.values()) {
      counts.recalls += message.recalledBy === null ? 0 : 1
      counts.edits += message.versions.length - 1
    }
  const devices = new Map<string, Device>()
  /** When a recall was first told to anyone. */
  const toldAt = new Map<string, number>()
  for (const entry of history) {
    const { dev, op, conv = '', seq = 0 } = entry
    if (op === 'watch') devices.set(dev, { user: userOf(dev), onlineSince: entry.t_mono, shows: new Map() })
    if (op === 'read' || op === 'preview') checkRead(model, entry, find)
    if (op === 'search') {
      counts.searches += 1
      checkSearch(model, entry, find)
    }
    const device = devices.get(dev)
    if (!device) continue
    if ((op === 'connect' || op === 'reconnect') && entry.phase === 'ok') device.onlineSince = entry.t_mono
    if (op === 'reset') device.shows.delete(conv)
    if (op === 'recv' || op === 'edited' || op === 'recalled') {
      if (op !== 'recv') checkChange(model, entry, find)
      const hash = shownBy(model, entry)
      const key = `${conv} ${seq}`
      const told = toldAt.get(key)
      const shown = device.shows.get(conv)?.get(seq)
      const place = `${dev} ${op} ${conv} seq ${seq}`
      if (hash && shown === null) find('recall', `${place}: shows the text again`)
      else if (hash && told !== undefined && device.onlineSince > told && !isOwn(model, entry, device))
        find('recall', `${place}: got the text after the recall was told, on a later connection`)
      if (hash === null && told === undefined) toldAt.set(key, entry.t_mono)
      if (hash === null && shown && told !== undefined && device.onlineSince > told) counts.learnedLate += 1
      show(device, conv, seq, hash)
    }
  }
  for (const [dev, device] of devices) checkShown(model, dev, device, find)
  return { findings, counts }
}

function show(device: Device, conv: string, seq: number, hash: string | null): void {
  const shows = device.shows.get(conv) ?? new Map<number, string | null>()
  device.shows.set(conv, shows)
  shows.set(seq, shows.get(seq) === null ? null : hash)
}

/** A message of which something was erased may come without a text although nobody has recalled it. */
function shownBy(model: Model, entry: Entry): string | null {
  if (entry.op === 'recalled') return null
  return entry.hash ?? (isErased(messageAt(model, entry)) ? '' : null)
}

const messageAt = (model: Model, { conv, seq }: Entry): Message | undefined =>
  model.streams.get(conv ?? '')?.messages.get(seq ?? 0)

/** What an author's device sent itself it needs to be given by nobody. */
const isOwn = (model: Model, entry: Entry, { user }: Device): boolean =>
  messageAt(model, entry)?.sender === user

/** An edit or a recall that was told must stand in the log; `n` is its own seq. */
function checkChange(model: Model, entry: Entry, find: Find): void {
  const { dev, op, conv, seq, n, hash } = entry
  const message = messageAt(model, entry)
  const place = `${dev} ${op} ${conv} seq ${seq} by ${n}`
  if (op === 'edited' && hash === null && isErased(message)) return
  if (op === 'recalled' || hash === null) {
    if (message?.recalledBy == null || (op === 'recalled' && message.recalledBy !== n))
      find('untrue', `${place}: the log has no such recall`)
  } else if (!message?.versions.some((version) => version.hash === hash))
    find('untrue', `${place}: the log has no such edit`)
}

/** Read at the end, when all is at rest: as it stands now for him who reads. */
function checkRead(model: Model, entry: Entry, find: Find): void {
  const { dev, op, conv, seq, hash } = entry
  const stream = model.streams.get(conv ?? '')
  const message = messageAt(model, entry)
  if (!stream || !message || hash === undefined) return
  const place = `${dev} ${op} ${conv} seq ${seq}`
  const known = knownOf(stream, userOf(dev), message)
  if (hash === null) {
    if (known && !known.erased) find('erased', `${place}: nothing of what stands there`)
  } else if (known?.erased && known.hash === hash) find('unerased', `${place}: the text that was erased`)
  else if (message.recalledBy !== null) find('recall', `${place}: the text of a recalled message`)
  else compare(stream, userOf(dev), message, hash, place, find)
}

/** A search for the text that stood at {conv, seq}: `hash` of the text asked for, `n` of what was found. */
function checkSearch(model: Model, entry: Entry, find: Find): void {
  const { dev, conv, seq, n, hash } = entry
  const stream = model.streams.get(conv ?? '')
  const message = messageAt(model, entry)
  if (!stream || !message) return
  const place = `${dev} searched for ${conv} seq ${seq}`
  const user = userOf(dev)
  const known = knownOf(stream, user, message)
  const findable = known && known.hash === hash && !known.erased && visible(stream, user, message.seq)
  if (known?.erased && n !== 0) find('unerased', `${place}, which was erased, and found ${n}`)
  else if (message.recalledBy !== null && n !== 0)
    find('recall', `${place}, which was recalled, and found ${n}`)
  else if (!findable && n !== 0) find('stale', `${place}, which says something else to him, and found ${n}`)
  else if (findable && n !== 1) find('history', `${place} and found ${n}`)
}

/** At the end every device shows what stands now, as far as its user may know of it. */
function checkShown(model: Model, dev: string, { user, shows }: Device, find: Find): void {
  for (const [conv, seqs] of shows) {
    const stream = model.streams.get(conv)
    if (!stream) continue
    for (const [seq, hash] of seqs) {
      const message = stream.messages.get(seq)
      if (!message || hash === null) continue
      const place = `${dev} ${conv} seq ${seq}`
      if (mustKnowRecall(stream, user, message))
        find('stale', `${place}: never told of the recall by seq ${message.recalledBy}`)
      // One of no version is told as forked.
      else if (hash === '') {
        const known = knownOf(stream, user, message)
        if (known && !known.erased) find('stale', `${place}: never told of the text of seq ${known.seq}`)
      } else if (message.versions.some((version) => version.hash === hash))
        compare(stream, user, message, hash, place, find)
    }
  }
}

/** Who is out is told of later recalls only when he asks; who is in knows of all, those made while he was out included. */
const mustKnowRecall = (stream: Stream, user: string, { recalledBy }: Message): boolean =>
  recalledBy !== null && recalledBy <= knownUpTo(stream, user)

/** A text must be the last version that the user may know. */
function compare(
  stream: Stream,
  user: string,
  message: Message,
  hash: string,
  place: string,
  find: Find,
): void {
  const upTo = knownUpTo(stream, user)
  const known = message.versions.findLastIndex(({ seq }) => seq <= upTo)
  const shown = message.versions.findLastIndex((version) => version.hash === hash)
  if (shown > known)
    find('trespass', `${place}: a version from after his last stay, which ended with seq ${upTo}`)
  else if (shown < known) find('stale', `${place}: not the last version`)
}

const userOf = (dev: string): string => dev.split('/')[0] ?? ''
