/** Friends, blocks and settings: refusals are part of it, since the two sides act without asking each other. */
import type { Client, Sent } from '../../../client/index.ts'
import { pairOf } from './device.ts'
import { peerOf, type Scene } from './traffic.ts'

const everyMs = 900
const blockedForMs = 1_500

export function createPeopleChanges(scene: Scene): { everyMs: number; change(): void } {
  const { random, users } = scene
  type Call = (client: Client, peer: string) => Promise<Sent | null>
  const block: Call = (client, peer) => client.block(peer)
  const unblock: Call = (client, peer) => client.unblock(peer)
  const kinds: readonly (readonly [string, Call])[] = [
    ['requestFriend', (client, peer) => client.requestFriend(peer, 'hello')],
    ['requestFriend', (client, peer) => client.requestFriend(peer)],
    ['answerFriend', (client, peer) => client.answerFriend(peer, true)],
    ['answerFriend', (client, peer) => client.answerFriend(peer, random.next() < 0.7)],
    ['deleteFriend', (client, peer) => client.deleteFriend(peer)],
    ['block', block],
  ]
  const act = (user: string, peer: string, op: string, call: Call) =>
    void scene.deviceOf(user)?.command(op, pairOf(user, peer), (client) => call(client, peer))

  return {
    everyMs,
    change() {
      const user = random.pick(users)
      const peer = peerOf(random, users, user)
      const [op, call] = random.pick(kinds)
      act(user, peer, op, call)
      if (op === 'block') scene.later(blockedForMs, () => act(user, peer, 'unblock', unblock))
      const on = random.next() < 0.5
      void scene
        .deviceOf(user)
        ?.command('setting', `u:${user}`, (client) =>
          client.pinConversation(pairOf(user, peer), on).then(() => null),
        )
    },
  }
}
