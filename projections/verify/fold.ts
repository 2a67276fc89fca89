/** Its own fold of the log: who reads it needs no projection to know what they must hold. Pure. */
import { type Position, START } from '../../schemas/accept.ts'
import { formatPackId, partitionOf } from '../../schemas/ids.ts'
import type { LogRecord } from '../../schemas/ports.ts'
import { readRecord } from '../../schemas/read.ts'
import type { Envelope, EventPayload } from '../../schemas/records.ts'
import { topics } from '../../schemas/topics.ts'
import type { Find } from './findings.ts'
import {
  addTo,
  createSeen,
  emptySum,
  type Hash64,
  recordHash,
  type Seen,
  type Sum,
  textHash,
} from './fingerprints.ts'
import type { Sample } from './sample.ts'

/** What one generation of a partition came to. */
export interface GenerationSum {
  readonly generation: number
  /** Source of its first record. */
  readonly first: number
  last: number
  readonly sum: Sum
  readonly kinds: { event: number; rejection: number; repeat: number }
}

export interface PartitionFold {
  position: Position
  /** A claim was missed: nothing behind it can be judged. */
  broken: boolean
  time: number
  readonly generations: GenerationSum[]
  /** Of sources from `answersFrom` on, in the generation in force: what they answer. */
  answersFrom: number
  answers: number[]
  readonly seen: Seen
}

/** A packId that seems to stand under two seqs: two fingerprints may also be equal by chance. */
export interface Suspect {
  readonly partition: number
  readonly stream: string
  readonly sender: string
  readonly packId: string
}

export interface FoldCounts {
  records: number
  accepted: number
  events: number
  rejections: number
  repeats: number
  claims: number
  stale: number
  duplicates: number
}

export interface LogFold {
  take(partition: number, records: readonly LogRecord[]): void
  readonly counts: FoldCounts
  readonly partitions: ReadonlyMap<number, PartitionFold>
  /** Streams with at least one event. */
  streams(): number
  readonly suspects: readonly Suspect[]
  /** Commands whose packId may be older than what is remembered. */
  forgotten(): number
}

export interface FoldOptions {
  readonly partitions: number
  readonly find: Find
  readonly sample: Sample
  /** Of im.commands: from where on each command is to be found answered. */
  readonly commandsFrom: (partition: number) => number
  /** PackIds remembered per partition. */
  readonly packIdsMax: number
}

interface Head {
  seq: number
  ordinal: number
}

const SUSPECTS_MAX = 100

/** Names a command within its partition. */
export const commandHash = (stream: string, sender: string, packId: Buffer): Hash64 =>
  textHash(`${stream} ${sender} ${packId.toString('hex')}`)
/** What ties a record to its command, in 53 bits. */
export const answerOf = ({ high, low }: Hash64): number => (high & 0x1fffff) * 2 ** 32 + low
/** Of a record whose payload cannot be read. */
export const UNKNOWN = -1

