/** Who may do what in a conversation, as data: docs/protocol.md prints these tables, and a test goes through every cell. */
import type { CodeName } from '../../schemas/codes.ts'
import type { CommandType } from '../../schemas/records.ts'

export type StaffRole = 'owner' | 'admin'
export type MemberRole = StaffRole | 'member'
export const groupRoles = ['outsider', 'member', 'admin', 'owner'] as const
export type GroupRole = (typeof groupRoles)[number]

/** `blocked`: one of the two, blocked by the other. */
export const chatRoles = ['outsider', 'side', 'blocked'] as const
export type ChatRole = (typeof chatRoles)[number]

/** True: allowed; else the code of the refusal. */
export type Verdict = true | CodeName

export interface Rule<R extends string> {
  readonly commands: readonly CommandType[]
  /** What the rule looks at besides the role; empty: nothing. */
  readonly when: string
  readonly verdicts: Readonly<Record<R, Verdict>>
}

const yes = true

const ofGroup = (
  commands: readonly CommandType[],
  when: string,
  verdicts: readonly [outsider: Verdict, member: Verdict, admin: Verdict, owner: Verdict],
): Rule<GroupRole> => {
  const [outsider, member, admin, owner] = verdicts
  return { commands, when, verdicts: { outsider, member, admin, owner } }
}

const speaking = ['SendMessage', 'EditMessage', 'React'] as const

/** Of one command the rules apply that its circumstances call for; the first refusal is the answer. */
export const groupRules = {
  speak: ofGroup(speaking, '', ['not_member', yes, yes, yes]),
  speakAllMuted: ofGroup(speaking, 'all are muted', ['not_member', 'muted', yes, yes]),
  speakMuted: ofGroup(speaking, 'the sender is muted', ['not_member', 'muted', 'muted', yes]),
  mentionAll: ofGroup(['SendMessage', 'EditMessage'], 'mentions all', ['not_member', yes, yes, yes]),
  mentionAllLarge: ofGroup(['SendMessage', 'EditMessage'], 'mentions all in a large group', [
    'not_member',
    'not_allowed',
    yes,
    yes,
  ]),
  editOthers: ofGroup(['EditMessage'], 'of another', [
    'not_member',
    'not_author',
    'not_author',
    'not_author',
  ]),
  recallOwn: ofGroup(['RecallMessage'], 'of one’s own', ['not_member', yes, yes, yes]),
  recallOthers: ofGroup(['RecallMessage'], 'of another', ['not_member', 'not_author', yes, yes]),
  pin: ofGroup(['PinMessage'], '', ['not_member', 'not_allowed', yes, yes]),
  add: ofGroup(['AddMembers'], 'members may add', ['not_member', yes, yes, yes]),
  addByAdmins: ofGroup(['AddMembers'], 'admins may add', ['not_member', 'not_allowed', yes, yes]),
  leave: ofGroup(['RemoveMembers'], 'oneself', ['not_member', yes, yes, 'not_allowed']),
  removeMember: ofGroup(['RemoveMembers'], 'a member', ['not_member', 'not_allowed', yes, yes]),
  removeAdmin: ofGroup(['RemoveMembers'], 'an admin', ['not_member', 'not_allowed', 'not_allowed', yes]),
  removeOwner: ofGroup(['RemoveMembers'], 'the owner', [
    'not_member',
    'not_allowed',
    'not_allowed',
    'not_allowed',
  ]),
  setRoleOfOutsider: ofGroup(['SetRole'], 'of an outsider', [
    'not_member',
    'not_allowed',
    'not_allowed',
    'not_member',
  ]),
  setRoleOfMember: ofGroup(['SetRole'], 'of a member', ['not_member', 'not_allowed', 'not_allowed', yes]),
  setRoleOfAdmin: ofGroup(['SetRole'], 'of an admin', ['not_member', 'not_allowed', 'not_allowed', yes]),
  setRoleOfOwner: ofGroup(['SetRole'], 'of the owner', [
    'not_member',
    'not_allowed',
    'not_allowed',
    'not_allowed',
  ]),
  muteOutsider: ofGroup(['MuteMember'], 'an outsider', [
    'not_member',
    'not_allowed',
    'not_member',
    'not_member',
  ]),
  muteMember: ofGroup(['MuteMember'], 'a member', ['not_member', 'not_allowed', yes, yes]),
  muteAdmin: ofGroup(['MuteMember'], 'an admin', ['not_member', 'not_allowed', 'not_allowed', yes]),
  muteOwner: ofGroup(['MuteMember'], 'the owner', [
    'not_member',
    'not_allowed',
    'not_allowed',
    'not_allowed',
  ]),
  muteAll: ofGroup(['MuteAll'], '', ['not_member', 'not_allowed', yes, yes]),
  setGroup: ofGroup(['SetGroup'], '', ['not_member', 'not_allowed', yes, yes]),
  dissolve: ofGroup(['DissolveGroup'], '', ['not_member', 'not_allowed', 'not_allowed', yes]),
  joinOpen: ofGroup(['RequestJoin'], 'the group is open', [yes, 'no_change', 'no_change', 'no_change']),
  joinByApproval: ofGroup(['RequestJoin'], 'joining needs approval', [
    yes,
    'no_change',
    'no_change',
    'no_change',
  ]),
  joinClosed: ofGroup(['RequestJoin'], 'the group is closed', [
    'not_allowed',
    'no_change',
    'no_change',
    'no_change',
  ]),
  answerJoin: ofGroup(['AnswerJoin'], '', ['not_member', 'not_allowed', yes, yes]),
  observe: ofGroup(['Observe'], 'begins, with the right in the token', [
    yes,
    'not_allowed',
    'not_allowed',
    'not_allowed',
  ]),
  stopObserving: ofGroup(['Observe'], 'ends', [yes, 'no_change', 'no_change', 'no_change']),
} as const satisfies Record<string, Rule<GroupRole>>

