/** One's own profile. */
import type { ProfileFields } from '../client/index.ts'
import { field, onSubmit, openDialog } from './dialogs.ts'
import { el } from './dom.ts'
import type { Chat } from './state/chat.ts'

export function showProfile(chat: Chat): void {
  const { client, people } = chat
  const profile = people.profile(client.userId)
  const text = (name: 'name' | 'avatar' | 'region' | 'gender', placeholder = ''): HTMLInputElement =>
    el('input', { name, maxLength: 250, value: profile?.[name] ?? '', placeholder, autocomplete: 'off' })
  const name = text('name', client.userId)
  const avatar = text('avatar', 'https://…')
  const birthday = el('input', { name: 'birthday', type: 'date', value: profile?.birthday ?? '' })
  const region = text('region')
  const gender = text('gender')
  const dialog = openDialog(
    'Your profile',
    'Save',
    el('p', { className: 'hint', textContent: `You are ${client.userId}.` }),
    field('Name', name),
    field('Picture (address)', avatar),
    el('div', { className: 'pair' }, field('Birthday', birthday), field('Gender', gender)),
    field('Region', region),
  )
  onSubmit(dialog, async () => {
    const wanted: Partial<ProfileFields> = {
      name: name.value.trim(),
      avatar: avatar.value.trim(),
      birthday: birthday.value,
      region: region.value.trim(),
      gender: gender.value.trim(),
    }
    const changes = Object.fromEntries(
      Object.entries(wanted).filter(
        ([key, value]) => value !== (profile?.[key as keyof ProfileFields] ?? ''),
      ),
    )
    if (Object.keys(changes).length > 0) await client.setProfile(changes)
  })
}
