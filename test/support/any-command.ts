/** Any command of a stream's kind, sensible or not: mostly such as may be taken where a few users share a small stream. */
import type { CommandPayload } from '../../schemas/records.ts'
import {
  addMembers,
  answerFriend,
  answerJoin,
  block,
  deleteFriend,
  dissolve,
  edit,
  markRead,
  mute,
  muteAll,
  observe,
  pin,
  react,
  recall,
  removeMembers,
  requestFriend,
  requestJoin,
  send,
  setGroup,
  setProfile,
  setRole,
  setSetting,
} from './commands.ts'
import type { Random } from './random.ts'

type Make = (random: Random, users: readonly string[], seqs: number, n: number) => CommandPayload

/** Mostly one of the newest seqs, seldom one beyond the ends. */
const seqOf = (random: Random, seqs: number) =>
  random.chance(0.2) ? random.int(seqs + 3) : Math.max(1, seqs - random.int(6))

const ofConversations: readonly Make[] = [
  (random, _, seqs, n) =>
    send(`m${n}`, {
      replyTo: random.chance(0.1) ? seqOf(random, seqs) : null,
      mentionAll: random.chance(0.2),
    }),
  (_, __, ___, n) => send(`m${n}`),
  (random, _, seqs) => recall(seqOf(random, seqs)),
  (random, _, seqs) => edit(seqOf(random, seqs), 'edited', null, { mentionAll: random.chance(0.2) }),
  (random, _, seqs) => react(seqOf(random, seqs), '👍', random.chance(0.7)),
  (random, _, seqs) => pin(seqOf(random, seqs), random.chance(0.7)),
  (random) => observe(random.chance(0.7)),
]

const ofChats: readonly Make[] = [
  () => requestFriend('hello'),
  (random) => answerFriend(random.chance(0.7)),
  () => deleteFriend(),
  (random) => block(random.chance(0.5)),
]

const ofGroups: readonly Make[] = [
  (random, users) => addMembers(random.pick(users), random.pick(users)),
  (random, users) => addMembers(random.pick(users)),
  (random, users) => removeMembers(random.pick(users), ...(random.chance(0.2) ? [random.pick(users)] : [])),
  (random, users) => setRole(random.pick(users), random.pick(['admin', 'admin', 'member', 'owner', 'king'])),
  (random, users) => mute(random.pick(users), random.pick([0, 40, 400])),
  (random) => muteAll(random.chance(0.3)),
  (random) =>
    setGroup({
      name: random.pick([null, 'new', '']),
      joinPolicy: random.pick([null, 'open', 'approval', 'closed']),
      addPolicy: random.pick([null, 'members', 'admins', 'nobody']),
    }),
  () => requestJoin('please'),
  (random, users) => answerJoin(random.pick(users), random.chance(0.7)),
]

const ofUsers: readonly Make[] = [
  (random, _, seqs) => {
    const seq = 1 + random.int(seqs + 3)
    return markRead(random.pick(['p2p:a:b', 'g:team']), seq, random.int(seq + 1))
  },
  (random, _, __, n) =>
    setSetting(random.pick(['pin:g:team', 'mute:g:team', 'own']), random.chance(0.7) ? `${n}` : null),
  (random, _, __, n) => setProfile({ name: random.pick([null, `name ${n}`]) }),
]

/** `seqs`: how many events the stream has about now; `n`: a number to tell contents apart. */
export function anyCommand(
  random: Random,
  stream: string,
  users: readonly string[],
  seqs: number,
  n: number,
): CommandPayload {
  if (random.chance(0.02)) return random.pick([send('?'), markRead('p2p:a:b', 1, 1), block(), muteAll()])
  const make = (from: readonly Make[]) => random.pick(from)(random, users, seqs, n)
  if (stream.startsWith('u:')) return make(ofUsers)
  if (random.chance(0.6)) return make(ofConversations)
  if (stream.startsWith('p2p:')) return make(ofChats)
  return random.chance(0.01) ? dissolve() : make(ofGroups)
}