/** What a dissolved group still takes, by the same rules; all else is `dissolved`, whoever asks. Its members go on reading. */
export const afterDissolving: readonly CommandType[] = ['RecallMessage']

const ofChat = (
  commands: readonly CommandType[],
  when: string,
  verdicts: readonly [outsider: Verdict, side: Verdict, blocked: Verdict],
): Rule<ChatRole> => {
  const [outsider, side, blocked] = verdicts
  return { commands, when, verdicts: { outsider, side, blocked } }
}

/** Whoever is blocked reaches the other with nothing new, in an old message's place neither; what he said he may still take back. */
export const chatRules = {
  speak: ofChat(['SendMessage', 'React', 'PinMessage'], '', ['not_member', yes, 'not_accepted']),
  editOwn: ofChat(['EditMessage'], 'of one’s own', ['not_member', yes, 'not_accepted']),
  editOthers: ofChat(['EditMessage'], 'of another', ['not_member', 'not_author', 'not_accepted']),
  recallOwn: ofChat(['RecallMessage'], 'of one’s own', ['not_member', yes, yes]),
  recallOthers: ofChat(['RecallMessage'], 'of another', ['not_member', 'not_author', 'not_author']),
  requestFriend: ofChat(['RequestFriend'], '', ['not_member', yes, 'not_accepted']),
  answerFriend: ofChat(['AnswerFriend'], 'the other has asked', ['not_member', yes, 'not_accepted']),
  deleteFriend: ofChat(['DeleteFriend'], 'of a friend', ['not_member', yes, yes]),
  block: ofChat(['Block'], '', ['not_member', yes, yes]),
  observe: ofChat(['Observe'], 'begins, with the right in the token', [yes, 'not_allowed', 'not_allowed']),
  stopObserving: ofChat(['Observe'], 'ends', [yes, 'no_change', 'no_change']),
} as const satisfies Record<string, Rule<ChatRole>>

export type GroupAction = keyof typeof groupRules
export type ChatAction = keyof typeof chatRules

/** The code of the refusal; null: allowed. */
export function authorise<R extends string>(rule: Rule<R>, role: R): CodeName | null {
  const verdict = rule.verdicts[role]
  return verdict === true ? null : verdict
}
