/** Things to send besides text. Addresses only: what stands there is looked at here first, for its size and length. */
import type { Content } from '../client/index.ts'
import { webUrl } from './avatar.ts'
import { field, idInput, onSubmit, openDialog } from './dialogs.ts'
import { el } from './dom.ts'
import { showMenu } from './menu.ts'
import type { Chat } from './state/chat.ts'

type Send = (content: Content) => void

export function showAttachMenu(anchor: HTMLElement, chat: Chat, send: Send): void {
  showMenu(anchor, [
    { text: 'Picture', icon: 'image', act: () => askMedia('Picture', send, pictureAt) },
    { text: 'Voice message', icon: 'voice', act: () => askMedia('Voice message', send, voiceAt) },
    { text: 'Video', icon: 'video', act: () => askMedia('Video', send, videoAt) },
    { text: 'File', icon: 'file', act: () => askFile(send) },
    { text: 'Location', icon: 'place', act: () => askLocation(send) },
    { text: 'Contact', icon: 'person', act: () => askCard(chat, send) },
  ])
}

const LOAD_MS_MAX = 15_000

const urlInput = (): HTMLInputElement =>
  el('input', { name: 'url', type: 'url', required: true, placeholder: 'https://…', autocomplete: 'off' })

function addressOf(input: HTMLInputElement): string {
  const url = webUrl(input.value.trim())
  if (url === null) throw new Error('An address begins with https:// or http://.')
  return url
}

function askMedia(title: string, send: Send, look: (url: string) => Promise<Content>): void {
  const input = urlInput()
  const dialog = openDialog(title, 'Send', field('Address', input))
  onSubmit(dialog, async () => send(await look(addressOf(input))))
}

/** Resolves when the element knows what stands at its address. */
function loaded<E extends HTMLElement>(element: E, event: string, what: string): Promise<E> {
  return new Promise((resolve, reject) => {
    const fail = (): void => reject(new Error(`There is no ${what} at this address that can be shown.`))
    const timer = setTimeout(fail, LOAD_MS_MAX)
    element.addEventListener(event, () => {
      clearTimeout(timer)
      resolve(element)
    })
    element.addEventListener('error', () => {
      clearTimeout(timer)
      fail()
    })
  })
}

async function pictureAt(url: string): Promise<Content> {
  const image = el('img', { referrerPolicy: 'no-referrer' })
  const ready = loaded(image, 'load', 'picture')
  image.src = url
  await ready
  return { type: 'image', url, width: image.naturalWidth || 1, height: image.naturalHeight || 1, size: 0 }
}
const millis = (seconds: number): number => (Number.isFinite(seconds) ? Math.round(seconds * 1_000) : 0)

async function voiceAt(url: string): Promise<Content> {
  const audio = el('audio', { preload: 'metadata', src: url })
  await loaded(audio, 'loadedmetadata', 'sound')
  return { type: 'voice', url, durationMs: millis(audio.duration), size: 0 }
}
async function videoAt(url: string): Promise<Content> {
  const video = el('video', { preload: 'metadata', src: url })
  await loaded(video, 'loadedmetadata', 'video')
  const { videoWidth, videoHeight, duration } = video
  const extent = { width: videoWidth || 1, height: videoHeight || 1 }
  return { type: 'video', url, durationMs: millis(duration), ...extent, size: 0 }
}

function askFile(send: Send): void {
  const input = urlInput()
  const name = el('input', { name: 'name', maxLength: 120, autocomplete: 'off' })
  const dialog = openDialog(
    'File',
    'Send',
    field('Address', input),
    field('Name', name, 'Empty: as in the address.'),
  )
  onSubmit(dialog, () => {
    const url = addressOf(input)
    const last = new URL(url).pathname.split('/').at(-1)
    send({ type: 'file', url, name: name.value.trim() || last || 'File', size: 0 })
  })
}

function askLocation(send: Send): void {
  const number = (label: string, max: number): HTMLInputElement =>
    el('input', {
      name: label,
      type: 'number',
      step: 'any',
      required: true,
      min: String(-max),
      max: String(max),
    })
  const latitude = number('latitude', 90)
  const longitude = number('longitude', 180)
  const name = el('input', { name: 'name', maxLength: 80, autocomplete: 'off' })
  const dialog = openDialog(
    'Location',
    'Send',
    field('Name', name),
    el('div', { className: 'pair' }, field('Latitude', latitude), field('Longitude', longitude)),
  )
  onSubmit(dialog, () => {
    const place = { latitude: latitude.valueAsNumber, longitude: longitude.valueAsNumber }
    send({ type: 'location', ...place, ...(name.value.trim() === '' ? {} : { name: name.value.trim() }) })
  })
}

function askCard(chat: Chat, send: Send): void {
  const input = idInput('user')
  const friends = el('datalist', { id: 'card-people' })
  friends.append(...chat.people.relations().map(({ userId }) => el('option', { value: userId })))
  input.setAttribute('list', friends.id)
  const dialog = openDialog('Contact', 'Send', field('User id', input), friends)
  onSubmit(dialog, () => {
    const userId = input.value.trim()
    const name = chat.people.profile(userId)?.name
    send({ type: 'card', userId, ...(name ? { name } : {}) })
  })
}
