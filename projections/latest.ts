/** Values of which the latest counts: text `<seq>;<value>`, or `<seq>` alone for what was taken away. */
import type { Script } from './ports.ts'

export interface Latest {
  readonly seq: number
  /** Null: taken away. */
  readonly value: string | null
}

export const latestText = (seq: number, value: string | null): string =>
  value === null ? String(seq) : `${seq};${value}`

/** Null for what is no such text. */
export function parseLatest(text: unknown): Latest | null {
  const found = typeof text === 'string' ? /^(\d+)(;?)/.exec(text) : null
  if (!found) return null
  const [all, seq, mark] = found
  return { seq: Number(seq), value: mark ? (text as string).slice(all.length) : null }
}

/** The value that stands there now, or null. */
export const valueIn = (text: unknown): string | null => parseLatest(text)?.value ?? null

/**
 * Sets fields of one hash, each only by a higher seq than stands there. What is taken away leaves its seq, so that an older value
 * that comes late does not return, unless the hash holds over `fieldsMax`; a field that is not there is not taken away.
 * KEYS hash. ARGV fieldsMax, then per field: name, text.
 */
export const setNewer: Script = {
  name: 'setNewer',
  text: `
for i = 2, #ARGV, 2 do
  local field, text = ARGV[i], ARGV[i + 1]
  local was = redis.call('HGET', KEYS[1], field)
  local gone = not string.find(text, ';', 1, true)
  if was then
    if tonumber(string.match(text, '^%d+')) > tonumber(string.match(was, '^%d+') or '-1') then
      if gone and redis.call('HLEN', KEYS[1]) > tonumber(ARGV[1]) then redis.call('HDEL', KEYS[1], field)
      else redis.call('HSET', KEYS[1], field, text) end
    end
  elseif not gone then
    redis.call('HSET', KEYS[1], field, text)
  end
end
return 1
`,
}