export function createFold(options: FoldOptions): LogFold {
  const { find, sample } = options
  const partitions = new Map<number, PartitionFold>()
  const heads = new Map<string, Head>()
  const suspects: Suspect[] = []
  const counts: FoldCounts = {
    ...{ records: 0, accepted: 0, events: 0, rejections: 0, repeats: 0 },
    ...{ claims: 0, stale: 0, duplicates: 0 },
  }

  function foldOf(partition: number): PartitionFold {
    const found = partitions.get(partition)
    if (found) return found
    const fresh: PartitionFold = {
      ...{ position: START, broken: false, time: 0, generations: [] },
      ...{ answersFrom: options.commandsFrom(partition), answers: [], seen: createSeen(options.packIdsMax) },
    }
    partitions.set(partition, fresh)
    return fresh
  }

  function take(partition: number, records: readonly LogRecord[]): void {
    const of = foldOf(partition)
    for (const record of records) one(partition, of, record)
  }

  function one(partition: number, of: PartitionFold, record: LogRecord): void {
    if (of.broken || record.offset < of.position.offset) return
    const place = `${topics.events} ${partition}/${record.offset}`
    counts.records += 1
    const read = readRecord(of.position, record)
    const { verdict, envelope, payload } = read
    of.position = read.next
    switch (verdict) {
      case 'unreadable':
        find('undecodable', `${place}: ${String(read.fault)}`)
        break
      case 'claim':
        counts.claims += 1
        if (envelope && envelope.generation !== of.generations.at(-1)?.generation)
          open(partition, of, envelope)
        break
      case 'stale':
        counts.stale += 1
        break
      case 'duplicate':
        counts.duplicates += 1
        break
      case 'hole':
        find('hole', `${place}: source ${envelope?.source} follows ${of.position.last}`)
        break
      case 'missed-claim':
        of.broken = true
        find('missed-claim', `${place}: of claim ${envelope?.epoch}; nothing behind it was looked at`)
        break
      case 'accept':
        if (envelope) accept(partition, of, envelope, payload, place)
        if (read.fault !== null) find('undecodable', `${place}: ${unknownIn(read.fault)}`)
    }
  }

  function open(partition: number, of: PartitionFold, { generation, source }: Envelope): void {
    of.generations.push({
      ...{ generation, first: source, last: source - 1, sum: emptySum() },
      kinds: { event: 0, rejection: 0, repeat: 0 },
    })
    of.answersFrom = Math.max(options.commandsFrom(partition), source)
    of.answers = []
  }

  function accept(
    partition: number,
    of: PartitionFold,
    envelope: Envelope,
    payload: EventPayload | null,
    place: string,
  ): void {
    const { kind, stream, seq, source, time } = envelope
    const generation = of.generations.at(-1)
    if (!generation || kind === 'claim') return
    counts.accepted += 1
    generation.last = source
    generation.kinds[kind] += 1
    addTo(generation.sum, recordHash(stream, seq, envelope.payload))
    if (time < of.time) find('time', `${place}: ${time} after ${of.time}`)
    of.time = Math.max(of.time, time)
    const origin = payload && payload.type !== 'Claim' ? payload : null
    const command = origin && commandHash(stream, origin.sender, origin.packId)
    if (source >= of.answersFrom) of.answers[source - of.answersFrom] = command ? answerOf(command) : UNKNOWN
    if (kind === 'rejection') counts.rejections += 1
    else if (kind === 'repeat') counts.repeats += 1
    else event(partition, of, envelope, payload, command, place)
  }

  function event(
    partition: number,
    of: PartitionFold,
    envelope: Envelope,
    payload: EventPayload | null,
    command: Hash64 | null,
    place: string,
  ): void {
    const { stream, seq, ordinal } = envelope
    counts.events += 1
    let head = heads.get(stream)
    if (!head) {
      head = { seq: 0, ordinal: 0 }
      heads.set(stream, head)
      const own = partitionOf(stream, options.partitions)
      if (own !== partition) find('misplaced', `${place}: ${stream} belongs to partition ${own}`)
    }
    if (seq !== head.seq + 1) find('gap', `${place}: ${stream} seq ${seq} follows ${head.seq}`)
    const counted = head.ordinal + (payload?.type === 'MessageSent' ? 1 : 0)
    if (ordinal !== counted && (payload || ordinal !== counted + 1))
      find('gap', `${place}: ${stream} seq ${seq} has ordinal ${ordinal}, after ${head.ordinal}`)
    head.seq = seq
    head.ordinal = ordinal
    if (command && of.seen.add(command) && suspects.length < SUSPECTS_MAX && payload && 'sender' in payload)
      suspects.push({ partition, stream, sender: payload.sender, packId: formatPackId(payload.packId) })
    sample.apply(envelope, payload)
  }

  return {
    ...{ take, counts, partitions, suspects },
    streams: () => heads.size,
    forgotten: () => [...partitions.values()].reduce((sum, { seen }) => sum + seen.forgotten(), 0),
  }
}

/** A payload is of a later release, or its bytes are not what was written. */
const unknownIn = (fault: unknown): string => {
  const text = fault instanceof Error ? fault.message : String(fault)
  return /unknown payload schema/.test(text)
    ? `${text}: written by a later release? Run that release's verify`
    : text
}
