/** Every cell of the two tables, by a real command of somebody in that role: what the docs print is what happens. */
import { describe, expect, test, vi } from 'vitest'
import {
  afterDissolving,
  authorise,
  type ChatAction,
  type ChatRole,
  chatRoles,
  chatRules,
  type GroupAction,
  type GroupRole,
  groupRoles,
  groupRules,
} from '../../../../processors/conversation/authorisation.ts'
import { groupStream, newGroupId } from '../../../../schemas/ids.ts'
import type { CommandPayload, EventType } from '../../../../schemas/records.ts'
import {
  addMembers,
  answerFriend,
  answerJoin,
  block,
  create,
  deleteFriend,
  dissolve,
  edit,
  mute,
  muteAll,
  observe,
  packId,
  pin,
  react,
  recall,
  removeMembers,
  requestFriend,
  requestJoin,
  send,
  setGroup,
  setRole,
  T0,
} from '../../../support/commands.ts'
import { by, given, type Said } from '../../../support/given.ts'

/** So few that every group here with another member more is large. */
vi.mock('../../../../schemas/limits.ts', async (original) => {
  const { limits } = await original<typeof import('../../../../schemas/limits.ts')>()
  return { limits: { ...limits, groupNamedMembersMax: 7 } }
})

/** What happens before, and what is then asked by `user`; each of `payloads` by itself. */
interface Case {
  readonly before?: readonly Said[]
  readonly payloads: readonly CommandPayload[]
}

/** The event that each command becomes where it is allowed. */
const becomes: Partial<Record<CommandPayload['type'], EventType>> = {
  SendMessage: 'MessageSent',
  EditMessage: 'MessageEdited',
  RecallMessage: 'MessageRecalled',
  React: 'Reacted',
  PinMessage: 'MessagePinned',
  AddMembers: 'MembersAdded',
  RemoveMembers: 'MembersRemoved',
  SetRole: 'RoleSet',
  MuteMember: 'MemberMuted',
  MuteAll: 'AllMuted',
  SetGroup: 'GroupSet',
  DissolveGroup: 'GroupDissolved',
  RequestJoin: 'JoinRequested',
  AnswerJoin: 'JoinAnswered',
  Observe: 'Observing',
  RequestFriend: 'FriendRequested',
  AnswerFriend: 'FriendAnswered',
  DeleteFriend: 'FriendDeleted',
  Block: 'Blocked',
}

function expectCell(
  stream: string,
  before: readonly Said[],
  user: string,
  payload: CommandPayload,
  verdict: string | null,
): void {
  const { payload: answer } = given(stream, ...before).scene.say(by(user, payload))
  const said = answer.type === 'Rejection' ? answer.code : answer.type
  // An open group answers a request at once.
  const expected =
    verdict ?? (payload.type === 'RequestJoin' && said === 'JoinAnswered' ? said : becomes[payload.type])
  expect(said, payload.type).toBe(expected)
}

