/** A conversation, a roster, unread counts and a list of conversations as they were at a moment. */
import { isId, parseStream, userStream } from '../../schemas/ids.ts'
import type { Recorded } from '../archived.ts'
import type { Mark } from '../verify/sample.ts'
import { createMoment, type Member, type Message, type Moment } from './moment.ts'
import type { Past } from './sources.ts'

export interface Where {
  readonly past: Past
  /** Broker time in ms; what came at this very time is in. */
  readonly time: number
}

export interface ConversationAt {
  readonly conversationId: string
  readonly name: string | null
  readonly seq: number
  readonly ordinal: number
  readonly members: number
  /** The newest, in their order, recalled ones in their place. */
  readonly messages: readonly Message[]
  readonly unreadable: readonly number[]
}

export interface RosterAt {
  readonly conversationId: string
  readonly name: string | null
  readonly seq: number
  readonly members: readonly Member[]
  readonly unreadable: readonly number[]
}

export interface EntryAt {
  readonly conversationId: string
  readonly name: string | null
  readonly unread: number
  readonly mentions: number
  readonly mentionsAll: number
  readonly readSeq: number
  readonly lastSeq: number
  readonly lastTime: number
  /** He had left by then. */
  readonly left: boolean
  readonly pinned: boolean
  /** In the list as he had arranged it. */
  readonly listed: boolean
  readonly unreadable: readonly number[]
}

/** Refuses a moment of which nothing can be known. */
export async function checkTime({ past, time }: Where, now: number): Promise<void> {
  if (time > now)
    throw new RangeError(`${iso(time)} lies in the future: it is ${iso(now)}. Name a time that has passed`)
  const times = await past.times()
  if (times === null) throw new RangeError('there is no record yet: nothing has been said at all')
  if (time < times.first)
    throw new RangeError(`${iso(time)} lies before the first record, which is of ${iso(times.first)}`)
}

export async function conversationAt(where: Where, stream: string, keep: number): Promise<ConversationAt> {
  /** Recalled or edited since. */
  const changed = new Set<number>()
  const moment = await momentOf(where, stream, keep, ({ payload }) => {
    if (payload?.type === 'MessageEdited' || payload?.type === 'MessageRecalled')
      changed.add(payload.target.seq)
  })
  const { seq, ordinal } = moment.head()
  const messages = moment
    .messages()
    .map((message) =>
      changed.has(message.seq) && message.content !== null
        ? { ...message, contentType: null, content: null, keyId: null, changedSince: true }
        : message,
    )
  return {
    ...{ conversationId: stream, name: moment.name(), seq, ordinal, members: moment.members().length },
    ...{ messages, unreadable: moment.unreadable },
  }
}

export async function rosterAt(where: Where, stream: string): Promise<RosterAt> {
  if (parseStream(stream)?.kind !== 'group')
    throw new RangeError(`${stream} is no group: a roster is that of g:<group id>`)
  const moment = await momentOf(where, stream, 0)
  return {
    ...{ conversationId: stream, name: moment.name(), seq: moment.head().seq, members: moment.members() },
    unreadable: moment.unreadable,
  }
}

/** Of one conversation, or of all that the user was in. */
export async function unreadAt(where: Where, user: string, stream?: string): Promise<EntryAt[]> {
  if (!isId(user)) throw new RangeError(`${user} is no user id`)
  const { past, time } = where
  if (stream !== undefined && parseStream(stream) === null) throw new RangeError(unknown(stream))
  const streams = stream === undefined ? await past.conversations(user, time) : [stream]
  const own = createPersonal()
  const moments = new Map<string, Moment>()
  const personal = userStream(user)
  await past.events([...new Set([...streams, personal])], time, (record) => {
    const { stream: of } = record.envelope
    if (of === personal) own.apply(record)
    if (of === personal && of !== stream) return
    const moment = moments.get(of) ?? createMoment(of, 0)
    moments.set(of, moment)
    moment.apply(record)
  })
  if (stream !== undefined && !moments.has(stream)) throw await nothingOf(where, stream)
  const entries: EntryAt[] = []
  for (const [of, moment] of moments) {
    if (moment.missing.length > 0) throw new RangeError(lost(of, moment.missing))
    const entry = entryOf(of, moment, user, own)
    if (entry) entries.push(entry)
  }
  if (stream !== undefined && entries.length === 0)
    throw new RangeError(`${user} was not in ${stream} by ${iso(time)}`)
  return entries.sort(
    (a, b) =>
      Number(b.pinned) - Number(a.pinned) ||
      b.lastTime - a.lastTime ||
      (a.conversationId < b.conversationId ? -1 : 1),
  )
}

