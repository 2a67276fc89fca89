import pino from 'pino'
import type { Logger } from '../schemas/ports.ts'

/** A process's logger: the ports' `Logger` plus what mains need. Tests pass `silentLog` or a recorder. */
export interface Log extends Logger {
  fatal(fields: object, message: string): void
  child(fields: object): Log
}

export const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'silent'] as const
export type LogLevel = (typeof logLevels)[number]

/** Keys whose values never reach a log, at the top or one level down: secrets, tokens and what people wrote. */
const hiddenKeys = [
  'token',
  'authorization',
  'secret',
  'password',
  'body',
  'text',
  'content',
  'payload',
  'preview',
] as const

const redactPaths = hiddenKeys.flatMap((key) => [key, `*.${key}`, `*.*.${key}`])

/**
 * A JSON-lines logger on stdout (level, time in ms, process name). Errors go under `err`.
 * On a terminal the lines are made readable; everywhere else they stay JSON.
 */
export function createLogger(options: { name: string; level?: LogLevel; pretty?: boolean }): Log {
  const pretty = options.pretty ?? process.stdout.isTTY === true
  return pino({
    name: options.name,
    level: options.level ?? 'info',
    base: { pid: process.pid },
    redact: { paths: redactPaths, censor: '[hidden]' },
    serializers: { err: errorFields },
    formatters: { level: (label) => ({ level: label }) },
    ...(pretty ? { transport: { target: 'pino-pretty', options: { ignore: 'pid', singleLine: true } } } : {}),
  })
}

/** No objects that libraries hang on their errors: a command with its arguments, a request with its body. */
function errorFields(error: unknown): unknown {
  if (!(error instanceof Error)) return typeof error === 'object' ? '[hidden]' : error
  const { message, stack, aggregateErrors, ...rest } = pino.stdSerializers.err(error)
  const quoted = messagesOfJson(error, new Set())
  const plain = (text: string): string =>
    quoted.reduce((left, one) => left.replaceAll(one, 'not valid JSON'), text)
  return {
    ...Object.fromEntries(Object.entries(rest).filter(([, value]) => typeof value !== 'object')),
    message: plain(message),
    stack: plain(stack),
    ...(error instanceof AggregateError ? { aggregateErrors: error.errors.map(errorFields) } : {}),
  }
}

/** JSON.parse quotes what it was given. */
function messagesOfJson(error: unknown, seen: Set<unknown>): string[] {
  if (!(error instanceof Error) || seen.has(error)) return []
  seen.add(error)
  const own = error instanceof SyntaxError && error.message.includes('JSON') ? [error.message] : []
  return [...own, ...messagesOfJson(error.cause, seen)]
}

export const silentLog: Log = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  fatal: () => {},
  child: () => silentLog,
}
