import type { Script } from '../ports.ts'
import { COUNT_UNREAD } from './scripts.ts'

/**
 * What the list shows of one conversation in one call. KEYS head, timeline, members, group, readers, recalled, recalled by
 * author, mentions, mentions of all. ARGV user, base and head (unread counts above the one and up to the other), the other side of a
 * single chat or '', then of each stay the first and last visible seq (last 0: no end), in their order.
 * Answers [name, avatar, dissolved], member count, newest visible message, how far the other side has read, what COUNT_UNREAD counts.
 */
export const readConversation: Script = {
  name: 'readConversation',
  text: `
${COUNT_UNREAD}
local head = redis.call('HMGET', KEYS[1], 'applied', 'message')
local applied, message = tonumber(head[1] or '0'), tonumber(head[2] or '0')
local preview, looked = false, 0
for i = #ARGV - 1, 5, -2 do
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
  redis.call('HMGET', KEYS[4], 'name', 'avatar', 'dissolved'), redis.call('ZCOUNT', KEYS[3], 1, '+inf'),
  preview, ARGV[4] ~= '' and redis.call('ZSCORE', KEYS[5], ARGV[4]),
  countUnread(KEYS[6], KEYS[7], KEYS[8], KEYS[9], ARGV[1], ARGV[2], ARGV[3])
}
`,
}
