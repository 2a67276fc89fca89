import type { Message, Producer } from 'kafkajs'
import { type Clock, Fault, type Logger } from '../../schemas/ports.ts'
import type { Lane, LaneRequest } from '../logstore/appender.ts'
import { createKafkaClient, innerRetry, type KafkaSettings } from './client.ts'

export interface LaneOptions {
  readonly timeoutMs: number
}

interface RequestState {
  /** Looked at by the partitioner, which kafkajs runs again on each retry. */
  cancelled: boolean
}

interface SentMessage extends Message {
  readonly request: RequestState
}

/** Errors that say that nothing was written and nothing like it ever will be: CORRUPT_MESSAGE, MESSAGE_TOO_LARGE, INVALID_TOPIC, *_AUTHORIZATION_FAILED, INVALID_RECORD. */
const refusedTypes = new Set([
  'CORRUPT_MESSAGE',
  'MESSAGE_TOO_LARGE',
  'RECORD_LIST_TOO_LARGE',
  'INVALID_TOPIC_EXCEPTION',
  'TOPIC_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
  'INVALID_RECORD',
])

const drainPollMs = 50
const raceAttemptsMax = 40
const raceBackoffMs = 50

/**
 * One producer for one topic, used under the discipline that keeps it from losing acknowledged records: one partition
 * per request, one request in flight per partition (the caller's part), and never again after any failure. A failed
 * request may still be in the log under a sequence number that the next one would reuse; the broker would take
 * the next one for a repeat and acknowledge it without writing it.
 */
export function createLane(
  settings: KafkaSettings,
  logger: Logger,
  clock: Clock,
  options: LaneOptions,
): Lane {
  // Half of the limit: one attempt lost to a silent broker leaves time for another at the new leader.
  const requestTimeoutMs = Math.max(500, Math.floor(options.timeoutMs / 2))
  const client = createKafkaClient(settings, logger, clock, { requestTimeoutMs, retry: innerRetry })
  let connected: Promise<Producer> | null = null
  let retired = false
  let inFlight = 0
  const abandons = new Set<() => void>()

  const connect = async (state: RequestState): Promise<Producer> => {
    const producer = client.kafka.producer({
      idempotent: true,
      allowAutoTopicCreation: false,
      // Short: after a request that timed out kafkajs would otherwise go on asking the old leader for minutes.
      metadataMaxAge: Math.min(5_000, requestTimeoutMs),
      retry: { initialRetryTime: 50, multiplier: 1.5, factor: 0.2, maxRetryTime: 400, retries: 30 },
      createPartitioner: () => partitionOf,
    })
    await pastRaces(clock, state, () => producer.connect())
    return producer
  }

  const produce = async (request: LaneRequest, state: RequestState): Promise<number> => {
    connected ??= connect({ cancelled: false })
    const producer = await connected.catch((error) => {
      throw notSent(error)
    })
    const { topic, partition, records } = request
    const messages: SentMessage[] = []
    for (const { key, value } of records) messages.push({ key, value, partition, request: state })
    const send = () => producer.send({ topic, messages, acks: -1, timeout: requestTimeoutMs })
    const answers = await pastRaces(clock, state, send)
    const answer = answers.find((one) => one.partition === partition && one.topicName === topic)
    if (answer?.baseOffset === undefined || answer.errorCode !== 0) throw new Error('no answer')
    return Number(answer.baseOffset)
  }

  const kill = () => {
    retired = true
    client.kill()
    for (const abandon of [...abandons]) abandon()
  }

  /** The work, unless the lane's time or the lane itself ends first. */
  const bounded = (work: Promise<number>): Promise<number> =>
    new Promise((resolve, reject) => {
      const abandon = () => reject(unanswered(options.timeoutMs))
      // Silent for so long: nothing that still waits inside kafkajs may leave later, so the wire is cut for all.
      const cancel = clock.after(options.timeoutMs, kill)
      abandons.add(abandon)
      work.then(resolve, reject).finally(() => {
        cancel()
        abandons.delete(abandon)
      })
    })

  const send = async (request: LaneRequest): Promise<number> => {
    const state: RequestState = { cancelled: false }
    inFlight += 1
    try {
      return await bounded(produce(request, state))
    } catch (error) {
      state.cancelled = true
      retired = true
      throw toFault(error, request)
    } finally {
      inFlight -= 1
      if (retired && inFlight === 0) kill()
    }
  }

  const close = async (): Promise<void> => {
    const wasUsed = connected !== null && !retired
    retired = true
    const deadline = clock.now() + options.timeoutMs
    while (inFlight > 0 && clock.now() < deadline) await sleep(clock, drainPollMs)
    if (wasUsed) await Promise.race([disconnect(connected).catch(() => undefined), sleep(clock, 1_000)])
    kill()
  }

  return { send, usable: () => !retired, close }
}

async function disconnect(connected: Promise<Producer> | null): Promise<void> {
  if (connected !== null) await (await connected).disconnect()
}

/**
 * kafkajs sometimes asks a connection that is just being opened again, and gives up with a bare "Broker not connected".
 * The same records may then be sent again by the same producer: the sequence number was taken back, and nothing else goes
 * to the partition meanwhile, so this is the retry that kafkajs would have made itself.
 */
async function pastRaces<T>(clock: Clock, state: RequestState, work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    if (state.cancelled) throw givenUp()
    try {
      return await work()
    } catch (error) {
      const race = error instanceof Error && error.message === 'Broker not connected'
      if (!race || attempt === raceAttemptsMax) throw error
      await sleep(clock, raceBackoffMs)
    }
  }
}

/** The partition is always given; a request that was given up must not leave again by one of kafkajs's retries. */
function partitionOf({ message }: { message: Message }): number {
  const { partition, request } = message as SentMessage
  if (request.cancelled) throw givenUp()
  if (partition === undefined) throw new Error('a record without partition')
  return partition
}

function givenUp(): Error {
  return Object.assign(new Error('given up'), { retriable: false })
}

function toFault(error: unknown, { topic, partition }: LaneRequest): Fault {
  if (error instanceof Fault) return error
  const type = errorType(error)
  const where = `${topic}/${partition}`
  if (type !== undefined && refusedTypes.has(type)) {
    return new Fault('append_refused', `the broker refused records for ${where}: ${type}`, {
      retriable: false,
      cause: error,
    })
  }
  const reason = type ?? (error instanceof Error ? error.message : 'unknown')
  return new Fault('append_unknown', `append to ${where} not confirmed: ${reason}`, {
    retriable: true,
    cause: error,
  })
}

/** kafkajs wraps the protocol error, sometimes twice. */
function errorType(error: unknown): string | undefined {
  for (let at = error, depth = 0; at instanceof Error && depth < 4; at = at.cause, depth += 1) {
    if ('type' in at && typeof at.type === 'string') return at.type
  }
  return undefined
}

/** The brokers were not even reached. */
function notSent(cause: unknown): Fault {
  const reason = cause instanceof Error ? cause.message : 'unknown'
  return new Fault('append_not_sent', `brokers not reached: ${reason}`, { retriable: true, cause })
}

function unanswered(ms: number): Fault {
  return new Fault('append_unknown', `no answer within ${ms} ms`, { retriable: true })
}

function sleep(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(ms, resolve)
  })
}
