/** What the events of single chats and groups change in their state. What a released event does here never changes. */
import { limits } from '../../schemas/limits.ts'
import type { FirstAnswer } from '../answers.ts'
import { add } from '../intervals.ts'
import type { StreamEvent } from '../processor.ts'
import type { Conversation, GroupState, P2pState } from '../state.ts'
import { isAddPolicy, isJoinPolicy } from './groups.ts'

/** `answer`: the event as the stream's answers keep it. */
export function evolveConversation(body: Conversation, event: StreamEvent, answer: FirstAnswer): void {
  switch (event.type) {
    case 'MessageSent':
      body.recent.push(answer)
      if (body.recent.length > limits.recentMessagesMax) body.recent.shift()
      return
    case 'MessageRecalled':
      add(body.recalled, event.target.seq)
      toggle(body.pinned, event.target.seq, false)
      return
    case 'MessagePinned':
      toggle(body.pinned, event.target.seq, event.on)
      return
    case 'Observing':
      toggle(body.observers, event.sender, event.on)
      return
    default:
      if (body.kind === 'group') evolveGroup(body, event)
      else if (body.kind === 'p2p') evolveRelations(body, event)
  }
}

/** Takes the value out of the list and, if it is on, puts it at the end. */
function toggle<T>(list: T[], value: T, on: boolean): void {
  const at = list.indexOf(value)
  if (at >= 0) list.splice(at, 1)
  if (on) list.push(value)
}

function evolveGroup(body: GroupState, event: StreamEvent): void {
  switch (event.type) {
    case 'GroupCreated':
      body.exists = true
      body.name = event.name
      for (const user of event.members) admit(body, user)
      if (body.members.has(event.sender)) body.staff.set(event.sender, 'owner')
      return
    case 'MembersAdded':
      for (const user of event.members) admit(body, user)
      return
    case 'MembersRemoved':
      for (const user of event.members) {
        body.members.delete(user)
        body.staff.delete(user)
      }
      return
    case 'GroupDissolved':
      body.dissolved = true
      return
    case 'JoinRequested':
      body.requests.add(event.sender)
      return
    case 'JoinAnswered':
      body.requests.delete(event.user)
      if (event.accept) admit(body, event.user)
      return
    case 'RoleSet':
      giveRole(body, event)
      return
    case 'MemberMuted':
      if (event.until === 0) body.mutes.delete(event.user)
      else body.mutes.set(event.user, event.until)
      return
    case 'AllMuted':
      body.allMuted = event.on
      return
    case 'GroupSet': {
      const { name, joinPolicy, addPolicy } = event
      if (name !== null) body.name = name
      if (joinPolicy !== null && isJoinPolicy(joinPolicy)) body.joinPolicy = joinPolicy
      if (addPolicy !== null && isAddPolicy(addPolicy)) body.addPolicy = addPolicy
    }
  }
}

/** A member observes no longer and asks no longer. */
function admit(body: GroupState, user: string): void {
  body.members.add(user)
  body.staff.delete(user)
  body.requests.delete(user)
  toggle(body.observers, user, false)
  if (body.members.size > limits.groupNamedMembersMax) body.large = true
}

function giveRole(body: GroupState, { sender, user, role }: StreamEvent & { type: 'RoleSet' }): void {
  if (!body.members.has(user)) return
  if (role === 'member') body.staff.delete(user)
  else if (role === 'admin') body.staff.set(user, 'admin')
  else if (role === 'owner') {
    if (body.staff.get(sender) === 'owner') body.staff.set(sender, 'admin')
    body.staff.set(user, 'owner')
  }
}

function evolveRelations(body: P2pState, event: StreamEvent): void {
  switch (event.type) {
    case 'FriendRequested':
      body.askedBy = event.sender
      return
    case 'FriendAnswered':
      body.askedBy = null
      body.friends = event.accept
      return
    case 'FriendDeleted':
      body.friends = false
      return
    case 'Blocked':
      toggle(body.blockers, event.sender, event.on)
  }
}
