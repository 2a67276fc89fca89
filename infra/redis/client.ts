/** Connections to Redis: one node or a Cluster, with its client's queues and retries switched off. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { type ChainableCommander, Cluster, type ClusterOptions, Redis, type RedisOptions } from 'ioredis'
import type { RedisCall, RedisKeys, RedisPort, RedisReply, Script } from '../../projections/ports.ts'
import { Fault, type Logger } from '../../schemas/ports.ts'
import { type Config, readSecretFile } from '../config.ts'
import { slotOf } from './slot.ts'

export interface RedisClientOptions {
  /** redis:// or rediss://; several = Redis Cluster. */
  readonly urls: readonly string[]
  readonly username?: string | undefined
  readonly password?: string | undefined
  readonly tlsCa?: string | undefined
  /** Name of the connection, for the operator's CLIENT LIST. */
  readonly name: string
  /** Default 500. */
  readonly timeoutMs?: number
}

export interface RedisClient extends RedisPort, RedisKeys {
  /** Resolves to true when Redis answers, or to false after `ms`. */
  ready(ms: number): Promise<boolean>
  close(): Promise<void>
}

const TIMEOUT_MS = 500
const RECONNECT_MS_MAX = 2_000
const READY_POLL_MS = 25
const KEYS_PER_SCAN = 1_000

export function redisOptions(config: Config, name: string): RedisClientOptions {
  return {
    urls: config.redis ?? [],
    username: config.redisUsername,
    password: readSecretFile('REDIS_PASSWORD_FILE', config.redisPasswordFile),
    tlsCa: config.redisTlsCaFile === undefined ? undefined : readFileSync(config.redisTlsCaFile, 'utf8'),
    name,
  }
}

/** Connects in the background and for ever; while there is no connection, calls fail at once. */
export function createRedis(options: RedisClientOptions, logger: Logger): RedisClient {
  const timeoutMs = options.timeoutMs ?? TIMEOUT_MS
  const connection = connectRedis(options)
  const closing = logConnection(connection, options.name, logger)

  async function run(calls: readonly RedisCall[], wholeScripts: boolean): Promise<RedisReply[]> {
    const parts = connection instanceof Cluster ? byNode(connection, calls) : [calls.map((_, i) => i)]
    const replies: RedisReply[] = new Array(calls.length).fill(null)
    await Promise.all(
      parts.map(async (part) => {
        const pipeline = connection.pipeline()
        for (const i of part) add(pipeline, calls[i] as RedisCall, wholeScripts)
        const results = (await pipeline.exec()) ?? []
        for (const [at, i] of part.entries()) {
          const [error, reply] = results[at] ?? [new Error('no reply'), null]
          if (error) throw error
          replies[i] = reply as RedisReply
        }
      }),
    )
    return replies
  }

  async function batch(calls: readonly RedisCall[]): Promise<readonly RedisReply[]> {
    if (calls.length === 0) return []
    try {
      return await deadline(connection, timeoutMs, run(calls, false))
    } catch (first) {
      if (!isNoScript(first)) throw unavailable(first)
    }
    // A node that does not know a script (new, restarted, flushed) learns it from its text; everything here may run twice.
    try {
      return await deadline(connection, timeoutMs, run(calls, true))
    } catch (cause) {
      throw unavailable(cause)
    }
  }

  return {
    batch,
    async *keysLike(pattern) {
      const nodes = connection instanceof Cluster ? connection.nodes('master') : [connection]
      for (const node of nodes) {
        let cursor = '0'
        do {
          const [next, found] = await deadline(
            connection,
            timeoutMs,
            node.scan(cursor, 'MATCH', pattern, 'COUNT', KEYS_PER_SCAN),
          ).catch((cause: unknown) => {
            throw unavailable(cause)
          })
          cursor = next
          if (found.length > 0) yield found
        } while (cursor !== '0')
      }
    },
    async ready(ms) {
      // By asking, as the status still says ready while a connection is being dropped.
      for (const end = Date.now() + ms; ; ) {
        const answers = await batch([['EXISTS', 'lw:ready']]).then(
          () => true,
          () => false,
        )
        if (answers || Date.now() >= end) return answers
        await new Promise((resolve) => setTimeout(resolve, READY_POLL_MS))
      }
    },
    async close() {
      closing()
      connection.disconnect()
    },
  }
}

