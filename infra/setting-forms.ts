/** What settings look like as text. */
import { z } from 'zod'
import { parsePolicy } from '../projections/reads/policy.ts'
import { limits } from '../schemas/limits.ts'

export const wholeNumber = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d{1,15}$/)
    .transform(Number)
    .refine((n) => n >= min && n <= max)
export const windowMs = wholeNumber(0, limits.windowMsMax)
export const windowForms = `milliseconds from 0 to ${limits.windowMsMax}, 30 days`
export const flag = z.enum(['true', 'false']).transform((value) => value === 'true')
export const text = z.string().min(1).max(4096)
export const hostPort = /^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9_.-]+):([1-9]\d{0,4})$/
export const list = text.transform((value) =>
  value
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== ''),
)
export const urlList = (protocols: readonly string[]) =>
  list.refine((items) => items.length > 0 && items.every((item) => isUrl(item, protocols)))
export const id = z.string().regex(/^[A-Za-z0-9_.-]{1,64}$/)
export const policy = z.string().transform((value, context) => {
  const parsed = parsePolicy(value)
  if (parsed) return parsed
  context.addIssue({ code: 'custom', message: 'no storage policy' })
  return z.NEVER
})
export const policyForms = '`forever`, `messages:N` (the newest N), `days:N`, or `relay:SECONDS`'

export function isUrl(value: string, protocols: readonly string[]): boolean {
  if (!URL.canParse(value)) return false
  const url = new URL(value)
  // Credentials in an address end up in logs and process lists; they have settings of their own.
  return protocols.includes(url.protocol) && url.hostname !== '' && url.username === '' && url.password === ''
}
