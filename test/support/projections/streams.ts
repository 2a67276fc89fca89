/** Conversations written event by event, each with its next seq and ordinal, for tests of what is read of them. */
import type { Accepted } from '../../../projections/projection.ts'
import type { EventPayload } from '../../../schemas/records.ts'
import { packId, T0 } from '../commands.ts'
import { accepted } from './accepted.ts'

type Type = EventPayload['type']
type Fields<T extends Type> = Parameters<typeof accepted<T>>[2]

interface State {
  seq: number
  ordinal: number
  readonly messages: Map<number, { readonly ordinal: number; readonly sender: string; readonly time: number }>
}

export interface Streams {
  /** The events since the last call, in order. */
  take(): Accepted[]
  /** Ms after T0 of the next events; grows by one with each. */
  at(ms: number): void
  event<T extends Type>(stream: string, sender: string, type: T, fields?: Fields<T>): number
  say(stream: string, sender: string, content: string | object): number
  edit(stream: string, sender: string, seq: number, text: string): number
  recall(stream: string, sender: string, seq: number): number
}

export function streams(): Streams {
  const states = new Map<string, State>()
  let written: Accepted[] = []
  let clock = 0
  const bytesOf = (content: string | object) =>
    Buffer.from(JSON.stringify(typeof content === 'string' ? { text: content } : content))
  const targetOf = (stream: string, seq: number) => {
    const message = states.get(stream)?.messages.get(seq)
    if (!message) throw new Error(`no message ${seq} in ${stream}`)
    return { seq, ...message, packId: packId(T0 + seq, seq) }
  }

  const all: Streams = {
    take() {
      const taken = written
      written = []
      return taken
    },
    at(ms) {
      clock = ms
    },
    event(stream, sender, type, fields) {
      const state = states.get(stream) ?? { seq: 0, ordinal: 0, messages: new Map() }
      states.set(stream, state)
      const seq = ++state.seq
      const time = T0 + clock++
      if (type === 'MessageSent') state.messages.set(seq, { ordinal: ++state.ordinal, sender, time })
      const record = accepted({ stream, seq, ordinal: state.ordinal, sender }, type, fields)
      written.push({ ...record, envelope: { ...record.envelope, time } })
      return seq
    },
    say: (stream, sender, content) => all.event(stream, sender, 'MessageSent', { content: bytesOf(content) }),
    edit: (stream, sender, seq, text) =>
      all.event(stream, sender, 'MessageEdited', { target: targetOf(stream, seq), content: bytesOf(text) }),
    recall: (stream, sender, seq) =>
      all.event(stream, sender, 'MessageRecalled', { target: targetOf(stream, seq) }),
  }
  return all
}
