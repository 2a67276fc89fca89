/**
 * De-duplication by (sender, packId): the first answer, rejections included, is the answer for ever. Bounded: the entry
 * with the lowest packId time goes first and raises `floor`, below which an unknown id can no longer be told from a
 * forgotten one.
 */
import type { CodeName } from '../schemas/codes.ts'
import { limits } from '../schemas/limits.ts'

/** Never changed once made: both folds of an owner, and the newest messages of a stream, share it. */
export interface FirstAnswer {
  /** answerKey of who asked under which packId. */
  readonly key: string
  /** 0 for a rejection. */
  readonly seq: number
  readonly ordinal: number
  readonly time: number
  readonly code: CodeName | null
  /** As a signed 32-bit number, which needs no box of its own in memory. */
  readonly bodyHash: number
}

export interface Answers {
  /** By key; a key begins with the packId's hex form, so this is the order of packId time. */
  readonly order: FirstAnswer[]
  /** Greatest packId time ever evicted, in ms. −1: none. */
  floor: number
}

export const emptyAnswers = (): Answers => ({ order: [], floor: -1 })

const PACK_ID_HEX = 32

export const answerKey = (sender: string, packId: Buffer): string => packId.toString('hex', 0, 16) + sender
export const senderOf = (key: string): string => key.slice(PACK_ID_HEX)
export const packIdOf = (key: string): Buffer => Buffer.from(key.slice(0, PACK_ID_HEX), 'hex')

const timeOf = (answer: FirstAnswer): number => Number.parseInt(answer.key.slice(0, 12), 16)

/** Index of the first answer whose key is not below this one. */
function placeOf(order: readonly FirstAnswer[], key: string): number {
  let low = 0
  let high = order.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((order[middle] as FirstAnswer).key < key) low = middle + 1
    else high = middle
  }
  return low
}

export function answerTo(answers: Answers, key: string): FirstAnswer | null {
  const found = answers.order[placeOf(answers.order, key)]
  return found?.key === key ? found : null
}

/** Remembers a first answer. A key that is known keeps what it has. */
export function remember(answers: Answers, answer: FirstAnswer): void {
  const { order } = answers
  const at = placeOf(order, answer.key)
  if (order[at]?.key === answer.key) return
  if (at === order.length) order.push(answer)
  else order.splice(at, 0, answer)
  while (order.length > limits.dedupEntriesPerStreamMax)
    answers.floor = Math.max(answers.floor, timeOf(order.shift() as FirstAnswer))
}
