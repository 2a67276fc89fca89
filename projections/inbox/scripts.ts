import type { Script } from '../ports.ts'

/**
 * Raises a read position, never lowers it, and forgets own ordinals below it: they no longer count.
 * KEYS reads, own. ARGV conversation, seq, ordinal.
 */
export const markRead: Script = {
  name: 'markRead',
  text: `
local was = redis.call('HGET', KEYS[1], ARGV[1])
local at = was and tonumber(string.match(was, '^(%d+)')) or -1
if tonumber(ARGV[2]) <= at then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ':' .. ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', ARGV[3])
return 1
`,
}
