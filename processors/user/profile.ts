/** A user's profile. What may stand in a field is checked at the edge. */
import { type CommandOf, type Decision, happened, reject } from '../processor.ts'

export function setProfile(command: CommandOf<'SetProfile'>): Decision {
  const { name, avatar, birthday, region, gender, custom } = command
  const fields = { name, avatar, birthday, region, gender, custom }
  if (Object.values(fields).every((value) => value === null)) return reject('no_change')
  return happened({ type: 'ProfileSet', ...fields })
}
