/** Which records of im.events count: strict (a lost owner's never do) and dense (each source once, in order). */
import type { Row, Schemas } from './avro.ts'
import type { Find, Raw } from './types.ts'

export interface Accepted {
  readonly partition: number
  readonly offset: number
  readonly source: number
  readonly kind: string
  readonly stream: string
  readonly seq: number
  readonly ordinal: number
  readonly time: number
  /** Raw payload bytes, as logged. */
  readonly payload: Buffer
  /** Name of the payload's type, `MessageSent` and the like. */
  readonly type: string
  readonly row: Row
  readonly sender: string
  readonly packId: string
}

export interface Partition {
  generation: number
  epoch: number
  last: number
  time: number
  claims: number
  /** Broker time of each claim in force, in ms. */
  readonly claimTimes: number[]
  stale: number
  duplicates: number
  holes: number
}

/** 8-4-4-4-12, as clients are told it. */
export function packIdText(bytes: Buffer): string {
  const hex = bytes.toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}

/** The rule that decides which records count. Null: this one does not. */
export function judge(schemas: Schemas, at: Partition, record: Raw, find: Find): Accepted | null {
  const place = `im.events ${record.partition}/${record.offset}`
  let row: Row
  try {
    if (!record.value) throw new Error('no value')
    const opened = schemas.open(record.value)
    if (opened.name !== 'Envelope') throw new Error(`a ${opened.name}`)
    row = opened.row
  } catch (error) {
    find('undecodable', `${place}: ${String(error)}`)
    return null
  }
  const kind = String(row.kind)
  const generation = Number(row.generation)
  const epoch = Number(row.epoch)
  const source = Number(row.source)
  if (kind === 'claim') {
    if (generation < at.generation) {
      at.stale += 1
      return null
    }
    if (generation > at.generation) at.last = source - 1
    at.generation = generation
    at.epoch = record.offset
    at.claims += 1
    at.claimTimes.push(record.time)
    return null
  }
  if (generation < at.generation || (generation === at.generation && epoch < at.epoch)) {
    at.stale += 1
    return null
  }
  if (generation !== at.generation || epoch !== at.epoch) {
    find('unsound-write', `${place}: of claim ${epoch}, which is not in the log before it`)
    return null
  }
  if (source <= at.last) {
    at.duplicates += 1
    find('unsound-write', `${place}: source ${source} again, by the owner in force`)
    return null
  }
  if (source > at.last + 1) {
    at.holes += 1
    find('unsound-write', `${place}: source ${source} follows ${at.last}, by the owner in force`)
    return null
  }
  at.last = source
  const time = Number(row.time)
  if (time < at.time) find('time-backwards', `${place}: ${time} after ${at.time}`)
  at.time = Math.max(at.time, time)
  return decodePayload(schemas, record, row, kind, source, find)
}

function decodePayload(
  schemas: Schemas,
  record: Raw,
  row: Row,
  kind: string,
  source: number,
  find: Find,
): Accepted {
  const payload = row.payload as Buffer
  let type = '?'
  let inner: Row = {}
  try {
    const body = schemas.body(row.schema as Buffer, payload)
    type = body.name
    inner = body.row
  } catch (error) {
    find('undecodable', `payload of im.events ${record.partition}/${record.offset}: ${String(error)}`)
  }
  return {
    partition: record.partition,
    offset: record.offset,
    source,
    kind,
    stream: String(row.stream),
    seq: Number(row.seq),
    ordinal: Number(row.ordinal),
    time: Number(row.time),
    payload,
    type,
    row: inner,
    sender: String(inner.sender ?? ''),
    packId: Buffer.isBuffer(inner.packId) ? packIdText(inner.packId) : '',
  }
}
