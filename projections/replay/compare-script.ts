import type { Script } from '../ports.ts'

/**
 * Compares two keys of one slot, a part at a time: sets and hashes as sets. KEYS a, b. ARGV cursor (first '0'), entries at once.
 * Answers 0: different; 1: equal, to the end; or the next cursor as text.
 */
export const comparePart: Script = {
  name: 'comparePart',
  text: `
local a, b, cursor, count = KEYS[1], KEYS[2], ARGV[1], tonumber(ARGV[2])
local kind = redis.call('TYPE', a).ok
if kind ~= redis.call('TYPE', b).ok then return 0 end
if kind == 'none' then return 1 end
if kind == 'string' then return redis.call('GET', a) == redis.call('GET', b) and 1 or 0 end
local sizes = { list = 'LLEN', zset = 'ZCARD', hash = 'HLEN', set = 'SCARD' }
local size = sizes[kind]
if not size then return 0 end
local length = redis.call(size, a)
if length ~= redis.call(size, b) then return 0 end
if kind == 'list' or kind == 'zset' then
  local from = tonumber(cursor)
  local to = from + count - 1
  local function part(key)
    if kind == 'list' then return redis.call('LRANGE', key, from, to) end
    return redis.call('ZRANGE', key, from, to, 'WITHSCORES')
  end
  local left, right = part(a), part(b)
  if #left ~= #right then return 0 end
  for i, value in ipairs(left) do if value ~= right[i] then return 0 end end
  if to + 1 >= length then return 1 end
  return tostring(to + 1)
end
local found = redis.call(kind == 'hash' and 'HSCAN' or 'SSCAN', a, cursor, 'COUNT', count)
local items = found[2]
for i = 1, #items, (kind == 'hash' and 2 or 1) do
  if kind == 'hash' then
    if redis.call('HGET', b, items[i]) ~= items[i + 1] then return 0 end
  elseif redis.call('SISMEMBER', b, items[i]) == 0 then return 0 end
end
if found[1] == '0' then return 1 end
return found[1]
`,
}
