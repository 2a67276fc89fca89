/** Recalls, edits and reactions: by authors soon after sending, by those who lead a group, and while a device is away. */
import type { Message } from '../../../client/index.ts'
import type { Device, Placed } from './device.ts'
import type { Scene } from './traffic.ts'

const recallShare = 0.012
const editShare = 0.02
const recallByLeaderShare = 0.004
const reactShare = 0.008
const afterMs: [number, number] = [50, 2_000]
const samplesMax = 60
const livingShare = 0.02
const emoji = ['👍', '❤️', '🎉']

export interface MessageChanges {
  sent(device: Device, sent: Placed): void
  received(device: Device, message: Message): void
  /** A message that this device has seen last is changed. */
  whileAway(device: Device): Promise<unknown>
  samples(): readonly Placed[]
}

export function createMessageChanges(scene: Scene): MessageChanges {
  const { random } = scene
  /** What a device got last: from whom and where. */
  const last = new Map<string, Message>()
  const texts = new Map<string, Placed>()
  const samples = { recalled: [] as Placed[], edited: [] as Placed[], living: [] as Placed[] }
  const keep = (list: Placed[], placed: Placed | undefined) => {
    if (placed && list.length < samplesMax) list.push(placed)
  }
  const keyOf = (conv: string, seq: number) => `${conv} ${seq}`

  async function recall(by: Device, conv: string, seq: number): Promise<void> {
    const done = await by.command('recall', conv, (client) => client.recall(conv, seq))
    if (done) keep(samples.recalled, texts.get(keyOf(conv, seq)))
  }

  async function edit(by: Device, conv: string, seq: number): Promise<void> {
    const before = texts.get(keyOf(conv, seq))
    const named = random.next() < 0.5 ? { mentions: [random.pick(scene.users)] } : {}
    const now = await by.edit(conv, seq, named)
    if (!now) return
    keep(samples.edited, before)
    texts.set(keyOf(conv, seq), now)
  }

  const change = async (user: string, conv: string, seq: number, recalling: boolean): Promise<void> => {
    const by = scene.deviceOf(user)
    if (by) await (recalling ? recall(by, conv, seq) : edit(by, conv, seq))
  }

  return {
    sent(device, sent) {
      const { conversationId: conv, seq } = sent
      texts.set(keyOf(conv, seq), sent)
      if (random.next() < livingShare) keep(samples.living, sent)
      // Some are edited and then recalled.
      for (const [share, recalling] of [
        [editShare, false],
        [recallShare, true],
      ] as const)
        if (random.next() < share)
          scene.later(random.between(...afterMs), () => void change(device.user, conv, seq, recalling))
    },
    received(device, message) {
      const { conversationId: conv, seq } = message
      last.set(device.name, message)
      if (random.next() < reactShare) {
        const on = random.next() < 0.8
        const sign = random.pick(emoji)
        void device.command('react', conv, (client) => client.react(conv, seq, sign, on))
      }
      const group = scene.groups.find(({ id }) => id === conv)
      if (group?.leads(device.user) && random.next() < recallByLeaderShare)
        void change(device.user, conv, seq, true)
    },
    async whileAway(device) {
      const message = last.get(device.name)
      if (!message || message.senderId === device.user) return
      const { senderId, conversationId, seq } = message
      await change(senderId, conversationId, seq, random.next() < 0.6)
    },
    samples: () => [...samples.recalled, ...samples.edited, ...samples.living],
  }
}
