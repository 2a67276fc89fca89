/** What owner and admins change of a group. */
import type { AddPolicy, Group, GroupSettings, JoinPolicy } from '../client/index.ts'
import { field, onSubmit, openDialog, select } from './dialogs.ts'
import { el } from './dom.ts'
import type { Chat } from './state/chat.ts'

const joinChoices = {
  open: 'Anyone',
  approval: 'Who is let in by an admin',
  closed: 'Only who is added',
} as const
const addChoices = { members: 'All members', admins: 'Owner and admins' } as const

export function showGroupForm(chat: Chat, conversationId: string, group: Group): void {
  const name = el('input', { name: 'name', required: true, maxLength: 80, value: group.name })
  const avatar = el('input', { name: 'avatar', value: group.avatar ?? '', placeholder: 'https://…' })
  const announcement = el('textarea', {
    name: 'announcement',
    rows: 3,
    maxLength: 1_000,
    value: group.announcement ?? '',
  })
  const join = select<JoinPolicy>('joinPolicy', group.joinPolicy, joinChoices)
  const add = select<AddPolicy>('addPolicy', group.addPolicy, addChoices)
  const dialog = openDialog(
    'Edit group',
    'Save',
    field('Name', name),
    field('Picture (address)', avatar),
    field('Announcement', announcement),
    field('Who may join', join),
    field('Who may add members', add),
  )
  onSubmit(dialog, async () => {
    const wanted: GroupSettings = {
      name: name.value.trim(),
      avatar: avatar.value.trim(),
      announcement: announcement.value.trim(),
      joinPolicy: join.value as JoinPolicy,
      addPolicy: add.value as AddPolicy,
    }
    const changes = Object.fromEntries(
      Object.entries(wanted).filter(([key, value]) => value !== (group[key as keyof Group] ?? '')),
    )
    if (Object.keys(changes).length > 0) await chat.client.setGroup(conversationId, changes)
  })
}
