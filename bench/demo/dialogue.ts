/** What is played when no file is given: two minutes in which the parts of the system talk about their work. */
import type { Line } from './parse.ts'

const spoken: readonly (readonly [string, string])[] = [
  ['gateway', 'Somebody pressed send. I have appended it to im.commands.'],
  ['broker', 'Written, and every replica that must have it has it.'],
  ['gateway', 'Then I tell the sender: accepted. It cannot be lost any more.'],
  ['sequencer', 'It gets number 42. There is a 41 before it, and there will be a 43.'],
  ['auditor', 'sequencer: what if you are killed right now?'],
  ['sequencer', 'auditor: then another one claims my partition, reads what I wrote, and goes on at 43.'],
  ['auditor', 'sequencer: and if you wake up again and still believe that it is yours?'],
  ['fanout', 'Then nobody listens. Its claim is older, all readers drop what it writes.'],
  ['fanout', 'I know who is a member, the online map knows who is where: this one goes to one gateway.'],
  ['redis', 'I only remember what can be computed again.'],
  ['gateway', 'Pushed to five sockets. I keep it until each of them has said that it is stored.'],
  ['client', 'Got 43, but I hold only 41. I keep it and ask for 42.'],
  ['timeline', 'client: here is 42. Nothing is between them.'],
  ['client', 'Shown, in order, once. Though it came twice.'],
  ['archive', 'Kept with its original bytes, for those who ask in SQL.'],
  ['auditor', 'archive: so how many were lost?'],
  ['archive', 'auditor: count mine, count theirs. See the table below.'],
]

export const dialogue: readonly Line[] = spoken.map(([nick, text], i) => ({
  kind: 'said',
  minute: Math.floor((i * 2) / spoken.length),
  nick,
  text,
  action: false,
}))
