/**
 * Ordinals of one's own messages above the read position, in chunks of as many ordinals: who sends and never reads keeps a bit for each
 * message and not an entry. A field is the chunk's number, its value `<how many>:<one bit per ordinal>`.
 */
import type { Script } from '../ports.ts'

const CHUNK = 512

/** KEYS own. ARGV ordinals. */
export const addOwn: Script = {
  name: 'addOwn',
  text: `
for _, text in ipairs(ARGV) do
  local ordinal = tonumber(text)
  local at = ordinal % ${CHUNK}
  local field = string.format('%d', (ordinal - at) / ${CHUNK})
  local count, bits = 0, ''
  local held = redis.call('HGET', KEYS[1], field)
  if held then
    local colon = string.find(held, ':', 1, true)
    count, bits = tonumber(string.sub(held, 1, colon - 1)), string.sub(held, colon + 1)
  end
  local byte, bit = math.floor(at / 8), 2 ^ (at % 8)
  if #bits <= byte then bits = bits .. string.rep(string.char(0), byte + 1 - #bits) end
  local was = string.byte(bits, byte + 1)
  if math.floor(was / bit) % 2 == 0 then
    bits = string.sub(bits, 1, byte) .. string.char(was + bit) .. string.sub(bits, byte + 2)
    redis.call('HSET', KEYS[1], field, string.format('%d:', count + 1) .. bits)
  end
end
return #ARGV
`,
}

/** How many there are above one ordinal and up to another. KEYS own. ARGV base, head. */
export const countOwn: Script = {
  name: 'countOwn',
  text: `
local from, to, found = tonumber(ARGV[1]) + 1, tonumber(ARGV[2]), 0
local held = redis.call('HGETALL', KEYS[1])
for i = 1, #held, 2 do
  local first = tonumber(held[i]) * ${CHUNK}
  local low, high = math.max(from, first), math.min(to, first + ${CHUNK - 1})
  local colon = string.find(held[i + 1], ':', 1, true)
  if low == first and high == first + ${CHUNK - 1} then
    found = found + tonumber(string.sub(held[i + 1], 1, colon - 1))
  elseif low <= high then
    for byte = math.floor((low - first) / 8), math.floor((high - first) / 8) do
      local bits = string.byte(held[i + 1], colon + 1 + byte) or 0
      local ordinal = first + byte * 8
      while bits > 0 do
        if bits % 2 == 1 and ordinal >= low and ordinal <= high then found = found + 1 end
        bits, ordinal = math.floor(bits / 2), ordinal + 1
      end
    end
  end
end
return found
`,
}

/** What markRead forgets: the chunks that lie wholly at or below the mark. */
export const FORGET_OWN = `
for _, chunk in ipairs(redis.call('HKEYS', KEYS[2])) do
  if (tonumber(chunk) + 1) * ${CHUNK} - 1 <= tonumber(ARGV[3]) then redis.call('HDEL', KEYS[2], chunk) end
end`
