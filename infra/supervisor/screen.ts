import type { Log } from '../log.ts'

/** What `npm start` shows: aligned lines for people, one for each thing that happens. */
export interface Screen {
  /** `name      text      1.2 s` */
  line(name: string, text: string, ms?: number): void
  /** A line as it is. */
  plain(text?: string): void
  /** One line on stderr that says what is wrong and what to do. */
  error(text: string): void
}

const nameWidth = 12
const textWidth = 46

export function createScreen(out: NodeJS.WritableStream, err: NodeJS.WritableStream): Screen {
  // A closed terminal must not turn into a crash while everything is being stopped.
  out.on('error', () => {})
  err.on('error', () => {})
  return {
    line: (name, text, ms) => {
      out.write(`${formatLine(name, text, ms)}\n`)
    },
    plain: (text = '') => {
      out.write(`${text}\n`)
    },
    error: (text) => {
      err.write(`${text}\n`)
    },
  }
}

export function formatLine(name: string, text: string, ms?: number): string {
  const start = `  ${name.padEnd(nameWidth)}${text}`
  return ms === undefined
    ? start
    : `${start.padEnd(nameWidth + textWidth)}${(ms / 1000).toFixed(1).padStart(6)} s`
}

/** The supervisor's own log: only what went wrong is worth a line on the screen. */
export function screenLog(screen: Screen): Log {
  const wrong = (fields: object, message: string) => {
    const err = (fields as { err?: unknown }).err
    screen.error(`${message}${err instanceof Error ? `: ${err.message}` : ''}`)
  }
  const log: Log = {
    debug: () => {},
    info: () => {},
    warn: wrong,
    error: wrong,
    fatal: wrong,
    child: () => log,
  }
  return log
}

const levelsOfFaults = ['error', 'fatal']
const fieldsHidden = new Set(['level', 'time', 'pid', 'name', 'msg', 'hostname'])
const fieldsLengthMax = 400

// The telling line of a crash or of a refused setting; stack traces are for the file.
const tellingPattern = /^(\w*Error|LONGWIRE_\w+|port \d+)\b/

/** A role's log line for the screen, or `undefined` if it is only for the file. */
export function forScreen(role: string, line: string, warnings: boolean): string | undefined {
  let entry: Record<string, unknown>
  try {
    entry = JSON.parse(line) as Record<string, unknown>
  } catch {
    return tellingPattern.test(line) ? `  ${role.padEnd(nameWidth)}${clean(line)}` : undefined
  }
  const level = String(entry.level)
  if (!levelsOfFaults.includes(level) && !(warnings && level === 'warn')) return undefined
  const fields = Object.entries(entry)
    .filter(([key]) => !fieldsHidden.has(key))
    .map(([key, value]) => `${key}=${short(value)}`)
    .join(' ')
    .slice(0, fieldsLengthMax)
  return `  ${role.padEnd(nameWidth)}${clean(`${level}: ${entry.msg} ${fields}`.trimEnd())}`
}

function short(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value)
  const message = (value as { message?: unknown }).message
  return typeof message === 'string' ? JSON.stringify(message) : JSON.stringify(value)
}

/** Without control characters: a log line must not move the cursor or start a new line. */
function clean(text: string): string {
  return [...text].filter((char) => (char.codePointAt(0) ?? 0) >= 32 && char !== '\u007f').join('')
}
