/** Following a conversation without being a member. That the observer has the right to is checked at the edge. */
import { limits } from '../../schemas/limits.ts'
import { type Asked, type CommandOf, type Decision, happened, reject } from '../processor.ts'
import type { Lasting } from '../state.ts'
import { barredInChat, barredInGroup } from './access.ts'

export function observe(body: Lasting, asked: Asked, { on }: CommandOf<'Observe'>): Decision {
  const { sender } = asked
  const action = on ? 'observe' : 'stopObserving'
  const barred =
    body.kind === 'p2p' ? barredInChat(body, sender, action) : barredInGroup(body, sender, action)
  if (barred) return reject(barred)
  // Of whoever neither is in it nor observes, nothing may learn by this that it exists.
  if (!on && !body.observers.includes(sender)) return reject('not_member')
  if (on && body.observers.includes(sender)) return reject('no_change')
  if (on && body.observers.length >= limits.observersPerConversationMax) return reject('too_many')
  return happened({ type: 'Observing', on })
}
