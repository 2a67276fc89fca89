import { readFileSync } from 'node:fs'
import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import {
  type ISocketFactory,
  Kafka,
  type LogEntry,
  logLevel,
  type RetryOptions,
  type SASLOptions,
} from 'kafkajs'
import type { Clock, Logger } from '../../schemas/ports.ts'

export interface KafkaSettings {
  /** `host:port` of the brokers to begin with. */
  readonly brokers: readonly string[]
  /** Names the clients in the brokers' logs and quotas. */
  readonly clientId: string
  /** PEM file of the authority that signed the brokers' certificates; set = TLS. */
  readonly tlsCaFile?: string | undefined
  readonly sasl?:
    | { mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'; username: string; password: string }
    | undefined
  /** Replicas of new topics; unset = the broker's default. */
  readonly replication?: number | undefined
  readonly minInsync?: number | undefined
}

export interface KafkaClientOptions {
  readonly requestTimeoutMs: number
  readonly retry: RetryOptions
  /** Called for every line that kafkajs logs, before it is thinned out. */
  readonly onLog?: (entry: LogEntry) => void
}

/** The client object and a switch that makes sure that nothing of it ever reaches a broker again. */
export interface KafkaClient {
  readonly kafka: Kafka
  /** Closes every socket and refuses new ones: kafkajs cannot cancel a retry, so its wire is cut instead. */
  kill(): void
}

/** A few quick tries inside one call; who calls decides about going on. */
export const innerRetry: RetryOptions = {
  initialRetryTime: 50,
  multiplier: 1.5,
  factor: 0.2,
  maxRetryTime: 400,
  retries: 5,
}

const repeatedLogMs = 5_000
const repeatedLogKeysMax = 200

/**
 * Said by kafkajs at every limit on retries. Here a limit is safe: a producer that gave up is never used again, so no
 * sequence number is spent twice.
 */
const falseAlarm = 'Limiting retries for the idempotent producer'
const givenUp = 'this client was given up'

/** kafkajs with our sockets and our logger. One object per role: they share no connection. */
export function createKafkaClient(
  settings: KafkaSettings,
  logger: Logger,
  clock: Clock,
  options: KafkaClientOptions,
): KafkaClient {
  process.env.KAFKAJS_NO_PARTITIONER_WARNING = '1'
  const sockets = createSockets()
  const ca = settings.tlsCaFile === undefined ? undefined : readFileSync(settings.tlsCaFile, 'utf8')
  const kafka = new Kafka({
    // kafkajs stays with the first address when something there accepts and closes (a balancer before a dead broker), so
    // a process that is started again must not always begin with the same one.
    brokers: shuffled(settings.brokers),
    clientId: settings.clientId,
    ...(ca === undefined ? {} : { ssl: { ca } }),
    ...(settings.sasl === undefined ? {} : { sasl: settings.sasl as SASLOptions }),
    connectionTimeout: 3_000,
    requestTimeout: options.requestTimeoutMs,
    enforceRequestTimeout: true,
    retry: options.retry,
    socketFactory: sockets.factory,
    logLevel: logLevel.WARN,
    logCreator: () => logThinned(logger, clock, options.onLog),
  })
  return { kafka, kill: sockets.kill }
}

function createSockets(): { factory: ISocketFactory; kill: () => void } {
  const open = new Set<Socket>()
  let killed = false
  const factory: ISocketFactory = ({ host, port, ssl, onConnect }) => {
    if (killed) throw new Error(givenUp)
    const tls = ssl as ConnectionOptions | undefined
    const socket = tls
      ? connectTls({ host, port, ...(isIP(host) ? {} : { servername: host }), ...tls }, onConnect)
      : connectTcp({ host, port }, onConnect)
    socket.setKeepAlive(true, 60_000)
    // kafkajs leaves Nagle's algorithm on, which can hold a small request back until the last answer is acknowledged.
    socket.setNoDelay(true)
    open.add(socket)
    socket.once('close', () => open.delete(socket))
    return socket
  }
  const kill = () => {
    killed = true
    // With an error: kafkajs rejects what is pending only on 'error' and 'end'.
    for (const socket of open) socket.destroy(new Error(givenUp))
  }
  return { factory, kill }
}

/** Passes on what operators need; an outage repeats the same line many times a second. */
function logThinned(logger: Logger, clock: Clock, onLog: ((entry: LogEntry) => void) | undefined) {
  const lastByMessage = new Map<string, number>()
  return (entry: LogEntry) => {
    onLog?.(entry)
    const { namespace, log } = entry
    if (log.message.startsWith(falseAlarm) || log.message.includes(givenUp)) return
    const key = `${namespace}|${log.message}`
    const now = clock.now()
    const last = lastByMessage.get(key)
    if (last !== undefined && now - last < repeatedLogMs) return
    if (lastByMessage.size >= repeatedLogKeysMax) lastByMessage.clear()
    lastByMessage.set(key, now)
    const { broker, groupId, topic, partition, retryCount, error } = log
    const fields = { namespace, broker, groupId, topic, partition, retryCount, cause: errorText(error) }
    logger.warn(fields, `kafka: ${log.message}`)
  }
}

function errorText(error: unknown): string | undefined {
  if (typeof error === 'string') return error
  return error instanceof Error ? error.message : undefined
}

function shuffled<T>(items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item)
}
