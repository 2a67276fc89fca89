/**
 * Positions of the Redis projections, kept in Redis beside their data: an emptied Redis has lost both. A value is
 * `<position>;<end>;<id>`: until the position has reached `end`, the log's end when a rebuild began, the read models are incomplete;
 * `id` tells one rebuild from the next.
 */
import { formatPosition, type Position, parsePosition } from '../../schemas/accept.ts'
import { keys } from '../keys.ts'
import type { RedisCall, RedisReply, Script } from '../ports.ts'

export interface StoredPosition {
  readonly position: Position
  readonly rebuildEnd: number
  readonly rebuildId: string
}

export const formatStored = (stored: StoredPosition): string =>
  `${formatPosition(stored.position)};${stored.rebuildEnd};${stored.rebuildId}`

export function parseStored(text: unknown): StoredPosition | null {
  if (typeof text !== 'string') return null
  const [position, end, rebuildId, ...more] = text.split(';')
  const parsed = parsePosition(position)
  const rebuildEnd = Number(end)
  return parsed && rebuildId && more.length === 0 && Number.isSafeInteger(rebuildEnd)
    ? { position: parsed, rebuildEnd, rebuildId }
    : null
}

/** Compare-and-set. KEYS positions. ARGV partition, value that must stand there ('' = none), new value. Answers 1, or what stands there. */
const swap: Script = {
  name: 'swapPosition',
  text: `
local now = redis.call('HGET', KEYS[1], ARGV[1]) or ''
if now ~= ARGV[2] then return now end
if ARGV[2] ~= ARGV[3] then redis.call('HSET', KEYS[1], ARGV[1], ARGV[3]) end
return 1
`,
}

export const readPosition = (partition: number): RedisCall => ['HGET', keys.positions(), String(partition)]

export const swapPosition = (partition: number, expected: string, next: string): RedisCall => ({
  script: swap,
  keys: [keys.positions()],
  args: [partition, expected, next],
})

export const readPositions = (): RedisCall => ['HGETALL', keys.positions()]

/** Names the rebuilds that the data came from, when every partition is there and none is being rebuilt; else null. */
export function completeness(
  reply: RedisReply | undefined,
  partitions: number,
  generation: number,
): string | null {
  if (!Array.isArray(reply) || reply.length < 2 * partitions) return null
  const ids = new Map<number, string>()
  for (let i = 0; i + 1 < reply.length; i += 2) {
    const partition = Number(reply[i])
    const stored = parseStored(reply[i + 1])
    if (partition < partitions && stored && isValid(stored.position, generation))
      if (stored.position.offset >= stored.rebuildEnd) ids.set(partition, stored.rebuildId)
  }
  if (ids.size !== partitions) return null
  return Array.from({ length: partitions }, (_, partition) => ids.get(partition)).join(' ')
}

/** A position means something only within its generation; one that has read nothing yet fits any. */
export const isValid = (position: Position, generation: number): boolean =>
  position.generation === generation || position.offset === 0
