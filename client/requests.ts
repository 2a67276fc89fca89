/** Questions and their answers by id, with a deadline for each, and again where the table of codes allows it. */
import type { Clock } from '../schemas/ports.ts'
import { jitteredMs } from './backoff.ts'
import { LongwireError } from './error.ts'
import type { RequestFrame, ServerFrame, ServerFrameOf } from './wire.ts'

const ANSWER_MS_MAX = 10_000
const RETRY_BASE_MS = 100
const RETRY_CAP_MS = 3_000

interface Answers {
  heads: ServerFrameOf<'headsResult'>
  conversations: ServerFrameOf<'conversationsResult'>
  overview: Packed
  group: ServerFrameOf<'groupResult'>
  members: ServerFrameOf<'membersResult'>
  readers: ServerFrameOf<'readersResult'>
  search: ServerFrameOf<'searchResult'>
  relations: ServerFrameOf<'relationsResult'>
  profiles: ServerFrameOf<'profilesResult'>
  settings: ServerFrameOf<'settingsResult'>
  presence: ServerFrameOf<'presenceResult'>
  history: ServerFrameOf<'historyResult'>
  sync: ServerFrameOf<'syncResult'>
  lookup: ServerFrameOf<'lookupResult'>
  joinRoom: ServerFrameOf<'roomResult'>
  leaveRoom: ServerFrameOf<'roomResult'>
}
/** An answer that came in several frames. */
export interface Packed {
  readonly parts: readonly Uint8Array[]
}
type Without<T> = T extends { id: number } ? Omit<T, 'id'> : never
export type Question = Without<RequestFrame>

export interface Requests {
  /** Once, on the current connection. Rejects with a LongwireError. */
  ask<Q extends Question>(question: Q): Promise<Answers[Q['type']]>
  /**
   * Until it is answered in full, over reconnects and trailing read models, for at most `deadlineMs`; then the partial answer
   * if there is one, else rejects.
   */
  insist<Q extends Question>(question: Q, deadlineMs: number): Promise<Answers[Q['type']]>
  /** True: the frame was an answer. */
  answered(frame: ServerFrame): boolean
  offline(): void
}

export interface RequestsDeps {
  readonly clock: Clock
  readonly random: () => number
  readonly send: (frame: RequestFrame) => boolean
  readonly probe: () => void
  /** Resolves when online, rejects when closed for good. */
  readonly whenOnline: () => Promise<void>
}

interface Open {
  /** Of an answer in several frames. */
  readonly parts: Uint8Array[]
  /** The time for the answer begins anew. */
  goesOn(): void
  resolve(answer: ServerFrame | Packed): void
  reject(error: LongwireError): void
}

export function createRequests(deps: RequestsDeps): Requests {
  const { clock } = deps
  const open = new Map<number, Open>()
  let lastId = 0

  function ask<Q extends Question>(question: Q): Promise<Answers[Q['type']]> {
    return new Promise((resolve, reject) => {
      const id = ++lastId
      const late = (): void => {
        open.delete(id)
        deps.probe()
        reject(new LongwireError('timeout'))
      }
      let cancel = clock.after(ANSWER_MS_MAX, late)
      open.set(id, {
        parts: [],
        goesOn() {
          cancel()
          cancel = clock.after(ANSWER_MS_MAX, late)
        },
        resolve(answer) {
          cancel()
          resolve(answer as unknown as Answers[Q['type']])
        },
        reject(error) {
          cancel()
          reject(error)
        },
      })
      if (deps.send({ ...question, id } as unknown as RequestFrame)) return
      open.delete(id)
      cancel()
      reject(new LongwireError('unavailable', 'Not connected.'))
    })
  }

  const sleep = (ms: number): Promise<void> => new Promise((resolve) => void clock.after(ms, resolve))

  async function insist<Q extends Question>(question: Q, deadlineMs: number): Promise<Answers[Q['type']]> {
    const until = clock.now() + deadlineMs
    for (let attempt = 1; ; attempt++) {
      const waitMs = (least: number): number =>
        Math.max(least, 20 + jitteredMs(attempt, RETRY_BASE_MS, RETRY_CAP_MS, deps.random))
      try {
        const answer = await ask(question)
        const waits = waitMs(0)
        const partial = 'partial' in answer && answer.partial
        if (!partial || clock.now() + waits > until) return answer
        await sleep(waits)
      } catch (error) {
        if (!(error instanceof LongwireError) || (error.retry !== 'same' && error.retry !== 'reconnect'))
          throw error
        const waits = waitMs(error.retryAfterMs ?? 0)
        if (clock.now() + waits > until) throw error
        await sleep(waits)
        await deps.whenOnline()
      }
    }
  }

  return {
    ask,
    insist,
    answered(frame) {
      if (!('id' in frame) || frame.id === null || frame.id === undefined) return false
      const waiting = open.get(frame.id)
      if (!waiting) return true
      if (frame.type === 'packed') {
        waiting.parts.push(frame.data)
        if (!frame.last) {
          waiting.goesOn()
          return true
        }
      }
      open.delete(frame.id)
      if (frame.type === 'error')
        waiting.reject(new LongwireError(frame.code, frame.message, frame.retryAfterMs ?? null))
      else waiting.resolve(frame.type === 'packed' ? waiting : frame)
      return true
    },
    offline() {
      const lost = [...open.values()]
      open.clear()
      for (const waiting of lost) waiting.reject(new LongwireError('unavailable', 'The connection was lost.'))
    },
  }
}
