/** The decision for any command: de-duplication first, then the rules of the stream's kind. Pure. */
import { defaultWindows, type Windows } from '../schemas/windows.ts'
import { afterDissolving } from './conversation/authorisation.ts'
import { addMembers, createGroup, dissolveGroup, removeMembers, setGroup } from './conversation/groups.ts'
import { answerJoin, requestJoin } from './conversation/joins.ts'
import { editMessage, recallMessage, sendMessage } from './conversation/messages.ts'
import { observe } from './conversation/observing.ts'
import { pinMessage, react } from './conversation/reactions.ts'
import { answerFriend, block, deleteFriend, requestFriend } from './conversation/relations.ts'
import { muteAll, muteMember, setRole } from './conversation/roles.ts'
import { type Asked, type Decide, type Decision, reject } from './processor.ts'
import { screen } from './screen.ts'
import type { GroupState, Lasting, P2pState, RoomState, UserState } from './state.ts'
import { setProfile } from './user/profile.ts'
import { markRead } from './user/reads.ts'
import { setSetting } from './user/settings.ts'

type Payload = Parameters<Decide>[2]

export const decideWith =
  (windows: Windows): Decide =>
  (state, command, payload, now) => {
    const screened = screen(state, command, now)
    if (screened) return screened
    if (state.broken) return reject('stream_broken')
    const { body, stream, seq } = state
    const asked: Asked = { sender: command.sender, packId: command.packId, now, head: seq, windows }
    switch (body.kind) {
      case 'user':
        return decideUser(body, asked, payload)
      case 'p2p':
        return decideMessages(body, asked, payload) ?? decideRelations(body, asked, payload)
      case 'group':
        return decideGroup(body, stream, asked, payload)
      case 'room':
        return decideRoom(body, asked, payload)
    }
  }

export const decide = decideWith(defaultWindows)

/** Null: not a matter of single chats and groups alike. */
function decideMessages(body: Lasting, asked: Asked, payload: Payload): Decision | null {
  switch (payload.type) {
    case 'SendMessage':
      return sendMessage(body, asked, payload)
    case 'RecallMessage':
      return recallMessage(body, asked, payload)
    case 'EditMessage':
      return editMessage(body, asked, payload)
    case 'React':
      return react(body, asked, payload)
    case 'PinMessage':
      return pinMessage(body, asked, payload)
    case 'Observe':
      return observe(body, asked, payload)
    default:
      return null
  }
}

function decideRelations(body: P2pState, asked: Asked, payload: Payload): Decision {
  switch (payload.type) {
    case 'RequestFriend':
      return requestFriend(body, asked, payload)
    case 'AnswerFriend':
      return answerFriend(body, asked, payload)
    case 'DeleteFriend':
      return deleteFriend(body, asked)
    case 'Block':
      return block(body, asked, payload)
    default:
      return reject('unsupported')
  }
}

function decideGroup(body: GroupState, stream: string, asked: Asked, payload: Payload): Decision {
  if (payload.type === 'CreateGroup') return createGroup(body, stream, asked, payload)
  if (!body.exists) return reject('not_member')
  if (body.dissolved && !afterDissolving.includes(payload.type)) return reject('dissolved')
  return decideMessages(body, asked, payload) ?? decideRoster(body, asked, payload)
}

function decideRoster(body: GroupState, asked: Asked, payload: Payload): Decision {
  switch (payload.type) {
    case 'AddMembers':
      return addMembers(body, asked, payload)
    case 'RemoveMembers':
      return removeMembers(body, asked, payload)
    case 'DissolveGroup':
      return dissolveGroup(body, asked)
    case 'SetGroup':
      return setGroup(body, asked, payload)
    case 'RequestJoin':
      return requestJoin(body, asked, payload)
    case 'AnswerJoin':
      return answerJoin(body, asked, payload)
    case 'SetRole':
      return setRole(body, asked, payload)
    case 'MuteMember':
      return muteMember(body, asked, payload)
    case 'MuteAll':
      return muteAll(body, asked, payload)
    default:
      return reject('unsupported')
  }
}

/** What is said in a live room passes; all that would stay is not for it. */
function decideRoom(body: RoomState, asked: Asked, payload: Payload): Decision {
  switch (payload.type) {
    case 'SendMessage':
      return sendMessage(body, asked, payload)
    case 'RecallMessage':
      return recallMessage(body, asked, payload)
    default:
      return reject('unsupported')
  }
}

function decideUser(body: UserState, asked: Asked, payload: Payload): Decision {
  if (asked.sender !== body.userId) return reject('not_allowed')
  switch (payload.type) {
    case 'MarkRead':
      return markRead(body, payload)
    case 'SetSetting':
      return setSetting(body, payload)
    case 'SetProfile':
      return setProfile(payload)
    default:
      return reject('unsupported')
  }
}
