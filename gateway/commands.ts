/** Appends commands to the log. What is acknowledged there cannot be lost; what is not may or may not be in it. */
import type { ContentSealer } from '../projections/content-keys/follower.ts'
import { fingerprintKey } from '../schemas/avro.ts'
import { decodeCommandPayload, encodeCommandPayload, sealCommand } from '../schemas/codec.ts'
import type { CodeName } from '../schemas/codes.ts'
import { partitionOf } from '../schemas/ids.ts'
import { type Appender, type Clock, Fault, type Logger } from '../schemas/ports.ts'
import { commandPayloads } from '../schemas/records.ts'
import { topics } from '../schemas/topics.ts'
import type { CommandDraft } from './command-of.ts'
import type { Counters } from './counters.ts'

export interface CommandSink {
  /** Null once every in-sync replica has it, else the code of the rejection. Never rejects. */
  append(draft: CommandDraft, connectionId: string): Promise<CodeName | null>
  inFlight(): number
}

export interface CommandSinkOptions {
  readonly appender: Appender
  /** Seals contents. Default: they go into the log as they are. */
  readonly sealer?: ContentSealer | null
  readonly partitions: number
  readonly gatewayId: string
  readonly boot: string
  readonly clock: Clock
  readonly log: Logger
  readonly counters: Counters
  observeAppendMs(ms: number): void
}

const FAULT_LOG_MS_MIN = 5_000

export function createCommandSink(options: CommandSinkOptions): CommandSink {
  const { appender, clock, counters, log, sealer } = options
  let inFlight = 0
  let loggedAt = Number.NEGATIVE_INFINITY

  function codeOf(error: unknown): CodeName {
    counters.commandsFailed += 1
    const now = clock.now()
    if (now - loggedAt >= FAULT_LOG_MS_MIN) {
      loggedAt = now
      log.warn({ err: error, failed: counters.commandsFailed }, 'append to the log failed')
    }
    if (!(error instanceof Fault)) return 'internal'
    return error.code === 'overloaded' ? 'overloaded' : 'unavailable'
  }

  return {
    async append(draft, connectionId) {
      const from = clock.now()
      inFlight += 1
      try {
        const reply = { gateway: options.gatewayId, boot: options.boot, connection: connectionId }
        const value = sealCommand({ ...(sealer ? await sealedDraft(draft, sealer) : draft), reply })
        const partition = partitionOf(draft.stream, options.partitions)
        await appender.append(topics.commands, partition, { key: draft.stream, value })
        counters.commandsAppended += 1
        options.observeAppendMs(clock.now() - from)
        return null
      } catch (error) {
        return codeOf(error)
      } finally {
        inFlight -= 1
      }
    },
    inFlight: () => inFlight,
  }
}

/** The same command with its content sealed under a key of the sender's. Rejects with a Fault where there is none to be had. */
async function sealedDraft(draft: CommandDraft, sealer: ContentSealer): Promise<CommandDraft> {
  if (!ofContents.has(fingerprintKey(draft.schema))) return draft
  const payload = decodeCommandPayload({ ...draft, reply: null })
  if (!('content' in payload)) return draft
  const sealed = await sealer.seal(draft.sender, draft.packId, payload.content)
  return { ...draft, ...encodeCommandPayload({ ...payload, ...sealed }) }
}

const ofContents: ReadonlySet<string> = new Set(
  [commandPayloads.SendMessage, commandPayloads.EditMessage].map(({ fingerprint }) =>
    fingerprintKey(fingerprint),
  ),
)
