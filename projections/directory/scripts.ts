import type { Script } from '../ports.ts'

/**
 * Adds a fact to a user's set for one stream. KEYS facts, and the user's conversations where a join lists the stream.
 * ARGV conversation, sign, seq, ordinal, time, factsMax.
 */
export const addFact: Script = {
  name: 'addFact',
  text: `
if ARGV[2] == '+' and KEYS[2] then redis.call('SADD', KEYS[2], ARGV[1]) end
local fact, at = ARGV[2] .. ARGV[3] .. ':' .. ARGV[4] .. ':' .. ARGV[5], tonumber(ARGV[3])
local was = redis.call('HGET', KEYS[1], ARGV[1])
if not was then
  redis.call('HSET', KEYS[1], ARGV[1], fact)
  return 1
end
local facts, placed = {}, false
for text, seq in string.gmatch(was, '([+-](%d+)[%d:]+)') do
  local s = tonumber(seq)
  if s == at then return 0 end
  if s > at and not placed then
    facts[#facts + 1] = fact
    placed = true
  end
  facts[#facts + 1] = text
end
if not placed then facts[#facts + 1] = fact end
while #facts > tonumber(ARGV[6]) do table.remove(facts, 1) end
redis.call('HSET', KEYS[1], ARGV[1], table.concat(facts, ','))
return 1
`,
}

/**
 * Moves users in or out of a member list; the latest seq wins. A group that comes to have more than `smallMax` is large for ever.
 * KEYS members, group. ARGV sign, seq, smallMax, users…
 */
export const moveMembers: Script = {
  name: 'moveMembers',
  text: `
local seq = tonumber(ARGV[2])
local score = ARGV[1] == '+' and seq or -seq
for i = 4, #ARGV do
  local was = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[i]) or '0')
  if math.abs(was) < seq then redis.call('ZADD', KEYS[1], score, ARGV[i]) end
end
if score > 0 and redis.call('ZCOUNT', KEYS[1], 1, '+inf') > tonumber(ARGV[3]) then
  redis.call('HSETNX', KEYS[2], 'large', seq .. ';1')
end
return 1
`,
}
