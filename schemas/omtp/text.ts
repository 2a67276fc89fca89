import { isUtf8 } from 'node:buffer'
import { Malformed } from './shape.ts'

/** Throws Malformed for what is not UTF-8: it would become other text than was sent. */
export function utf8(bytes: Buffer): string {
  if (!isUtf8(bytes)) throw new Malformed('text is not UTF-8')
  return bytes.toString('utf8')
}

/** Throws Malformed beyond ±(2^53 − 1), where numbers are no longer exact. */
export function exact(value: number): number {
  if (!Number.isSafeInteger(value)) throw new Malformed('a number is beyond ±(2^53 − 1)')
  return value
}
