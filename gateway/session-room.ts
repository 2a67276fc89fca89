/** What a session does about live rooms: it is in one at the most, and the last frame about rooms decides in which. Pure. */
import type { ClientFrames, ServerFrame } from '../schemas/frames.ts'
import { isId, isRoom, roomStream } from '../schemas/ids.ts'
import { limits } from '../schemas/limits.ts'
import { fullBucket, type Rate, take } from './bucket.ts'
import { failed } from './session-answers.ts'
import type { Effect, Input, Open, Step } from './session-types.ts'

const commandRate: Rate = {
  perSecond: limits.roomCommandsPerSecondPerConnectionMax,
  burst: limits.roomCommandsBurstPerConnectionMax,
}
const readRate: Rate = {
  perSecond: limits.readsPerSecondPerConnectionMax,
  burst: limits.readsBurstPerConnectionMax,
}

export const noRoom = (now: number): Pick<Open, 'room' | 'roomTicket' | 'roomAsked' | 'roomCommands'> => ({
  room: null,
  roomTicket: 0,
  roomAsked: null,
  roomCommands: fullBucket(commandRate, now),
})

export function onRoomFrame(
  session: Open,
  frame: ClientFrames['joinRoom'] | ClientFrames['leaveRoom'],
  now: number,
): Step {
  const { id } = frame
  const taken = take(session.reads, readRate, now)
  const next = { ...session, reads: taken.bucket }
  if (taken.retryAfterMs !== null)
    return { session: next, effects: [failed(id, { code: 'rate_limited' }, taken.retryAfterMs)] }
  // What is refused changes nothing: the connection stays where it is.
  if (frame.type === 'joinRoom' && !isId(frame.roomId))
    return { session: next, effects: [failed(id, { code: 'bad_id' })] }
  const superseded: Effect[] =
    session.roomAsked === null ? [] : [failed(session.roomAsked, { code: 'superseded' })]
  const roomTicket = session.roomTicket + 1
  if (frame.type === 'leaveRoom')
    return {
      session: { ...next, room: null, roomTicket, roomAsked: null },
      effects: [{ do: 'leaveRoom' }, ...superseded, { do: 'send', frame: nowhere(id) }],
    }
  const conversationId = roomStream(frame.roomId)
  const newest = Math.min(limits.roomNewestMax, Math.max(0, frame.newest ?? limits.roomNewestDefault))
  return {
    session: { ...next, room: conversationId, roomTicket, roomAsked: id },
    effects: [...superseded, { do: 'joinRoom', ticket: roomTicket, conversationId, newest }],
  }
}

const nowhere = (id: number): ServerFrame => ({
  type: 'roomResult',
  id,
  conversationId: null,
  partial: false,
  headSeq: 0,
  items: [],
})

export function onJoined(session: Open, input: Extract<Input, { kind: 'joined' }>): Step {
  const { ticket, partial, headSeq, items } = input
  const { room: conversationId, roomAsked: id } = session
  if (ticket !== session.roomTicket || id === null) return { session, effects: [] }
  return {
    session: { ...session, roomAsked: null },
    effects: [
      { do: 'send', frame: { type: 'roomResult', id, conversationId, partial, headSeq, items: [...items] } },
    ],
  }
}

/** Rooms have a rate of their own: what is said in one is multiplied by all who are in it. */
export function takeRoomCommand(
  session: Open,
  stream: string,
  now: number,
): { readonly session: Open; readonly retryAfterMs: number | null } {
  if (!isRoom(stream)) return { session, retryAfterMs: null }
  const { bucket, retryAfterMs } = take(session.roomCommands, commandRate, now)
  return { session: { ...session, roomCommands: bucket }, retryAfterMs }
}
