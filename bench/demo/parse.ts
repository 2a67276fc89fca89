/** Reads a day of chat as IRC clients log it. Pure. */
export interface Said {
  readonly kind: 'said'
  /** Minutes since midnight. */
  readonly minute: number
  readonly nick: string
  readonly text: string
  /** A `/me` line. */
  readonly action: boolean
}
export interface Renamed {
  readonly kind: 'renamed'
  readonly from: string
  readonly to: string
}
export type Line = Said | Renamed

const SAID = /^\[(\d\d):(\d\d)\] <([^>]+)> ?(.*)$/su
const ACTED = /^\[(\d\d):(\d\d)\] +\* (\S+) ?(.*)$/su
const RENAMED = /^=== (\S+) is now known as (\S+)\s*$/u

/** A message, an action or a rename; null for joins, topics and everything else. */
export function parseLine(line: string): Line | null {
  const renamed = RENAMED.exec(line)
  if (renamed) return { kind: 'renamed', from: renamed[1] ?? '', to: renamed[2] ?? '' }
  const said = SAID.exec(line)
  const match = said ?? ACTED.exec(line)
  if (!match) return null
  const [, hours, minutes, nick = '', text = ''] = match
  const minute = Number(hours) * 60 + Number(minutes)
  // Nicks hold no spaces; some logs pad them.
  const trimmed = nick.trim()
  if (minute >= 24 * 60 || trimmed === '') return null
  return { kind: 'said', minute, nick: trimmed, text, action: !said }
}

/** All lines that count, in order. Takes files with a byte order mark and either kind of line end. */
export function parseDay(file: string): Line[] {
  return file
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .flatMap((line) => parseLine(line) ?? [])
}
