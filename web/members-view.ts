/** The members of a group by page, with what one's role may do to each. */
import type { Group, Member } from '../client/index.ts'
import { limits } from '../schemas/limits.ts'
import { avatar, faceOfUser, faceVersion } from './avatar.ts'
import { confirmFirst, idsOf } from './dialogs.ts'
import { attempt, el, iconButton, problemLine, type Row, showRows, textButton } from './dom.ts'
import { count, explain, whenOf } from './format.ts'
import { type MenuItem, showMenu } from './menu.ts'
import { section } from './panel.ts'
import type { Shell } from './shell.ts'
import type { Chat } from './state/chat.ts'
import { mayAdd, outranks } from './state/rights.ts'

const MINUTE_MS = 60_000
const muteTimes: readonly (readonly [text: string, ms: number])[] = [
  ['10 minutes', 10 * MINUTE_MS],
  ['1 hour', 60 * MINUTE_MS],
  ['1 day', 24 * 60 * MINUTE_MS],
  ['30 days', 30 * 24 * 60 * MINUTE_MS],
]

export function membersView(
  chat: Chat,
  shell: Shell,
  conversationId: string,
): { element: HTMLElement; show(group: Group): void } {
  const { client, people } = chat
  const state = chat.groupOf(conversationId)
  const problems = new Map<string, string>()
  const list = el('ul', { className: 'members' })
  const more = textButton('Show more', 'plain', () => void state.moreMembers())
  const ids = el('input', {
    name: 'add',
    placeholder: 'User ids to add',
    autocomplete: 'off',
    spellcheck: false,
  })
  const friends = el('datalist', { id: `friends-of-${conversationId}` })
  ids.setAttribute('list', friends.id)
  const addButton = el('button', { type: 'submit', className: 'primary', textContent: 'Add' })
  const addProblem = problemLine()
  const progress = el('p', { className: 'hint', role: 'status' })
  const add = el('form', { className: 'add' }, ids, friends, addButton, addProblem, progress)
  const heading = el('h3')
  const element = section(null, heading, add, list, more)

  add.onsubmit = async (event) => {
    event.preventDefault()
    const wanted = idsOf(ids.value)
    if (wanted.length === 0) return
    const isImport = wanted.length > limits.membersPerCommandMax
    const onProgress = ({ done, total }: { done: number; total: number }): void => {
      progress.textContent = `${done.toLocaleString()} of ${count(total, 'user')} added…`
    }
    const act = (): Promise<unknown> =>
      isImport
        ? client.importMembers(conversationId, wanted, { onProgress })
        : client.addMembers(conversationId, wanted)
    if (await attempt(act, addProblem, addButton)) ids.value = ''
    progress.textContent = ''
  }

  async function act(userId: string, run: () => Promise<unknown>): Promise<void> {
    problems.delete(userId)
    try {
      await run()
    } catch (error) {
      problems.set(userId, explain(error))
    }
    const group = state.group()
    if (group) show(group)
  }

  function itemsFor(member: Member, group: Group): MenuItem[] {
    const { userId, role, mutedUntil } = member
    const name = people.nameOf(userId)
    const isOwner = group.role === 'owner'
    const over = outranks(group.role, role)
    const isMuted = mutedUntil > client.serverTime()
    const muteFor = (ms: number) => () => void act(userId, () => client.mute(conversationId, userId, ms))
    const items: (MenuItem | false)[] = [
      { text: 'Details', act: () => shell.openPerson(userId) },
      isOwner &&
        role === 'member' && {
          text: 'Make admin',
          act: () => void act(userId, () => client.setRole(conversationId, userId, 'admin')),
        },
      isOwner &&
        role === 'admin' && {
          text: 'No longer admin',
          act: () => void act(userId, () => client.setRole(conversationId, userId, 'member')),
        },
      isOwner && {
        text: 'Make owner',
        act: () =>
          confirmFirst('Make owner', `${name} owns the group then, and you are an admin.`, 'Make owner', () =>
            client.transfer(conversationId, userId),
          ),
      },
      ...(over && !isMuted
        ? muteTimes.map(([text, ms]) => ({ text: `Mute for ${text}`, act: muteFor(ms) }))
        : []),
      over && isMuted && { text: 'Unmute', act: muteFor(0) },
      over && {
        text: 'Remove from group',
        isDangerous: true,
        act: () => void act(userId, () => client.removeMembers(conversationId, [userId])),
      },
    ]
    return items.filter((item) => item !== false)
  }

  function row(member: Member, group: Group): Row {
    const { userId, role, mutedUntil } = member
    const face = faceOfUser(chat, userId)
    const isSelf = userId === client.userId
    const isMuted = mutedUntil > client.serverTime()
    const problem = problems.get(userId) ?? ''
    return {
      key: userId,
      version: [...faceVersion(face), role, isMuted, problem, group.role, group.dissolved],
      make() {
        const menu = iconButton('Member menu', 'more', () => showMenu(menu, itemsFor(member, group)))
        return el(
          'li',
          { data: { member: userId } },
          el(
            'button',
            { type: 'button', className: 'person', title: userId, onclick: () => shell.openPerson(userId) },
            avatar(face, 'small'),
            el('span', { textContent: isSelf ? `${face.title} (you)` : face.title }),
          ),
          isMuted &&
            el('span', { className: 'tag', textContent: 'Muted', title: `until ${whenOf(mutedUntil)}` }),
          role !== 'member' &&
            el('span', { className: 'tag role', textContent: role === 'owner' ? 'Owner' : 'Admin' }),
          !isSelf && !group.dissolved && menu,
          problem !== '' && el('p', { className: 'error', role: 'alert', textContent: problem }),
        )
      },
    }
  }

  function show(group: Group): void {
    const members = state.members()
    if (members.length === 0 && state.hasMoreMembers() && state.problem() === '') void state.moreMembers()
    heading.textContent = count(group.memberCount, 'member')
    add.hidden = !mayAdd(group)
    more.hidden = !state.hasMoreMembers()
    const known = people.relations().filter(({ state: is }) => is === 'friend')
    showRows(
      friends,
      known.map(({ userId }) => ({
        key: userId,
        version: [],
        make: () => el('option', { value: userId, textContent: people.nameOf(userId) }),
      })),
    )
    showRows(
      list,
      members.map((member) => row(member, group)),
    )
  }

  return { element, show }
}
