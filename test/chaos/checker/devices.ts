/** What devices saw and read, against the log: everything they may see, once, in order, and nothing else. */
import { isErased, type Model, type Stream, visible } from './log.ts'
import type { Entry, Find, Finding } from './types.ts'

export interface DeviceCounts {
  devices: number
  received: number
  reconnects: number
  read: number
}

/**
 * `watch`/ok opens a device's stretch: from then on it must see every message that its user may see, in each conversation,
 * until the end. A device that began later says with `from`/ok {conv, seq} up to where it had been told the heads.
 */
export function checkDevices(
  model: Model,
  history: readonly Entry[],
): { findings: Finding[]; counts: DeviceCounts } {
  const findings: Finding[] = []
  const find: Find = (kind, detail) => void findings.push({ kind, detail })
  const counts: DeviceCounts = { devices: 0, received: 0, reconnects: 0, read: 0 }
  const devices = new Map<string, { seen: Map<string, number[]>; from: Map<string, number> }>()
  const reads = new Map<string, Map<string, number[]>>()
  for (const entry of history) {
    const { dev, op, conv, seq } = entry
    if (op === 'watch') devices.set(dev, { seen: new Map(), from: new Map() })
    if (op === 'reconnect') counts.reconnects += 1
    if (op === 'from') devices.get(dev)?.from.set(conv ?? '', seq ?? 0)
    if (op === 'recv' && conv !== undefined && seq !== undefined) {
      counts.received += 1
      compare(model, entry, find)
      add(devices.get(dev)?.seen, conv, seq)
    }
    if (op === 'readStart' && conv !== undefined) {
      const mine = reads.get(dev) ?? new Map<string, number[]>()
      reads.set(dev, mine)
      mine.set(conv, [])
    }
    if (op === 'read' && conv !== undefined && seq !== undefined) {
      counts.read += 1
      compare(model, entry, find)
      add(reads.get(dev), conv, seq)
    }
  }
  counts.devices = devices.size
  for (const [dev, { seen, from }] of devices) {
    checkSeen(dev, seen, find)
    for (const stream of model.streams.values())
      checkComplete(stream, dev, seen.get(stream.name) ?? [], from.get(stream.name) ?? 0, 'missing', find)
  }
  for (const [dev, byConv] of reads) checkHistory(model, dev, byConv, find)
  return { findings, counts }
}

function add(to: Map<string, number[]> | undefined, conv: string, seq: number): void {
  const list = to?.get(conv)
  if (list) list.push(seq)
  else to?.set(conv, [seq])
}

/** Is what was shown what the log holds, and may this user see it? */
function compare(model: Model, { dev, op, conv, seq, hash, packId }: Entry, find: Find): void {
  const user = dev.split('/')[0] ?? ''
  const place = `${dev} ${op} ${conv} seq ${seq}`
  const stream = model.streams.get(conv ?? '')
  const message = stream?.messages.get(seq ?? 0)
  if (!stream || !message) {
    find('untrue', `${place}: the log has no such message`)
    return
  }
  if (!visible(stream, user, message.seq)) find('trespass', place)
  if (hash === null) {
    if (message.recalledBy === null && !isErased(message)) find('untrue', `${place}: shown as recalled`)
    return
  }
  if (!message.versions.some((version) => version.hash === hash))
    find('forked', `${place}: a text that the log does not have there`)
  if (packId !== undefined && packId !== message.packId) find('untrue', `${place}: packId ${packId}`)
}

function checkSeen(dev: string, seen: Map<string, number[]>, find: Find): void {
  for (const [conv, seqs] of seen) {
    const once = new Set<number>()
    let highest = 0
    for (const seq of seqs) {
      if (once.has(seq)) find('seen-twice', `${dev} ${conv} seq ${seq}`)
      else if (seq < highest) find('inversion', `${dev} ${conv} seq ${seq} after ${highest}`)
      once.add(seq)
      highest = Math.max(highest, seq)
    }
  }
}

function checkComplete(
  stream: Stream,
  dev: string,
  seqs: readonly number[],
  from: number,
  kind: 'missing' | 'history',
  find: Find,
): void {
  const user = dev.split('/')[0] ?? ''
  if (!stream.members.has(user)) return
  const have = new Set(seqs)
  const lacking = [...stream.messages.keys()].filter(
    (seq) => seq > from && !have.has(seq) && visible(stream, user, seq),
  )
  for (const seq of lacking) find(kind, `${dev} lacks ${stream.name} seq ${seq}`)
}

/** The read from seq 1 at the end holds every message, in order, once. */
function checkHistory(model: Model, dev: string, byConv: Map<string, number[]>, find: Find): void {
  const user = dev.split('/')[0] ?? ''
  for (const [conv, seqs] of byConv)
    for (let i = 1; i < seqs.length; i++)
      if ((seqs[i] ?? 0) <= (seqs[i - 1] ?? 0))
        find('history', `${dev} ${conv}: ${seqs[i]} after ${seqs[i - 1]}`)
  for (const stream of model.streams.values()) {
    if (!stream.members.has(user) || stream.messages.size === 0) continue
    checkComplete(stream, dev, byConv.get(stream.name) ?? [], 0, 'history', find)
  }
}
