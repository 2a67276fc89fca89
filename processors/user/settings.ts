/** A user's settings, the same on all devices. Values are the clients' own; the fold knows only which keys are set, and their sizes. */
import { limits } from '../../schemas/limits.ts'
import { type CommandOf, type Decision, happened, reject } from '../processor.ts'
import type { UserState } from '../state.ts'

const KEY = new RegExp(`^[A-Za-z0-9_.:-]{1,${limits.settingKeyBytesMax}}$`)

export const settingBytes = (key: string, value: string): number =>
  Buffer.byteLength(key, 'utf8') + Buffer.byteLength(value, 'utf8')

export function setSetting(body: UserState, { key, value }: CommandOf<'SetSetting'>): Decision {
  if (!KEY.test(key)) return reject('bad_content')
  const known = body.settings.get(key)
  if (value === null)
    return known === undefined ? reject('no_change') : happened({ type: 'SettingSet', key, value })
  if (Buffer.byteLength(value, 'utf8') > limits.settingValueBytesMax) return reject('content_too_large')
  if (known === undefined && body.settings.size >= limits.settingsPerUserMax) return reject('too_many')
  const bytes = body.settingsBytes - (known ?? 0) + settingBytes(key, value)
  if (bytes > limits.settingsBytesPerUserMax) return reject('too_many')
  return happened({ type: 'SettingSet', key, value })
}
