/** What a login hook is asked and may say. Pure. */
import { createHmac } from 'node:crypto'
import { limits } from '../schemas/limits.ts'
import type { Origin } from './connections.ts'
import { parseContent } from './frames/frame-codec.ts'

/** A login whose token is right, before it is registered. */
export interface LoginFacts {
  readonly userId: string
  readonly deviceId: string
  readonly deviceType: string
  readonly address: string
  readonly transport: Origin['transport']
  /** The client's answer to an earlier challenge. */
  readonly proof: string | null
}

export type LoginAnswer =
  | { readonly decision: 'allow' }
  | { readonly decision: 'refuse' }
  /** `challenge`: JSON text for the client. */
  | { readonly decision: 'challenge'; readonly challenge: string }
  /** Nobody could say, and without an answer nobody gets in: to be tried again. */
  | { readonly decision: 'unavailable' }

/** Null: this is no answer, and counts as none. */
export function loginAnswerOf(text: string): LoginAnswer | null {
  const answer = parseContent(text)?.value
  if (typeof answer !== 'object' || answer === null) return null
  const { decision, challenge } = answer as { decision?: unknown; challenge?: unknown }
  if (decision === 'allow' || decision === 'refuse') return { decision }
  if (decision !== 'challenge' || typeof challenge !== 'object' || challenge === null) return null
  const { kind } = challenge as { kind?: unknown }
  if (typeof kind !== 'string' || kind === '') return null
  const json = JSON.stringify(challenge)
  return Buffer.byteLength(json) > limits.challengeBytesMax ? null : { decision, challenge: json }
}

/** Over time and body, so that what was overheard cannot be sent again later or with another body. */
export const signatureOf = (secret: string, atSec: number, body: string): string =>
  `v1=${createHmac('sha256', secret).update(`${atSec}.${body}`).digest('hex')}`