/** Connects in the background and for ever. */
export function connectRedis(options: RedisClientOptions): Redis | Cluster {
  const first = new URL(options.urls[0] ?? 'redis://127.0.0.1:6379')
  const node: RedisOptions = {
    username: options.username,
    password: options.password,
    connectionName: options.name,
    protocol: 2,
    // A command waits in no queue: its caller knows what to do when Redis is away.
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    connectTimeout: 2_000,
    disableClientInfo: true,
    retryStrategy: backoff,
    // After a failover the old primary answers READONLY until it is gone.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
    ...(first.protocol === 'rediss:' ? { tls: options.tlsCa ? { ca: options.tlsCa } : {} } : {}),
  }
  if (options.urls.length <= 1) return new Redis({ ...node, host: hostOf(first), port: portOf(first) })
  const cluster: ClusterOptions = {
    enableOfflineQueue: false,
    clusterRetryStrategy: backoff,
    slotsRefreshTimeout: 2_000,
    // In a Cluster the nodes' own queues cannot be switched off: the time limit of each command bounds them.
    redisOptions: { ...node, commandTimeout: options.timeoutMs ?? TIMEOUT_MS },
  }
  return new Cluster(
    options.urls.map((url) => ({ host: hostOf(new URL(url)), port: portOf(new URL(url)) })),
    cluster,
  )
}

const hostOf = (url: URL): string => url.hostname.replace(/^\[|\]$/g, '')
const portOf = (url: URL): number => Number(url.port || 6379)
const backoff = (times: number): number =>
  Math.min(RECONNECT_MS_MAX, 25 * 2 ** Math.min(times, 10)) * (0.5 + Math.random() / 2)

const hashes = new WeakMap<Script, string>()
function hashOf(script: Script): string {
  let hash = hashes.get(script)
  if (hash === undefined) {
    hash = createHash('sha1').update(script.text).digest('hex')
    hashes.set(script, hash)
  }
  return hash
}

function add(pipeline: ChainableCommander, call: RedisCall, wholeScript: boolean): void {
  if (!('script' in call)) {
    const [command, ...args] = call
    pipeline.call(command, args)
  } else if (wholeScript) {
    pipeline.call('EVAL', [call.script.text, call.keys.length, ...call.keys, ...call.args])
  } else {
    pipeline.call('EVALSHA', [hashOf(call.script), call.keys.length, ...call.keys, ...call.args])
  }
}

/** Indexes of the calls, one group per node, each in call order. */
function byNode(cluster: Cluster, calls: readonly RedisCall[]): number[][] {
  const groups = new Map<string, number[]>()
  for (const [i, call] of calls.entries()) {
    const slot = slotOf('script' in call ? (call.keys[0] ?? '') : call[1])
    // The whole replica set, as ioredis refuses a pipeline over two of them.
    const node = cluster.slots[slot]?.join(';') ?? `slot ${slot}`
    const group = groups.get(node)
    if (group) group.push(i)
    else groups.set(node, [i])
  }
  return [...groups.values()]
}

/**
 * One timer for the batch instead of one per command. A single connection that did not answer in time is dropped, so that
 * what waits on it cannot pile up; until a new one stands, calls fail at once.
 */
function deadline<T>(connection: Redis | Cluster, ms: number, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    let settled = false
    const give = () => {
      if (settled) return
      reject(new Error(`no answer within ${ms} ms`))
      if (connection instanceof Redis && connection.status === 'ready') connection.disconnect(true)
    }
    // After a stall of our own the answer may lie in the socket: let that be read first.
    const timer = setTimeout(() => setImmediate(give), ms)
    work.then(resolve, reject).finally(() => {
      settled = true
      clearTimeout(timer)
    })
  })
}

const isNoScript = (error: unknown): boolean => error instanceof Error && error.message.startsWith('NOSCRIPT')

const unavailable = (cause: unknown): Fault =>
  new Fault('redis_unavailable', 'Redis did not answer', { retriable: true, cause })

/** One line when the connection is lost and one when it stands again, not one per attempt. */
export function logConnection(connection: Redis | Cluster, name: string, logger: Logger): () => void {
  let up: boolean | null = null
  let closing = false
  connection.on('ready', () => {
    if (up === false) logger.info({ connection: name }, 'Redis is back')
    up = true
  })
  connection.on('error', (err: Error) => {
    if (up !== false && !closing) logger.warn({ connection: name, reason: err.message }, 'Redis is away')
    up = false
  })
  connection.on('close', () => {
    if (up === true && !closing) logger.warn({ connection: name, reason: 'closed' }, 'Redis is away')
    up = up === null ? null : false
  })
  return () => {
    closing = true
  }
}
