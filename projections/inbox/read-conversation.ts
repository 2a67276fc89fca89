import type { Script } from '../ports.ts'

/**
 * What the list shows of one conversation, in one call. KEYS head, timeline, recalled, mentions, members, group.
 * ARGV user, base (unread counts above it), first and last visible seq (last 0: no end).
 * Answers name, member count, recalled ordinals above base, ordinals that mention the user, newest visible message.
 */
export const readConversation: Script = {
  name: 'readConversation',
  text: `
local above = '(' .. ARGV[2]
local mentions = {}
for _, entry in ipairs(redis.call('ZRANGEBYSCORE', KEYS[4], above, '+inf')) do
  local ordinal, user = string.match(entry, '^(%d+):(.*)$')
  if user == ARGV[1] or user == '*' then mentions[#mentions + 1] = ordinal end
end
local head = redis.call('HMGET', KEYS[1], 'applied', 'message')
local applied, message = tonumber(head[1] or '0'), tonumber(head[2] or '0')
local from, to = tonumber(ARGV[3]), tonumber(ARGV[4])
local preview = false
if to == 0 or message <= to then
  if message >= from and message > 0 then preview = redis.call('LINDEX', KEYS[2], message - applied - 1) end
else
  for seq = math.min(to, applied), math.max(from, to - 20), -1 do
    local element = redis.call('LINDEX', KEYS[2], seq - applied - 1)
    if not element then break end
    if string.find(element, '"kind":"message"', 1, true) then
      preview = element
      break
    end
  end
end
return {
  redis.call('HGET', KEYS[6], 'name'), redis.call('ZCOUNT', KEYS[5], 1, '+inf'),
  redis.call('ZRANGEBYSCORE', KEYS[3], above, '+inf'), mentions, preview
}
`,
}
