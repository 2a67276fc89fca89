/** Writes im.events as sequencers do, with the real rules, and with what a real log also holds: new claims, stale and doubled records. */
import type { MemoryBroker } from '../../../infra/memory/broker.ts'
import { decide } from '../../../processors/decide.ts'
import { emptyFold, evolveInto, type Fold, streamIn } from '../../../processors/fold.ts'
import { answerCommand } from '../../../processors/write.ts'
import { encodeEventPayload, sealEnvelope } from '../../../schemas/codec.ts'
import { groupStream, newGroupId, p2pId, partitionOf, userStream } from '../../../schemas/ids.ts'
import type { CommandPayload, Envelope } from '../../../schemas/records.ts'
import { topics } from '../../../schemas/topics.ts'
import {
  addMembers,
  answerFriend,
  answerJoin,
  block,
  commandOf,
  commandRecord,
  create,
  deleteFriend,
  dissolve,
  edit,
  markRead,
  mute,
  muteAll,
  observe,
  packId,
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
  T0,
} from '../commands.ts'
import type { Random } from '../random.ts'
import type { PlainModel } from './plain-model.ts'

interface Partition {
  readonly fold: Fold
  epoch: number
  source: number
  readonly written: Envelope[]
}

export interface LogWriter {
  say(stream: string, sender: string, payload: CommandPayload): Envelope
  /** An accepted event that nobody can decode. */
  poison(stream: string): void
  claim(partition: number): void
  /** A record of a lost claim or a doubled one: readers must drop it. */
  noise(partition: number): void
  /** One random thing that people or sequencers do. */
  step(): void
}