describe('in a group', () => {
  const ID = packId(T0, 42)
  const G = groupStream(newGroupId('owner', ID))
  /** Seqs 1 to 3; then everyone has said something: outsider 4, member 5, admin 6, owner 7, other 8; the outsider leaves with 9. */
  const said: Record<GroupRole, number> = { outsider: 4, member: 5, admin: 6, owner: 7 }
  const SAID_BY_OTHER = 8
  const group: readonly Said[] = [
    by('owner', create('team', 'admin', 'member', 'outsider', 'other', 'admin2'), { packId: ID }),
    by('owner', setRole('admin', 'admin')),
    by('owner', setRole('admin2', 'admin')),
    ...[...groupRoles, 'other'].map((user) => by(user, send('said'))),
    by('owner', removeMembers('outsider')),
  ]
  const all = { mentionAll: true }

  const speaking = (role: GroupRole): CommandPayload[] => [
    send('hi'),
    edit(said[role], 'better'),
    react(SAID_BY_OTHER),
  ]
  /** A mute that reaches the role: the owner got his while he was an admin. */
  const mutes: Record<GroupRole, readonly Said[]> = {
    outsider: [],
    member: [by('owner', mute('member', 60_000))],
    admin: [by('owner', mute('admin', 60_000))],
    owner: [
      by('owner', setRole('admin', 'owner')),
      by('admin', mute('owner', 60_000)),
      by('admin', setRole('owner', 'owner')),
    ],
  }
  const large = [by('owner', addMembers('x', 'y', 'z'))]
  const policy = (fields: Parameters<typeof setGroup>[0]) => [by('owner', setGroup(fields))]

  const cases: Record<GroupAction, (role: GroupRole) => Case> = {
    speak: (role) => ({ payloads: speaking(role) }),
    speakAllMuted: (role) => ({ before: [by('owner', muteAll())], payloads: speaking(role) }),
    speakMuted: (role) => ({ before: mutes[role], payloads: speaking(role) }),
    mentionAll: (role) => ({ payloads: [send('hi', all), edit(said[role], 'hi', null, all)] }),
    mentionAllLarge: (role) => ({
      before: large,
      payloads: [send('hi', all), edit(said[role], 'hi', null, all)],
    }),
    editOthers: () => ({ payloads: [edit(SAID_BY_OTHER, 'not mine')] }),
    recallOwn: (role) => ({ payloads: [recall(said[role])] }),
    recallOthers: () => ({ payloads: [recall(SAID_BY_OTHER)] }),
    pin: () => ({ payloads: [pin(SAID_BY_OTHER)] }),
    add: () => ({ payloads: [addMembers('x')] }),
    addByAdmins: () => ({ before: policy({ addPolicy: 'admins' }), payloads: [addMembers('x')] }),
    leave: (role) => ({ payloads: [removeMembers(role)] }),
    removeMember: () => ({ payloads: [removeMembers('other')] }),
    removeAdmin: () => ({ payloads: [removeMembers('admin2')] }),
    removeOwner: () => ({ payloads: [removeMembers('owner')] }),
    setRoleOfOutsider: () => ({ payloads: [setRole('stranger', 'admin')] }),
    setRoleOfMember: () => ({ payloads: [setRole('other', 'admin'), setRole('other', 'owner')] }),
    setRoleOfAdmin: () => ({ payloads: [setRole('admin2', 'member'), setRole('admin2', 'owner')] }),
    setRoleOfOwner: () => ({ payloads: [setRole('owner', 'admin'), setRole('owner', 'member')] }),
    muteOutsider: () => ({ payloads: [mute('stranger', 1)] }),
    muteMember: () => ({ payloads: [mute('other', 1)] }),
    muteAdmin: () => ({ payloads: [mute('admin2', 1)] }),
    muteOwner: () => ({ payloads: [mute('owner', 1)] }),
    muteAll: () => ({ payloads: [muteAll()] }),
    setGroup: () => ({ payloads: [setGroup({ name: 'x' })] }),
    dissolve: () => ({ payloads: [dissolve()] }),
    joinOpen: () => ({ before: policy({ joinPolicy: 'open' }), payloads: [requestJoin()] }),
    joinByApproval: () => ({ payloads: [requestJoin()] }),
    joinClosed: () => ({ before: policy({ joinPolicy: 'closed' }), payloads: [requestJoin()] }),
    answerJoin: () => ({
      before: [by('x', requestJoin())],
      payloads: [answerJoin('x'), answerJoin('x', false)],
    }),
    observe: () => ({ payloads: [observe()] }),
    stopObserving: (role) => ({
      before: role === 'outsider' ? [by('outsider', observe())] : [],
      payloads: [observe(false)],
    }),
  }

  describe.each(Object.keys(cases) as GroupAction[])('%s', (action) => {
    test.each(groupRoles)('as %s', (role) => {
      const { before = [], payloads } = cases[action](role)
      for (const payload of payloads)
        expectCell(G, [...group, ...before], role, payload, authorise(groupRules[action], role))
    })

    test.each(groupRoles)('as %s, the group being dissolved', (role) => {
      const { before = [], payloads } = cases[action](role)
      for (const payload of payloads) {
        const isTaken = afterDissolving.includes(payload.type)
        const verdict = isTaken ? authorise(groupRules[action], role) : 'dissolved'
        expectCell(G, [...group, ...before, by('owner', dissolve())], role, payload, verdict)
      }
    })

    test('covers the commands that the table names', () => {
      const tried = groupRoles.flatMap((role) => cases[action](role).payloads.map(({ type }) => type))
      expect(new Set(tried)).toEqual(new Set(groupRules[action].commands))
    })
  })
})

describe('in a single chat', () => {
  const CHAT = 'p2p:blocked:side'
  /** Seq 1 is of the side, 2 of the one who is then blocked with 3. */
  const said: Record<ChatRole, number> = { outsider: 1, side: 1, blocked: 2 }
  const chat: readonly Said[] = [by('side', send('mine')), by('blocked', send('mine, too'))]
  const shut = by('side', block())

  const asking = (role: ChatRole) => by(role === 'blocked' ? 'side' : 'blocked', requestFriend())
  const cases: Record<ChatAction, (role: ChatRole) => Case> = {
    speak: () => ({ payloads: [send('hi'), react(1), pin(1)] }),
    editOwn: (role) => ({ payloads: [edit(said[role], 'better')] }),
    editOthers: (role) => ({ payloads: [edit(3 - said[role], 'not mine')] }),
    recallOwn: (role) => ({ payloads: [recall(said[role])] }),
    recallOthers: (role) => ({ payloads: [recall(3 - said[role])] }),
    requestFriend: () => ({ payloads: [requestFriend()] }),
    answerFriend: (role) => ({
      before: [asking(role)],
      payloads: [answerFriend(), answerFriend(false)],
    }),
    deleteFriend: () => ({
      before: [by('side', requestFriend()), by('blocked', answerFriend())],
      payloads: [deleteFriend()],
    }),
    block: () => ({ payloads: [block()] }),
    observe: () => ({ payloads: [observe()] }),
    stopObserving: (role) => ({
      before: role === 'outsider' ? [by('outsider', observe())] : [],
      payloads: [observe(false)],
    }),
  }

  describe.each(Object.keys(cases) as ChatAction[])('%s', (action) => {
    test.each(chatRoles)('as %s', (role) => {
      const { before = [], payloads } = cases[action](role)
      const now = role === 'blocked' ? [shut] : []
      for (const payload of payloads)
        expectCell(CHAT, [...chat, ...before, ...now], role, payload, authorise(chatRules[action], role))
    })

    test('covers the commands that the table names', () => {
      const tried = chatRoles.flatMap((role) => cases[action](role).payloads.map(({ type }) => type))
      expect(new Set(tried)).toEqual(new Set(chatRules[action].commands))
    })
  })
})
