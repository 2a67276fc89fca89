import type { Script } from '../ports.ts'
import { blankTail } from './element.ts'

/**
 * Appends a run of items of one stream. Dense by construction: only seq = applied + 1 is taken, what is below is dropped, and a jump
 * answers −1 and writes nothing behind it (the stream's earlier items were lost). What was written after a loss is therefore a
 * contiguous beginning, which a rebuild from 0 merely completes. The newest message, which lists show, is kept in the head when
 * other items push it out.
 * KEYS head, timeline, changes. ARGV itemsMax, changesMax, force, then per item: seq, ordinal, time, message, element, target, kind, tail.
 * `force`: a hole is known to be in the log itself; start behind it.
 */
export const appendItems: Script = {
  name: 'appendItems',
  text: `
local head, tl, chg = KEYS[1], KEYS[2], KEYS[3]
local itemsMax, changesMax, force = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3] == '1'
local was = redis.call('HMGET', head, 'applied', 'seq', 'message')
local applied, message, gap = tonumber(was[1] or '0'), nil, false
local newest = tonumber(was[3] or '0')
local before, pending = applied, {}
local ordinal, time = nil, nil
local function flush()
  if #pending > 0 then redis.call('RPUSH', tl, unpack(pending)); pending = {} end
end
local function withTail(old, tail)
  return string.sub(old, 1, string.find(old, '\\n', 1, true)) .. tail
end
local function retail(seq, tail)
  local at = seq - applied - 1
  local old = redis.call('LINDEX', tl, at)
  if old then
    redis.call('LSET', tl, at, withTail(old, tail))
  elseif seq == newest then
    old = redis.call('HGET', head, 'last')
    if old then redis.call('HSET', head, 'last', withTail(old, tail)) end
  end
end
for i = 4, #ARGV, 8 do
  local seq = tonumber(ARGV[i])
  if seq > applied then
    if seq ~= applied + 1 then
      if not force then gap = true; break end
      pending = {}
      redis.call('DEL', tl, chg)
      redis.call('HSET', head, 'floor', seq - 1)
    end
    applied, ordinal, time = seq, ARGV[i + 1], ARGV[i + 2]
    pending[#pending + 1] = ARGV[i + 4]
    if ARGV[i + 3] == '1' then
      message = seq
      newest = seq
    end
    local target = tonumber(ARGV[i + 5])
    if target > 0 then
      flush()
      local kind = ARGV[i + 6]
      retail(target, ARGV[i + 7])
      if kind == 'r' then
        local edits = redis.call('ZRANGEBYSCORE', chg, applied - itemsMax, '+inf')
        for _, entry in ipairs(edits) do
          local at, of, what = string.match(entry, '^(%d+):(%d+):(%a)$')
          if tonumber(of) == target and what == 'e' then
            retail(tonumber(at), string.gsub(${luaText(blankTail(0))}, '"targetSeq":0', '"targetSeq":' .. of))
          end
        end
      end
      redis.call('ZADD', chg, seq, seq .. ':' .. ARGV[i + 5] .. ':' .. kind)
      if redis.call('ZCARD', chg) > changesMax then
        redis.call('HSET', head, 'floor', redis.call('ZPOPMIN', chg)[2])
      end
    end
  end
end
if applied > before then
  flush()
  if message then
    redis.call('HSET', head, 'message', message)
    redis.call('HDEL', head, 'last')
  end
  if newest > 0 and newest <= applied - itemsMax then
    local out = redis.call('LINDEX', tl, newest - applied - 1)
    if out then redis.call('HSET', head, 'last', out) end
  end
  redis.call('LTRIM', tl, -itemsMax, -1)
  redis.call('HSET', head, 'applied', applied, 'appliedOrdinal', ordinal)
  if applied > tonumber(was[2] or '0') then
    redis.call('HSET', head, 'seq', applied, 'ordinal', ordinal, 'time', time)
  end
end
if gap then return -1 end
return applied
`,
}

/** The item without what it said; nil: it says nothing. */
const BLANK = `local function blank(element)
  local cut = string.find(element, '\\n', 1, true)
  local facts, tail = string.sub(element, 1, cut), string.sub(element, cut + 1)
  local said = string.find(facts, '"kind":"message"', 1, true) or string.find(facts, '"kind":"edited"', 1, true)
  if not said or string.find(tail, '"content":null', 1, true) then return nil end
  local target = string.match(tail, '"targetSeq":(%d+)') or 'null'
  return facts .. string.gsub(${luaText(blankTail(0))}, '"targetSeq":0', '"targetSeq":' .. target)
end`

/**
 * Takes the content of messages and edits up to a seq out of the timeline and the head; their facts stay. Answers how many there were.
 * KEYS head, timeline. ARGV seq.
 */
export const forgetItems: Script = {
  name: 'forgetItems',
  text: `
local applied = tonumber(redis.call('HGET', KEYS[1], 'applied') or '0')
local first = applied - redis.call('LLEN', KEYS[2]) + 1
local last, forgotten = math.min(tonumber(ARGV[1]), applied), 0
${BLANK}
local kept = redis.call('HMGET', KEYS[1], 'message', 'last')
if kept[2] and tonumber(kept[1]) <= last then
  local blanked = blank(kept[2])
  if blanked then
    forgotten = forgotten + 1
    redis.call('HSET', KEYS[1], 'last', blanked)
  end
end
if first > last then return forgotten end
for i, element in ipairs(redis.call('LRANGE', KEYS[2], 0, last - first)) do
  local blanked = blank(element)
  if blanked then
    forgotten = forgotten + 1
    redis.call('LSET', KEYS[2], i - 1, blanked)
  end
end
return forgotten
`,
}

