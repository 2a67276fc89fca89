/** The decision for any command: de-duplication first, then the rules of the stream's kind. Pure. */
import { addMembers, createGroup, removeMembers } from './conversation/groups.ts'
import { editMessage, recallMessage, sendMessage } from './conversation/messages.ts'
import { type Asked, type Decide, type Decision, reject } from './processor.ts'
import { screen } from './screen.ts'
import type { StreamState } from './state.ts'
import { markRead } from './user/reads.ts'

export const decide: Decide = (state, command, payload, now) => {
  const screened = screen(state, command, now)
  if (screened) return screened
  if (state.broken) return reject('stream_broken')
  return decideNew(state, payload, { sender: command.sender, packId: command.packId, now })
}

function decideNew(state: StreamState, payload: Parameters<Decide>[2], asked: Asked): Decision {
  const { body, seq } = state
  if (body.kind === 'user')
    return payload.type === 'MarkRead' ? markRead(body, asked, payload) : reject('unsupported')
  switch (payload.type) {
    case 'SendMessage':
      return sendMessage(body, asked, seq, payload)
    case 'RecallMessage':
      return recallMessage(body, asked, seq, payload)
    case 'EditMessage':
      return editMessage(body, asked, seq, payload)
    case 'CreateGroup':
      return body.kind === 'group' ? createGroup(body, state.stream, asked, payload) : reject('unsupported')
    case 'AddMembers':
      return body.kind === 'group' ? addMembers(body, asked, payload) : reject('unsupported')
    case 'RemoveMembers':
      return body.kind === 'group' ? removeMembers(body, asked, payload) : reject('unsupported')
    case 'MarkRead':
      return reject('unsupported')
  }
}