export function logWriter(
  broker: MemoryBroker,
  partitions: number,
  random: Random,
  model: PlainModel,
): LogWriter {
  const all = Array.from(
    { length: partitions },
    (): Partition => ({ fold: emptyFold(), epoch: -1, source: 0, written: [] }),
  )
  const users = ['ann', 'bob', 'cid', 'dee', 'eve']
  const groups: string[] = []
  let now = T0
  let n = 0
  const at = (partition: number): Partition => all[partition] as Partition
  const append = (partition: number, envelope: Envelope): number =>
    broker.append(topics.events, partition, [{ key: envelope.stream, value: sealEnvelope(envelope) }], now)

  const writer: LogWriter = {
    say: (stream, sender, payload) => sayAs(stream, sender, payload, packId(now + 1, n + 1)),
    poison(stream) {
      const partition = partitionOf(stream, partitions)
      const of = at(partition)
      const state = streamIn(of.fold.streams, stream)
      if (!state || state.seq === 0) return
      state.seq++
      const last = of.written.at(-1) as Envelope
      const envelope: Envelope = {
        ...last,
        kind: 'event',
        epoch: of.epoch,
        source: of.source++,
        stream,
        seq: state.seq,
        ordinal: state.ordinal,
        schema: Buffer.from('no-such-'),
        payload: Buffer.from('?'),
      }
      append(partition, envelope)
      model.apply(envelope, null)
    },
    claim(partition) {
      const of = at(partition)
      const claim = encodeEventPayload({
        type: 'Claim',
        packId: Buffer.alloc(16),
        sender: '',
        device: '',
        bodyHash: 0,
        owner: 'test',
      } as never)
      of.epoch = append(partition, {
        kind: 'claim',
        generation: 0,
        epoch: -1,
        source: 0,
        stream: '',
        seq: 0,
        ordinal: 0,
        time: now,
        trace: null,
        reply: null,
        ...claim,
      })
    },
    noise(partition) {
      const of = at(partition)
      if (of.written.length === 0) return
      const old = random.pick(of.written)
      const stale = { ...old, epoch: Math.max(0, of.epoch - 1), source: of.source, seq: old.seq + 1 }
      append(partition, of.epoch > 0 && random.chance(0.5) ? stale : old)
    },
    step() {
      const user = random.pick(users)
      const other = random.pick(users)
      const p2p = p2pId(user, other)
      const group =
        groups.length > 0 ? (random.chance(0.6) ? (groups[0] as string) : random.pick(groups)) : null
      if ((groups.length < 3 && random.chance(0.03)) || group === null) return found(user)
      const stream = random.chance(0.7) ? group : p2p
      const dice = random.int(100)
      if (dice < 63) talk(stream, user, other)
      else if (dice < 72) relate(p2p, user)
      else if (dice < 87) govern(group, user, other)
      else if (dice < 91) arrange(stream, user, other)
      else if (dice < 94)
        writer.say(
          random.chance(0.5) ? group : p2pId(random.pick(users), other),
          user,
          observe(random.chance(0.6)),
        )
      else if (dice < 97) writer.poison(stream)
      else if (dice < 98) writer.claim(random.int(partitions))
      else writer.noise(random.int(partitions))
    },
  }

  /** A new group of some, with its creator. */
  function found(user: string): void {
    const id = packId(now + 1, n + 1)
    const stream = groupStream(newGroupId(user, id))
    const payload = create(`group ${n}`, ...users.filter(() => random.chance(0.5)))
    if (sayAs(stream, user, payload, id).kind === 'event') groups.push(stream)
  }

  /** Messages, and what is done to them. */
  function talk(stream: string, user: string, other: string): void {
    const items = model.items(stream)
    // Mostly the newest, sometimes what the timeline no longer holds.
    const back = random.int(random.chance(0.3) ? items.length + 1 : 12)
    const someSeq = Math.max(1, items.length - back)
    const item = items[someSeq - 1]
    const named = { mentions: random.chance(0.2) ? [other] : [], mentionAll: random.chance(0.05) }
    const dice = random.int(100)
    if (dice < 52) {
      const replyTo = random.chance(0.2) ? someSeq : null
      writer.say(stream, user, send(`"${n}" \\ 你好`, { ...named, replyTo }))
    } else if (dice < 64)
      writer.say(stream, item?.senderId || user, edit(someSeq, `edited ${n}`, null, named))
    else if (dice < 70) writer.say(stream, item?.senderId || user, recall(someSeq))
    else if (dice < 82)
      writer.say(stream, user, react(someSeq, random.pick(['👍', '🎉', ':a:b:']), random.chance(0.7)))
    else if (dice < 86) writer.say(stream, user, pin(someSeq, random.chance(0.7)))
    else if (item && item.kind !== 'hidden')
      writer.say(userStream(user), user, markRead(stream, item.seq, item.ordinal))
  }

  function relate(p2p: string, user: string): void {
    const payloads = [
      requestFriend(random.chance(0.5) ? `it is ${user}` : ''),
      answerFriend(random.chance(0.6)),
      deleteFriend(),
      block(random.chance(0.4)),
      block(false),
    ]
    writer.say(p2p, user, random.pick(payloads))
  }

  function govern(group: string, user: string, other: string): void {
    const owner = model.members(group).find(({ role }) => role === 'owner')?.userId ?? user
    const by = random.chance(0.7) ? owner : user
    // The first group stays.
    if (group !== groups[0] && random.chance(0.02)) writer.say(group, owner, dissolve())
    const payloads = [
      addMembers(other),
      addMembers(other),
      removeMembers(other),
      removeMembers(by),
      requestJoin(`${user} asks`),
      requestJoin(''),
      answerJoin(other, random.chance(0.6)),
      setRole(other, random.pick(['owner', 'admin', 'admin', 'member'])),
      mute(other, random.chance(0.5) ? 0 : 60_000),
      muteAll(random.chance(0.3)),
      muteAll(false),
      setGroup({ joinPolicy: random.pick(['open', 'approval', 'approval', 'approval', 'closed']) }),
      setGroup({ name: `named ${n}`, addPolicy: random.pick(['members', 'members', 'admins']) }),
      setGroup({ avatar: `${n}.png`, announcement: random.chance(0.5) ? `news ${n}` : null }),
    ]
    const payload = random.pick(payloads)
    if (payload.type !== 'RequestJoin') writer.say(group, by, payload)
    else if (writer.say(group, other, payload).kind === 'event' && random.chance(0.5))
      writer.say(group, owner, answerJoin(other, random.chance(0.6)))
  }

  /** One's own settings and profile. */
  function arrange(stream: string, user: string, other: string): void {
    const lastSeq = model.items(stream).length
    const payloads = [
      setSetting(`pin:${stream}`, random.chance(0.6) ? '1' : null),
      setSetting(`mute:${stream}`, random.chance(0.6) ? '1' : null),
      setSetting(`draft:${stream}`, random.chance(0.6) ? `draft ${n}` : null),
      setSetting(`deleted:${stream}`, random.chance(0.6) ? String(lastSeq) : null),
      setSetting(`remark:${other}`, random.chance(0.6) ? `my ${other}` : null),
      setSetting('theme', `dark;${n}`),
      setProfile({ name: `${user} ${n}`, birthday: '2000-02-29' }),
      setProfile({ region: `r${n}`, custom: '{"a":1}' }),
    ]
    writer.say(userStream(user), user, random.pick(payloads))
  }

  function sayAs(stream: string, sender: string, payload: CommandPayload, id: Buffer): Envelope {
    const partition = partitionOf(stream, partitions)
    const of = at(partition)
    now += 1 + random.int(20)
    n += 1
    const written = answerCommand(
      { generation: 0, epoch: of.epoch, now, decide, stateOf: (name) => streamIn(of.fold.streams, name) },
      commandRecord(of.source++, now, commandOf(stream, sender, id, payload)),
    )
    evolveInto(of.fold, written.envelope, written.payload)
    append(partition, written.envelope)
    of.written.push(written.envelope)
    if (written.envelope.kind === 'event') model.apply(written.envelope, written.payload)
    return written.envelope
  }

  for (let partition = 0; partition < partitions; partition++) writer.claim(partition)
  return writer
}
