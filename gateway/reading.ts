/** Requests answered from the read models, as frames; and what must be looked up before a command is appended. */
import { type BulkheadPolicy, BulkheadRejectedError, bulkhead } from 'cockatiel'
import type { HistoryAnswer, ReadModels } from '../projections/reads.ts'
import { type CodeName, codes } from '../schemas/codes.ts'
import type { ServerFrame } from '../schemas/frames.ts'
import { limits } from '../schemas/limits.ts'
import { Fault, type Logger } from '../schemas/ports.ts'
import { boundedChanges, boundedList, boundedPage } from './bounds.ts'
import { createCheck } from './check.ts'
import { packed } from './packing.ts'
import type { ReadRequest } from './requests.ts'
import { retryAfter } from './session-answers.ts'
import type { Check, Checked } from './session-types.ts'

export interface Reading {
  /** Never rejects: what fails is an error frame. */
  answer(reader: Reader, id: number, request: ReadRequest): Promise<readonly ServerFrame[]>
  /** Never rejects: what fails is a code. */
  check(reader: Reader, check: Check): Promise<Checked>
}

export interface Reader {
  readonly user: string
  /** The connection's token gives the right to what he merely observes. */
  readonly observes: boolean
}

type Simple = Exclude<ReadRequest, { kind: 'overview' }>
type Of<K extends ReadRequest['kind']> = Extract<ReadRequest, { kind: K }>

const errorFrame = (id: number, code: CodeName): ServerFrame => ({
  type: 'error',
  id,
  code,
  message: codes[code].text,
  retryAfterMs: retryAfter(code),
})

type Answer = (user: string, id: number, request: ReadRequest) => Promise<readonly ServerFrame[]>

export function createReading(reads: ReadModels, log: Logger): Reading {
  const overviews = bulkhead(limits.overviewsAtOnceMax, limits.overviewsWaitingMax)
  const faceOf = (of: ReadModels) => ({ answer: answersFrom(of, overviews), check: createCheck(of, log) })
  const asMember = faceOf(reads)
  const asObserver = faceOf({ ...reads, ...reads.observing })
  const faceFor = ({ observes }: Reader) => (observes ? asObserver : asMember)
  return {
    async answer(reader, id, request) {
      try {
        return await faceFor(reader).answer(reader.user, id, request)
      } catch (error) {
        if (error instanceof BulkheadRejectedError) return [errorFrame(id, 'overloaded')]
        if (error instanceof Fault) return [errorFrame(id, 'unavailable')]
        log.error({ err: error, request: request.kind }, 'a read failed by a defect')
        return [errorFrame(id, 'internal')]
      }
    },
    check: (reader, check) => faceFor(reader).check(reader.user, check),
  }
}

function answersFrom(reads: ReadModels, overviews: Pick<BulkheadPolicy, 'execute'>): Answer {
  async function overview(user: string, id: number, ask: Of<'overview'>): Promise<readonly ServerFrame[]> {
    const { conversations, pages } = await reads.overview(user, ask)
    function* frames(): Iterable<ServerFrame> {
      yield { type: 'conversationsResult', id, ...boundedList(conversations) }
      for (const { conversationId, page } of pages)
        yield pageFrame(id, conversationId, boundedPage(page, false))
    }
    return packed(id, frames())
  }

  async function read(user: string, id: number, request: Simple): Promise<ServerFrame> {
    switch (request.kind) {
      case 'heads': {
        const { partial, heads } = await reads.heads(user)
        return { type: 'headsResult', id, partial, heads }
      }
      case 'conversations': {
        const { partial, conversations, next } = boundedList(await reads.conversations(user, request))
        return { type: 'conversationsResult', id, partial, conversations, next }
      }
      case 'relations': {
        const { partial, relations } = await reads.relations(user)
        return { type: 'relationsResult', id, partial, relations }
      }
      case 'settings': {
        const { partial, settings } = await reads.settings(user)
        return { type: 'settingsResult', id, partial, settings }
      }
      case 'profiles': {
        const { partial, profiles } = await reads.profiles(request.userIds)
        return { type: 'profilesResult', id, partial, profiles }
      }
      case 'search': {
        const answer = await reads.search(user, request)
        if (answer.code !== null) return errorFrame(id, answer.code)
        const { partial, items, next } = answer
        return { type: 'searchResult', id, partial, items, next }
      }
      case 'lookup': {
        const { partial, found } = await reads.lookup(user, request.conversationId, request.packId)
        const { seq, ordinal, time } = found ?? { seq: null, ordinal: null, time: null }
        return { type: 'lookupResult', id, partial, seq, ordinal, time }
      }
      case 'group':
      case 'members':
      case 'readers':
        return readGroup(user, id, request)
      case 'history':
      case 'sync':
        return readStream(user, id, request)
    }
  }

  async function readGroup(
    user: string,
    id: number,
    request: Of<'group' | 'members' | 'readers'>,
  ): Promise<ServerFrame> {
    const { conversationId } = request
    switch (request.kind) {
      case 'group': {
        const answer = await reads.group(user, conversationId)
        if (answer.code !== null) return errorFrame(id, answer.code)
        return { type: 'groupResult', id, partial: answer.partial, ...answer.group }
      }
      case 'members': {
        const answer = await reads.members(user, conversationId, request)
        if (answer.code !== null) return errorFrame(id, answer.code)
        const { partial, members, next } = answer
        return { type: 'membersResult', id, conversationId, partial, members, next }
      }
      case 'readers': {
        const answer = await reads.readers(user, conversationId, request)
        if (answer.code !== null) return errorFrame(id, answer.code)
        const { partial, count, readers, next } = answer
        return { type: 'readersResult', id, conversationId, partial, count, readers, next }
      }
    }
  }

  async function readStream(user: string, id: number, request: Of<'history' | 'sync'>): Promise<ServerFrame> {
    const { conversationId } = request
    if (request.kind === 'history') {
      const page = await reads.history(user, conversationId, request)
      if (page.code !== null) return errorFrame(id, page.code)
      return pageFrame(id, conversationId, boundedPage(page, request.after !== null))
    }
    const answer = await reads.sync(user, conversationId, request)
    if (answer.code !== null) return errorFrame(id, answer.code)
    const { partial, reset, changesUpTo, changes } = boundedChanges(answer)
    return { type: 'syncResult', id, conversationId, partial, reset, changesUpTo, changes }
  }

  return async (user, id, request) =>
    request.kind === 'overview'
      ? overviews.execute(() => overview(user, id, request))
      : [await read(user, id, request)]
}

function pageFrame(id: number, conversationId: string, page: HistoryAnswer): ServerFrame {
  const { partial, fromSeq, toSeq, more, items, reactions } = page
  return { type: 'historyResult', id, conversationId, partial, fromSeq, toSeq, more, items, reactions }
}
