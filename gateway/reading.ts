/** Requests answered from the read models, as frames. */

import type { ReadModels } from '../projections/reads.ts'
import { type CodeName, codes } from '../schemas/codes.ts'
import type { ClientFrames, ServerFrame } from '../schemas/frames.ts'
import { Fault, type Logger } from '../schemas/ports.ts'
import type { ReadRequest } from './requests.ts'

export interface Reading {
  /** Never rejects: what fails is an error frame. */
  answer(user: string, id: number, request: ReadRequest): Promise<ServerFrame>
  /** Whether a read mark lies within the conversation; null: it does. */
  checkMark(mark: ClientFrames['markRead']): Promise<CodeName | null>
}

const RETRY_AFTER_MS = 500
const errorFrame = (id: number, code: CodeName): ServerFrame => ({
  type: 'error',
  id,
  code,
  message: codes[code].text,
  retryAfterMs: codes[code].retry === 'same' ? RETRY_AFTER_MS : null,
})

export function createReading(reads: ReadModels, log: Logger): Reading {
  async function read(user: string, id: number, request: ReadRequest): Promise<ServerFrame> {
    switch (request.kind) {
      case 'heads': {
        const { partial, heads } = await reads.heads(user)
        return { type: 'headsResult', id, partial, heads }
      }
      case 'conversations': {
        const { partial, conversations } = await reads.conversations(user, request.limit)
        return { type: 'conversationsResult', id, partial, conversations }
      }
      case 'history': {
        const { conversationId } = request
        const page = await reads.history(user, conversationId, request)
        if (page.code !== null) return errorFrame(id, page.code)
        const { partial, fromSeq, toSeq, more, items } = page
        return { type: 'historyResult', id, conversationId, partial, fromSeq, toSeq, more, items }
      }
      case 'sync': {
        const { conversationId } = request
        const answer = await reads.sync(user, conversationId, request)
        if (answer.code !== null) return errorFrame(id, answer.code)
        const { partial, reset, changesUpTo, changes } = answer
        return { type: 'syncResult', id, conversationId, partial, reset, changesUpTo, changes }
      }
      case 'lookup': {
        const { partial, found } = await reads.lookup(user, request.conversationId, request.packId)
        const { seq, ordinal, time } = found ?? { seq: null, ordinal: null, time: null }
        return { type: 'lookupResult', id, partial, seq, ordinal, time }
      }
    }
  }

  return {
    async answer(user, id, request) {
      try {
        return await read(user, id, request)
      } catch (error) {
        if (error instanceof Fault) return errorFrame(id, 'unavailable')
        log.error({ err: error, request: request.kind }, 'a read failed by a defect')
        return errorFrame(id, 'internal')
      }
    },
    async checkMark(mark) {
      try {
        const { partial, head } = await reads.headOf(mark.conversationId)
        if (head && mark.seq <= head.seq && mark.ordinal <= head.ordinal) return null
        return partial ? 'unavailable' : 'bad_position'
      } catch (error) {
        if (error instanceof Fault) return 'unavailable'
        log.error({ err: error }, 'checking a read mark failed by a defect')
        return 'internal'
      }
    },
  }
}
