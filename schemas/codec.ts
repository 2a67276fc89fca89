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

const known = loadHistory()
/** Canonical text of every released schema by fingerprint; the files are frozen, a test holds them to it. Grows by `learnSchema`. */
export const history: ReadonlyMap<string, string> = known

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

/** What this release may write. */
export const ownSchemas: readonly { readonly key: string; readonly canonical: string }[] = [
  ...Object.values(records),
  ...Object.values(commandPayloads),
  ...Object.values(eventPayloads),
].map(({ fingerprint, canonical }) => ({ key: fingerprintKey(fingerprint), canonical }))

const readable = new Map([...ownSchemas.map(({ key, canonical }) => [key, canonical] as const), ...history])
/** Canonical text of every schema whose bytes can be read here, by fingerprint: of this release, released ones, and learned ones. */
export const knownSchemas: ReadonlyMap<string, string> = readable

/** Whether bytes that name this fingerprint can be read. */
export const knowsSchema = (key: string): boolean => readable.has(key)

const LEARNED_LENGTH_MAX = 65_536

/**
 * Takes in the canonical text of a schema of another release, so that what was written with it can be read: its fields that this
 * release does not know are left out. Null: it is no such text, or a known one; else its full name.
 */
export function learnSchema(canonical: string): string | null {
  const key = fingerprintKey(fingerprintOf(canonical))
  if (knowsSchema(key) || canonical.length > LEARNED_LENGTH_MAX) return null
  const name = nameOf(canonical)
  if (name === null) return null
  known.set(key, canonical)
  readable.set(key, canonical)
  enter(commandRegistry, key, name)
  enter(eventRegistry, key, name)
  return name
}

function enter<T extends string>(
  into: Map<string, { type: T; codec: AnyCodec }>,
  key: string,
  name: string,
): void {
  const found = [...into.values()].find(({ codec }) => codec.name === name)
  if (found) into.set(key, found)
}

/** Of a record that may be one of ours. */
function nameOf(canonical: string): string | null {
  try {
    const { name, type } = JSON.parse(canonical) as { name?: unknown; type?: unknown }
    return type === 'record' && typeof name === 'string' && /^longwire(\.\w+)+$/.test(name) ? name : null
  } catch {
    return null
  }
}

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
