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

/**
 * Sets whom the message at an ordinal names; only a higher seq replaces it. Of the lowest ordinals nothing is kept over `max`.
 * KEYS naming, named. ARGV max, ordinal, seq, users as `,ann,bob,` or ''.
 */
export const setMentions: Script = {
  name: 'setMentions',
  text: `
local ordinal, seq, users = ARGV[2], ARGV[3], ARGV[4]
local was = redis.call('HGET', KEYS[2], ordinal)
if was then
  if tonumber(seq) <= tonumber(string.match(was, '^%d+')) then return 0 end
elseif users == '' then return 0 end
redis.call('HSET', KEYS[2], ordinal, seq .. ';' .. users)
redis.call('ZADD', KEYS[1], ordinal, ordinal)
if redis.call('ZCARD', KEYS[1]) > tonumber(ARGV[1]) then
  redis.call('HDEL', KEYS[2], redis.call('ZPOPMIN', KEYS[1])[1])
end
return 1
`,
}
