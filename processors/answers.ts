/**
 * De-duplication by (sender, packId): the first answer, rejections included, is the answer for ever. Bounded: the entry
 * with the lowest packId time goes first and raises `floor`, below which an unknown id can no longer be told from a
 * forgotten one.
 */
import type { CodeName } from '../schemas/codes.ts'
import { limits } from '../schemas/limits.ts'

export interface FirstAnswer {
  /** 0 for a rejection. */
  readonly seq: number
  readonly ordinal: number
  readonly time: number
  readonly code: CodeName | null
  readonly bodyHash: number
}

export interface Answers {
  readonly byKey: Map<string, FirstAnswer>
  /** Keys in order; a key begins with the packId's hex form, so this is the order of packId time. */
  readonly order: string[]
  /** Greatest packId time ever evicted, in ms. −1: none. */
  floor: number
}

export const emptyAnswers = (): Answers => ({ byKey: new Map(), order: [], floor: -1 })

export const answerKey = (sender: string, packId: Buffer): string => packId.toString('hex', 0, 16) + sender

const timeOfKey = (key: string): number => Number.parseInt(key.slice(0, 12), 16)

/** Remembers a first answer. A key that is known keeps what it has. */
export function remember(answers: Answers, key: string, answer: FirstAnswer): void {
  if (answers.byKey.has(key)) return
  answers.byKey.set(key, answer)
  // Ids come nearly in order of time: the place is near the end.
  let at = answers.order.length
  while (at > 0 && (answers.order[at - 1] as string) > key) at--
  if (at === answers.order.length) answers.order.push(key)
  else answers.order.splice(at, 0, key)
  while (answers.order.length > limits.dedupEntriesPerStreamMax) {
    const evicted = answers.order.shift() as string
    answers.byKey.delete(evicted)
    answers.floor = Math.max(answers.floor, timeOfKey(evicted))
  }
}
