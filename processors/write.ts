/** From one record of im.commands to the one record of im.events that answers it. Pure: same input, same bytes. */
import {
  decodeCommandPayload,
  encodeEventPayload,
  bodyHash as hashOf,
  openCommand,
} from '../schemas/codec.ts'
import type { CodeName } from '../schemas/codes.ts'
import type { LogRecord } from '../schemas/ports.ts'
import type { Command, CommandPayload, Envelope, EventPayload } from '../schemas/records.ts'
import { isMessage } from './evolve.ts'
import type { Decide, Decision, Origin } from './processor.ts'
import { screen } from './screen.ts'
import type { StreamState } from './state.ts'

/** Where the writer stands: the fold it decides on. */
export interface Writer {
  readonly generation: number
  readonly epoch: number
  /** Partition clock in ms. */
  readonly now: number
  readonly decide: Decide
  /** The decided state of a stream; null when the id names none. */
  stateOf(stream: string): StreamState | null
}

export interface Written {
  readonly envelope: Envelope
  readonly payload: EventPayload
  /** Why the command was refused as undecodable or internal, for the dead letters; else null. */
  readonly defect: { reason: 'undecodable' | 'internal'; cause: unknown } | null
}

const NOBODY: Origin = { packId: Buffer.alloc(16), sender: '', device: '', bodyHash: 0 }

export function answerCommand(writer: Writer, record: LogRecord): Written {
  let command: Command
  let payload: CommandPayload
  try {
    if (!record.value) throw new Error('no value')
    command = openCommand(record.value)
  } catch (cause) {
    return refuse(writer, record, null, 'undecodable', cause)
  }
  const state = writer.stateOf(command.stream)
  if (!state) return refuse(writer, record, command, 'bad_id', null)
  try {
    payload = decodeCommandPayload(command)
  } catch (cause) {
    // A retry of what another version could read keeps its first answer, else its sender is told two different things.
    const known = screen(state, command, writer.now)
    if (known) return write(writer, record, command, state, payloadOf(originOf(command), known))
    return refuse(writer, record, command, 'undecodable', cause)
  }
  try {
    const decision = writer.decide(state, command, payload, writer.now)
    return write(writer, record, command, state, payloadOf(originOf(command), decision))
  } catch (cause) {
    return refuse(writer, record, command, 'internal', cause)
  }
}

const originOf = (command: Command): Origin => ({
  packId: command.packId,
  sender: command.sender,
  device: command.device,
  bodyHash: hashOf(command.schema, command.payload),
})

function payloadOf(origin: Origin, decision: Decision): EventPayload {
  switch (decision.kind) {
    case 'event':
      return { ...origin, ...decision.event } as EventPayload
    case 'rejection':
      return { type: 'Rejection', ...origin, code: decision.code }
    case 'repeat': {
      const { seq, ordinal, time, code } = decision.first
      return { type: 'Repeat', ...origin, seq, ordinal, time, code, conflict: decision.conflict }
    }
  }
}

function refuse(
  writer: Writer,
  record: LogRecord,
  command: Command | null,
  code: CodeName,
  cause: unknown,
): Written {
  const origin = command ? originOf(command) : NOBODY
  const state = command ? writer.stateOf(command.stream) : null
  const written = write(writer, record, command, state, { type: 'Rejection', ...origin, code })
  return code === 'undecodable' || code === 'internal'
    ? { ...written, defect: { reason: code, cause } }
    : written
}

function write(
  writer: Writer,
  record: LogRecord,
  command: Command | null,
  state: StreamState | null,
  payload: EventPayload,
): Written {
  const kind = payload.type === 'Rejection' ? 'rejection' : payload.type === 'Repeat' ? 'repeat' : 'event'
  const ordinal = (state?.ordinal ?? 0) + (isMessage(payload) ? 1 : 0)
  const envelope: Envelope = {
    kind,
    generation: writer.generation,
    epoch: writer.epoch,
    source: record.offset,
    stream: command?.stream ?? '',
    seq: kind === 'event' ? (state?.seq ?? 0) + 1 : 0,
    ordinal,
    time: writer.now,
    trace: command?.trace ?? null,
    reply: command?.reply ?? null,
    ...encodeEventPayload(payload),
  }
  return { envelope, payload, defect: null }
}