/**
 * Takes the content out of these items, wherever they stand; their facts stay. Answers how many there were.
 * KEYS head, timeline. ARGV seqs.
 */
export const eraseItems: Script = {
  name: 'eraseItems',
  text: `
local applied = tonumber(redis.call('HGET', KEYS[1], 'applied') or '0')
local first, erased = applied - redis.call('LLEN', KEYS[2]) + 1, 0
${BLANK}
local kept = redis.call('HMGET', KEYS[1], 'message', 'last')
for _, seq in ipairs(ARGV) do
  local at = tonumber(seq)
  if kept[2] and tonumber(kept[1]) == at then
    local blanked = blank(kept[2])
    if blanked then
      erased = erased + 1
      redis.call('HSET', KEYS[1], 'last', blanked)
    end
  end
  if at >= first and at <= applied then
    local blanked = blank(redis.call('LINDEX', KEYS[2], at - first))
    if blanked then
      erased = erased + 1
      redis.call('LSET', KEYS[2], at - first, blanked)
    end
  end
end
return erased
`,
}

/** Raises a head, never lowers it. KEYS head. ARGV seq, ordinal, time. */
export const raiseHead: Script = {
  name: 'raiseHead',
  text: `
if tonumber(ARGV[1]) > tonumber(redis.call('HGET', KEYS[1], 'seq') or '0') then
  redis.call('HSET', KEYS[1], 'seq', ARGV[1], 'ordinal', ARGV[2], 'time', ARGV[3])
end
return 1
`,
}

/** Items from..to as far as the timeline holds them. KEYS head, timeline. ARGV from, to. Answers applied, seq of the first item held, items. */
export const readItems: Script = {
  name: 'readItems',
  text: `
local applied = tonumber(redis.call('HGET', KEYS[1], 'applied') or '0')
local first = applied - redis.call('LLEN', KEYS[2]) + 1
local from, to = math.max(tonumber(ARGV[1]), first), math.min(tonumber(ARGV[2]), applied)
if from > to then return { applied, first, {} } end
return { applied, first, redis.call('LRANGE', KEYS[2], from - first, to - first) }
`,
}

/** Changes after ARGV[1], at most ARGV[2]. KEYS head, changes. Answers applied, floor, entries. */
export const readChanges: Script = {
  name: 'readChanges',
  text: `
local of = redis.call('HMGET', KEYS[1], 'applied', 'floor')
local entries = redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. ARGV[1], '+inf', 'LIMIT', 0, ARGV[2])
return { tonumber(of[1] or '0'), tonumber(of[2] or '0'), entries }
`,
}

/**
 * Sets or takes back one reaction; only a higher seq changes it. Over `max`, those of the oldest message go first.
 * KEYS reactions, reacted. ARGV max, target, member, seq, on.
 */
export const setReaction: Script = {
  name: 'setReaction',
  text: `
local max, member, seq = tonumber(ARGV[1]), ARGV[3], ARGV[4]
local was = redis.call('HGET', KEYS[2], member)
if was and tonumber(string.match(was, '^%d+')) >= tonumber(seq) then return 0 end
if ARGV[5] == '1' then
  redis.call('HSET', KEYS[2], member, seq .. ';')
  redis.call('ZADD', KEYS[1], ARGV[2], member)
  if redis.call('ZCARD', KEYS[1]) > max then redis.call('HDEL', KEYS[2], redis.call('ZPOPMIN', KEYS[1])[1]) end
elseif was then
  redis.call('ZREM', KEYS[1], member)
  if redis.call('HLEN', KEYS[2]) > 2 * max then redis.call('HDEL', KEYS[2], member)
  else redis.call('HSET', KEYS[2], member, seq) end
end
return 1
`,
}

/**
 * Reactions to the messages from..to, counted. KEYS reactions, reacted. ARGV from, to, reader, seq after which none counts (0: all
 * count). Answers seq, emoji, count and whether the reader is among them, one after the other, in the order of the messages.
 */
export const readReactions: Script = {
  name: 'readReactions',
  text: `
local order, counts, mine = {}, {}, {}
local last = tonumber(ARGV[4])
local function counted(member)
  if last == 0 then return true end
  local at = string.match(redis.call('HGET', KEYS[2], member) or '', '^%d+')
  return at and tonumber(at) <= last
end
for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], ARGV[1], ARGV[2])) do
  if counted(member) then
    local seq, user, emoji = string.match(member, '^(%d+):([^:]+):(.*)$')
    local key = seq .. ':' .. emoji
    if not counts[key] then
      order[#order + 1] = { seq, emoji, key }
      counts[key], mine[key] = 0, 0
    end
    counts[key] = counts[key] + 1
    if user == ARGV[3] then mine[key] = 1 end
  end
end
local answer = {}
for _, of in ipairs(order) do
  answer[#answer + 1], answer[#answer + 2] = of[1], of[2]
  answer[#answer + 1], answer[#answer + 2] = counts[of[3]], mine[of[3]]
end
return answer
`,
}

function luaText(text: string): string {
  return `[==[${text}]==]`
}
