/** What the events of a user's own stream change in its state. What a released event does here never changes. */
import type { StreamEvent } from '../processor.ts'
import type { UserState } from '../state.ts'
import { settingBytes } from './settings.ts'

export function evolveUser(body: UserState, event: StreamEvent): void {
  if (event.type === 'ReadMarked')
    body.reads.set(event.conversationId, { seq: event.seq, ordinal: event.ordinal })
  else if (event.type === 'SettingSet') {
    body.settingsBytes -= body.settings.get(event.key) ?? 0
    if (event.value === null) body.settings.delete(event.key)
    else {
      const bytes = settingBytes(event.key, event.value)
      body.settings.set(event.key, bytes)
      body.settingsBytes += bytes
    }
  }
}
