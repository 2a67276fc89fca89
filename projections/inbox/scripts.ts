import type { Script } from '../ports.ts'
import { FORGET_OWN } from './own.ts'

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
${FORGET_OWN}
return 1
`,
}

/** An ordinal in a member of a sorted set that is ordered by its text. */
export const ordinalText = (ordinal: number): string => String(ordinal).padStart(16, '0')

/**
 * Sets whom the message at an ordinal names, and whether everyone; only a higher seq replaces it. Each user keeps the newest mentions
 * of his own, so that none are lost by what others are named in. Of whom a message names (which an edit takes back) the newest are kept.
 * KEYS order of `named`, named, mentions, mentions of all. ARGV max of named, of mentions per user, of mentions of all, ordinal, seq,
 * author, whether all, users…
 */
export const setMentions: Script = {
  name: 'setMentions',
  text: `
local ordinal, seq, all = ARGV[4], ARGV[5], ARGV[7] == '1'
local was = redis.call('HGET', KEYS[2], ordinal)
if was and tonumber(seq) <= tonumber(string.match(was, '^%d+')) then return 0 end
local at = ':' .. string.format('%016d', tonumber(ordinal))
for user in string.gmatch(was and string.match(was, ';(.*)') or '', '[^,]+') do
  redis.call('ZREM', KEYS[3], user .. at)
end
redis.call('ZREMRANGEBYSCORE', KEYS[4], ordinal, ordinal)
if all then
  redis.call('ZADD', KEYS[4], ordinal, ordinal .. ':' .. ARGV[6])
  if redis.call('ZCARD', KEYS[4]) > tonumber(ARGV[3]) then redis.call('ZPOPMIN', KEYS[4]) end
end
local users = {}
for i = 8, #ARGV do
  local user = ARGV[i]
  users[#users + 1] = user
  redis.call('ZADD', KEYS[3], 0, user .. at)
  local from, to = '[' .. user .. ':', '(' .. user .. ';'
  if redis.call('ZLEXCOUNT', KEYS[3], from, to) > tonumber(ARGV[2]) then
    redis.call('ZREM', KEYS[3], unpack(redis.call('ZRANGEBYLEX', KEYS[3], from, to, 'LIMIT', 0, 1)))
  end
end
if was or all or #users > 0 then
  redis.call('HSET', KEYS[2], ordinal, seq .. ';' .. table.concat(users, ','))
  redis.call('ZADD', KEYS[1], ordinal, ordinal)
  if redis.call('ZCARD', KEYS[1]) > tonumber(ARGV[1]) then
    redis.call('HDEL', KEYS[2], redis.call('ZPOPMIN', KEYS[1])[1])
  end
end
return 1
`,
}

/**
 * What unread counts are made of, above one ordinal and up to another: recalled messages, those of them that are the user's own, and
 * mentions that are neither recalled nor his own, of him and of everyone.
 */
export const COUNT_UNREAD = `
local function countUnread(recalledKey, recalledByKey, mentionsKey, allKey, user, base, head)
  local above = '(' .. base
  local from = '(' .. user .. ':' .. string.format('%016d', tonumber(base))
  local to = '[' .. user .. ':' .. string.format('%016d', tonumber(head))
  local recalled = redis.call('ZCOUNT', recalledKey, above, head)
  local mentions, all = 0, 0
  if recalled == 0 then
    mentions = redis.call('ZLEXCOUNT', mentionsKey, from, to)
  else
    for _, member in ipairs(redis.call('ZRANGEBYLEX', mentionsKey, from, to)) do
      local ordinal = string.format('%d', tonumber(string.match(member, '%d+$')))
      if not redis.call('ZSCORE', recalledKey, ordinal) then mentions = mentions + 1 end
    end
  end
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', allKey, above, head)) do
    local ordinal, author = string.match(member, '^(%d+):(.*)$')
    if author ~= user and (recalled == 0 or not redis.call('ZSCORE', recalledKey, ordinal)) then all = all + 1 end
  end
  return {recalled, redis.call('ZLEXCOUNT', recalledByKey, from, to), mentions, all}
end`