/** As unreadAt, without what stood in no list. */
export const listAt = async (where: Where, user: string): Promise<EntryAt[]> =>
  (await unreadAt(where, user)).filter(({ listed }) => listed)

function entryOf(
  stream: string,
  { plain, head, name, unreadable }: Moment,
  user: string,
  own: Personal,
): EntryAt | null {
  const stay = plain.stays(user).at(-1)
  if (!stay) return null
  const { seq, ordinal, time } = head()
  const left = stay.to !== Infinity
  const mark = own.marks.get(stream) ?? { seq: 0, ordinal: 0 }
  const lastSeq = Math.min(seq, stay.to)
  const deleted = Number(own.settings.get(`deleted:${stream}`) ?? 0)
  const newest = plain.newestMessage(lastSeq)
  const isGone = deleted > 0 && (lastSeq <= deleted || newest <= deleted)
  return {
    ...{ conversationId: stream, name: name(), left, lastSeq, lastTime: left ? stay.toTime : time },
    ...plain.unread(user, left ? seq : lastSeq, mark.ordinal),
    ...{ readSeq: mark.seq, pinned: own.settings.get(`pin:${stream}`) === '1', unreadable },
    // A friend request alone makes no conversation.
    listed: !isGone && !(stream.startsWith('p2p:') && ordinal === 0),
  }
}

/** What a user has set and read. */
interface Personal {
  apply(record: Parameters<Moment['apply']>[0]): void
  readonly marks: ReadonlyMap<string, Mark>
  readonly settings: ReadonlyMap<string, string>
}

function createPersonal(): Personal {
  const marks = new Map<string, Mark>()
  const settings = new Map<string, string>()
  return {
    ...{ marks, settings },
    apply({ payload }) {
      if (payload?.type === 'ReadMarked') {
        const { conversationId, seq, ordinal } = payload
        if (seq > (marks.get(conversationId)?.seq ?? -1)) marks.set(conversationId, { seq, ordinal })
      } else if (payload?.type === 'SettingSet') {
        if (payload.value === null) settings.delete(payload.key)
        else settings.set(payload.key, payload.value)
      }
    },
  }
}

/** `later`: is given what came after it; without it that is not read. */
async function momentOf(
  where: Where,
  stream: string,
  keep: number,
  later?: (record: Recorded) => void,
): Promise<Moment> {
  if (parseStream(stream) === null) throw new RangeError(unknown(stream))
  const moment = createMoment(stream, keep)
  await where.past.events([stream], later ? Number.MAX_SAFE_INTEGER : where.time, (record) => {
    if (record.envelope.time > where.time) later?.(record)
    else moment.apply(record)
  })
  if (moment.missing.length > 0) throw new RangeError(lost(stream, moment.missing))
  if (moment.head().seq === 0) throw await nothingOf(where, stream)
  return moment
}

/** There is no event of it by then: at all, or not yet. */
async function nothingOf({ past, time }: Where, stream: string): Promise<RangeError> {
  let first = 0
  await past.events([stream], Number.MAX_SAFE_INTEGER, ({ envelope }) => {
    first ||= envelope.time
  })
  return new RangeError(
    first === 0
      ? `there is no conversation ${stream}: no event of it was ever recorded`
      : `${stream} began at ${iso(first)}, after ${iso(time)}`,
  )
}

const unknown = (stream: string): string =>
  `${stream} is no conversation: they are p2p:<a>:<b> with the ids in their order, g:<group id>, r:<room id>, u:<user id>`

const lost = (stream: string, missing: readonly number[]): string =>
  `${stream} lacks seq ${missing.slice(0, 5).join(', ')}${missing.length > 5 ? ' and more' : ''}: rows were lost. Run npm run verify to see how many, build the archive anew (npm run replay -- archive), or ask the log (--from-log)`

export const iso = (ms: number): string => new Date(ms).toISOString()
