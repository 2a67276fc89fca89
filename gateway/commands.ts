/** Appends commands to the log. What is acknowledged there cannot be lost; what is not may or may not be in it. */
import type { ContentSealer, SealedContent } from '../projections/content-keys/follower.ts'
import { encodeCommandPayload, sealCommand } from '../schemas/codec.ts'
import type { CodeName } from '../schemas/codes.ts'
import { partitionOf } from '../schemas/ids.ts'
import { type Appender, type Clock, Fault, type Logger } from '../schemas/ports.ts'
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
  const behind = new Map<string, Promise<void>>()
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
    // Nothing can be said under this packId any more: its sender looks it up, and sends anew.
    if (error.code === 'key_destroyed') return 'pack_id_expired'
    return error.code === 'overloaded' ? 'overloaded' : 'unavailable'
  }

  /** In the order of the calls of each connection: behind one that waits for its sender's first key, the others wait too. */
  function prepared(draft: CommandDraft, connectionId: string): CommandDraft | Promise<CommandDraft> {
    if (!sealer) return draft
    const before = behind.get(connectionId)
    const ready = before ? before.then(() => sealedDraft(draft, sealer)) : sealedDraft(draft, sealer)
    if (!(ready instanceof Promise)) return ready
    const done = ready.then(
      () => {},
      () => {},
    )
    behind.set(connectionId, done)
    void done.then(() => {
      if (behind.get(connectionId) === done) behind.delete(connectionId)
    })
    return ready
  }

  return {
    async append(draft, connectionId) {
      const from = clock.now()
      inFlight += 1
      try {
        const reply = { gateway: options.gatewayId, boot: options.boot, connection: connectionId }
        const ready = prepared(draft, connectionId)
        const { payload, ...command } = ready instanceof Promise ? await ready : ready
        const value = sealCommand({ ...command, ...encodeCommandPayload(payload), reply })
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

/** The same command with its content sealed under a key of the sender's. Throws or rejects with a Fault where there is none to be had. */
function sealedDraft(draft: CommandDraft, sealer: ContentSealer): CommandDraft | Promise<CommandDraft> {
  const { payload } = draft
  if (!('content' in payload)) return draft
  const withSealed = (sealed: SealedContent): CommandDraft => ({
    ...draft,
    payload: { ...payload, ...sealed },
  })
  const sealed = sealer.seal(draft.sender, draft.packId, payload.content)
  return sealed instanceof Promise ? sealed.then(withSealed) : withSealed(sealed)
}
