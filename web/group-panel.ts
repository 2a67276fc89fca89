/** A group: what it is, who is in it, and what one's role allows to change. */
import type { Group } from '../client/index.ts'
import { avatar, faceOf, faceVersion } from './avatar.ts'
import { conversationSection } from './conversation-section.ts'
import { confirmFirst } from './dialogs.ts'
import { attempt, el, iconButton, problemLine, type Row, showRows, textButton } from './dom.ts'
import { count, timeOf } from './format.ts'
import { showGroupForm } from './group-form.ts'
import { membersView } from './members-view.ts'
import { fact, type PanelContent, section, switchRow } from './panel.ts'
import type { Shell } from './shell.ts'
import type { Chat } from './state/chat.ts'
import { isAdmin } from './state/rights.ts'

const joinWords = {
  open: 'Anyone may join.',
  approval: 'Who asks is let in by an admin.',
  closed: 'One comes in by being added only.',
} as const

export function groupPanel(chat: Chat, shell: Shell, conversationId: string): PanelContent {
  const { client } = chat
  const state = chat.groupOf(conversationId)
  const about = el('div')
  const requests = el('div')
  const rules = el('div')
  const join = el('div')
  const leave = el('div')
  const problem = problemLine()
  const members = membersView(chat, shell, conversationId)
  const conversation = conversationSection(chat, conversationId)
  const element = el(
    'div',
    {},
    about,
    problem,
    join,
    requests,
    rules,
    conversation.element,
    members.element,
    leave,
  )

  function aboutRow(group: Group): Row {
    const conversation = chat.conversations.get(conversationId)
    const { avatar: picture, announcement } = group
    const face = { ...faceOf(chat, { ...conversation, avatar: picture }), title: group.name || 'Group' }
    const mayEdit = isAdmin(group) && !group.dissolved
    return {
      key: 'about',
      version: [
        ...faceVersion(face),
        announcement,
        group.memberCount,
        group.joinPolicy,
        group.dissolved,
        mayEdit,
      ],
      make() {
        const id = conversationId.slice('g:'.length)
        const members = count(group.memberCount, 'member')
        return el(
          'div',
          {},
          el(
            'div',
            { className: 'portrait' },
            avatar(face, 'large'),
            el('strong', { textContent: face.title }),
            el('span', {
              className: 'state',
              textContent: group.dissolved ? `${members} · dissolved` : members,
            }),
            mayEdit &&
              iconButton(
                'Edit group',
                'edit',
                () => showGroupForm(chat, conversationId, group),
                'round edit',
              ),
          ),
          announcement ? el('p', { className: 'announcement', textContent: announcement }) : null,
          section(null, el('dl', {}, fact('Group id', id), fact('Joining', joinWords[group.joinPolicy]))),
        )
      },
    }
  }

  /** For who is not in it. */
  function joinRow({ asked, joinPolicy, dissolved }: Group): Row {
    return {
      key: 'join',
      version: [asked, joinPolicy, dissolved],
      make() {
        const text = dissolved
          ? 'The group was dissolved.'
          : asked
            ? 'You asked to join; an admin has not answered yet.'
            : joinPolicy === 'closed'
              ? 'One comes into this group by being added only.'
              : ''
        if (text !== '') return el('p', { className: 'hint', textContent: text })
        const failed = problemLine()
        const note = el('input', { name: 'note', maxLength: 120, placeholder: 'A word to go with it' })
        const button = el('button', {
          type: 'submit',
          className: 'primary',
          textContent: joinPolicy === 'open' ? 'Join' : 'Ask to join',
        })
        const form = el('form', { className: 'join' }, joinPolicy === 'approval' && note, button, failed)
        form.onsubmit = async (event) => {
          event.preventDefault()
          const done = await attempt(
            () => client.requestJoin(conversationId, note.value.trim()),
            failed,
            button,
          )
          if (done && joinPolicy === 'open') chat.open(conversationId)
          state.read()
        }
        return form
      },
    }
  }

  function requestRow({ userId, note }: Group['requests'][number]): Row {
    const name = chat.people.nameOf(userId)
    return {
      key: userId,
      version: [name, note],
      make() {
        const failed = problemLine()
        const answer = (text: string, className: string, accept: boolean): HTMLElement => {
          const button = textButton(text, className, () => {
            void attempt(() => client.answerJoin(conversationId, userId, accept), failed, button)
          })
          return button
        }
        return el(
          'div',
          { className: 'notice', data: { request: userId } },
          el('p', { textContent: note === '' ? `${name} asks to join.` : `${name} asks to join: “${note}”` }),
          el(
            'div',
            { className: 'actions' },
            answer('Let in', 'primary', true),
            answer('Refuse', 'plain', false),
          ),
          failed,
        )
      },
    }
  }

  const muteAllRow = ({ allMuted }: Group): Row => ({
    key: 'mute-all',
    version: [allMuted],
    make() {
      const failed = problemLine()
      const act = async (on: boolean, input: HTMLInputElement): Promise<void> => {
        const done = await attempt(() => client.muteAll(conversationId, on), failed, input)
        if (!done) input.checked = allMuted
      }
      return section(
        null,
        switchRow('Only owner and admins may write', allMuted, (on, input) => void act(on, input)),
        failed,
      )
    },
  })

  const mutedRow = ({ mutedUntil }: Group): Row => ({
    key: 'muted',
    version: [mutedUntil],
    make: () => el('p', { className: 'hint', textContent: `You are muted until ${timeOf(mutedUntil)}.` }),
  })

  const leaveRow = ({ role }: Group): Row => ({
    key: 'leave',
    version: [role],
    make: () =>
      section(
        null,
        el(
          'div',
          { className: 'action-list' },
          role !== 'owner' &&
            textButton('Leave group', 'plain dangerous', () =>
              confirmFirst('Leave group', 'You get no more messages of it.', 'Leave', () =>
                client.leave(conversationId),
              ),
            ),
          role === 'owner' &&
            textButton('Dissolve group', 'plain dangerous', () =>
              confirmFirst(
                'Dissolve group',
                'Nobody can write in it any more. This cannot be taken back.',
                'Dissolve',
                () => client.dissolve(conversationId),
              ),
            ),
        ),
        role === 'owner' &&
          el('p', { className: 'hint', textContent: 'To leave, make another member the owner first.' }),
      ),
  })

  function show(): void {
    const group = state.group()
    problem.textContent = state.problem()
    conversation.show()
    const isMember = group !== null && group.role !== null
    const isLive = isMember && !group.dissolved
    const isMuted = isLive && group.mutedUntil > client.serverTime()
    showRows(about, group ? [aboutRow(group)] : [])
    showRows(join, group && !isMember && !chat.isObserved(conversationId) ? [joinRow(group)] : [])
    showRows(requests, isLive && isAdmin(group) ? group.requests.map(requestRow) : [])
    showRows(
      rules,
      isLive ? [...(isAdmin(group) ? [muteAllRow(group)] : []), ...(isMuted ? [mutedRow(group)] : [])] : [],
    )
    showRows(leave, isLive ? [leaveRow(group)] : [])
    members.element.hidden = !isMember
    if (group && isMember) members.show(group)
  }

  if (state.group() === null) state.read()
  return { key: `group ${conversationId}`, title: 'Group', element, show }
}
