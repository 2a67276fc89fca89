import type { Script } from '../ports.ts'

/**
 * What the list shows of one conversation, in one call. KEYS head, timeline, recalled, naming, named, members, group, readers.
 * ARGV user, base (unread counts above it), the other side of a single chat or '', then of each stay the first and last visible seq
 * (last 0: no end), in their order.
 * Answers [name, avatar, dissolved], member count, recalled ordinals above base, ordinals that name the user, those that name
 * everyone, newest visible message, how far the other side has read.
 */
export const readConversation: Script = {
  name: 'readConversation',
  text: `
local above = '(' .. ARGV[2]
local mentions, all = {}, {}
local naming = redis.call('ZRANGEBYSCORE', KEYS[4], above, '+inf')
if #naming > 0 then
  local me = ',' .. ARGV[1] .. ','
  for i, users in ipairs(redis.call('HMGET', KEYS[5], unpack(naming))) do
    if users then
      if string.find(users, me, 1, true) then mentions[#mentions + 1] = naming[i] end
      if string.find(users, ',*,', 1, true) then all[#all + 1] = naming[i] end
    end
  end
end
local head = redis.call('HMGET', KEYS[1], 'applied', 'message')
local applied, message = tonumber(head[1] or '0'), tonumber(head[2] or '0')
local preview, looked = false, 0
for i = #ARGV - 1, 4, -2 do
  local from, to = tonumber(ARGV[i]), tonumber(ARGV[i + 1])
  if message > 0 and message >= from and (to == 0 or message <= to) then
    preview = redis.call('LINDEX', KEYS[2], message - applied - 1) or redis.call('HGET', KEYS[1], 'last')
    break
  end
  local seq = to == 0 and message or math.min(to, message)
  while not preview and seq >= from and looked < 20 do
    local element = redis.call('LINDEX', KEYS[2], seq - applied - 1)
    if not element then break end
    if string.find(element, '"kind":"message"', 1, true) then preview = element end
    seq, looked = seq - 1, looked + 1
  end
  if preview then break end
end
return {
  redis.call('HMGET', KEYS[7], 'name', 'avatar', 'dissolved'), redis.call('ZCOUNT', KEYS[6], 1, '+inf'),
  redis.call('ZRANGEBYSCORE', KEYS[3], above, '+inf'), mentions, all, preview,
  ARGV[3] ~= '' and redis.call('ZSCORE', KEYS[8], ARGV[3])
}
`,
}
