/** Reading and writing what stands on the topics, with every released writer schema known. */
import { readdirSync, readFileSync } from 'node:fs'
import { type Codec, decodeWith, fingerprintKey, open, seal, Undecodable } from './avro.ts'
import { fingerprintOf } from './fingerprint.ts'
import {
  type Activity,
  type Command,
  type CommandPayload,
  type CommandType,
  commandPayloads,
  type Envelope,
  type EventPayload,
  type EventType,
  eventPayloads,
  records,
} from './records.ts'

/** Canonical text of every released schema by fingerprint; the files are frozen, a test holds them to it. */
export const history: ReadonlyMap<string, string> = loadHistory()

function loadHistory(): Map<string, string> {
  const folder = new URL('./history/', import.meta.url)
  const found = new Map<string, string>()
  for (const file of readdirSync(folder)) {
    if (!file.endsWith('.avsc')) continue
    const canonical = readFileSync(new URL(file, folder), 'utf8').trim()
    found.set(fingerprintKey(fingerprintOf(canonical)), canonical)
  }
  return found
}

type AnyCodec = Codec<unknown>

/** Payload type by fingerprint, for current schemas and released ones (matched by their full name). */
function registry<T extends string>(codecs: Record<T, unknown>): Map<string, { type: T; codec: AnyCodec }> {
  const byFingerprint = new Map<string, { type: T; codec: AnyCodec }>()
  for (const type of Object.keys(codecs) as T[]) {
    const codec = codecs[type] as AnyCodec
    byFingerprint.set(fingerprintKey(codec.fingerprint), { type, codec })
    for (const [key, canonical] of history) {
      if ((JSON.parse(canonical) as { name?: string }).name === codec.name && !byFingerprint.has(key))
        byFingerprint.set(key, { type, codec })
    }
  }
  return byFingerprint
}

const commandRegistry = registry<CommandType>(commandPayloads)
const eventRegistry = registry<EventType>(eventPayloads)

function decodePayload<T extends string>(
  from: Map<string, { type: T; codec: AnyCodec }>,
  schema: Buffer,
  payload: Buffer,
): unknown {
  const found = from.get(fingerprintKey(schema))
  if (!found) throw new Undecodable(`unknown payload schema ${schema.toString('hex')}`)
  const value = decodeWith(found.codec, schema, payload, history) as { type?: string }
  value.type = found.type
  return value
}

/** Schema fingerprint and bytes of a command's payload. Throws where the value does not fit. */
export function encodeCommandPayload(payload: CommandPayload): { schema: Buffer; payload: Buffer } {
  const codec = commandPayloads[payload.type] as unknown as AnyCodec
  return { schema: codec.fingerprint, payload: codec.encode(payload) }
}

/** Schema fingerprint and bytes of an event's payload. Throws where the value does not fit. */
export function encodeEventPayload(payload: EventPayload): { schema: Buffer; payload: Buffer } {
  const codec = eventPayloads[payload.type] as unknown as AnyCodec
  return { schema: codec.fingerprint, payload: codec.encode(payload) }
}

/** Throws Undecodable. */
export const decodeCommandPayload = (command: Command): CommandPayload =>
  decodePayload(commandRegistry, command.schema, command.payload) as CommandPayload
/** Throws Undecodable. */
export const decodeEventPayload = (envelope: Envelope): EventPayload =>
  decodePayload(eventRegistry, envelope.schema, envelope.payload) as EventPayload

/** Throws Undecodable. */
export const openEnvelope = (bytes: Buffer): Envelope => open(records.Envelope, bytes, history)
/** Throws Undecodable. */
export const openCommand = (bytes: Buffer): Command => open(records.Command, bytes, history)
/** Throws Undecodable. */
export const openActivity = (bytes: Buffer): Activity => open(records.Activity, bytes, history)
export const sealEnvelope = (envelope: Envelope): Buffer => seal(records.Envelope, envelope)
export const sealCommand = (command: Command): Buffer => seal(records.Command, command)

/** FNV-1a, 32 bit: tells a repeated body from another under the same packId. Not for security. */
export function bodyHash(schema: Buffer, payload: Buffer): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < schema.length; i++) hash = Math.imul(hash ^ (schema[i] as number), 0x01000193)
  for (let i = 0; i < payload.length; i++) hash = Math.imul(hash ^ (payload[i] as number), 0x01000193)
  return hash >>> 0
}
