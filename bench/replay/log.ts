/** A log as busy chats leave it: the events of groups and single chats, with reads, reactions, edits and recalls among them. */
import type { ContentSealer } from '../../projections/content-keys/follower.ts'
import { encodeEventPayload, sealEnvelope } from '../../schemas/codec.ts'
import { groupStream, p2pId, partitionOf, userStream } from '../../schemas/ids.ts'
import type { Appender } from '../../schemas/ports.ts'
import type { Envelope, EventPayload } from '../../schemas/records.ts'
import { topics } from '../../schemas/topics.ts'

const USERS = 2_000
const GROUPS = 300
const GROUP_MEMBERS = 20
const PAIRS = 4_000
const FIRST_MS = 1_800_000_000_000
const RECORDS_PER_REQUEST = 2_000
const TEXT_CHARS = 60

interface Message {
  readonly seq: number
  readonly ordinal: number
  readonly sender: string
  readonly time: number
  readonly packId: Buffer
}

interface Stream {
  readonly stream: string
  readonly partition: number
  readonly people: readonly string[]
  seq: number
  ordinal: number
  last: Message | null
}

export interface LogOptions {
  readonly appender: Appender
  readonly partitions: number
  readonly events: number
  /** Contents are written sealed; null: in clear. */
  readonly sealer: ContentSealer | null
  readonly progress: (done: number) => void
}

/** Answers how many records there are in all. */
export async function writeLog(options: LogOptions): Promise<number> {
  const { appender, partitions, events, sealer, progress } = options
  // The same log in every run (Numerical Recipes' generator).
  let state = 1
  const below = (n: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * n)
  }
  const user = (i: number): string => `user${i}`
  const sources = new Array<number>(partitions).fill(0)
  const waiting = Array.from({ length: partitions }, () => [] as { key: string; value: Buffer }[])
  let made = 0
  let written = 0

  async function flush(partition: number): Promise<void> {
    const records = waiting[partition] ?? []
    if (records.length === 0) return
    waiting[partition] = []
    await appender.appendBatch(topics.events, partition, records)
    written += records.length
    progress(written)
  }

  function put(partition: number, envelope: Omit<Envelope, 'generation' | 'time' | 'trace' | 'reply'>): void {
    const value = sealEnvelope({
      ...envelope,
      ...{ generation: 0, time: FIRST_MS + made * 20, trace: null, reply: null },
    })
    waiting[partition]?.push({ key: envelope.stream, value })
  }

  const contentOf = async (sender: string, packId: Buffer, content: Buffer) =>
    sealer ? await sealer.seal(sender, packId, content) : { keyId: null, content }

  async function say(of: Stream, sender: string, payload: object, content?: Buffer): Promise<Message> {
    const packId = Buffer.alloc(16)
    packId.writeUIntBE(FIRST_MS + made * 20, 0, 6)
    packId.writeUInt32BE(made, 12)
    const event = {
      ...{ packId, sender, device: 'bench', bodyHash: 0, ...payload },
      ...(content ? await contentOf(sender, packId, content) : {}),
    } as unknown as EventPayload
    of.seq++
    if (event.type === 'MessageSent') of.ordinal++
    const { stream, partition, seq, ordinal } = of
    const source = sources[partition] ?? 0
    sources[partition] = source + 1
    put(partition, { kind: 'event', epoch: 0, source, stream, seq, ordinal, ...encodeEventPayload(event) })
    made++
    if ((waiting[partition]?.length ?? 0) >= RECORDS_PER_REQUEST) await flush(partition)
    return { seq, ordinal, sender, packId, time: FIRST_MS + made * 20 }
  }

  for (let partition = 0; partition < partitions; partition++) {
    const claim = {
      type: 'Claim',
      packId: Buffer.alloc(16),
      sender: '',
      device: '',
      bodyHash: 0,
      owner: 'bench',
    }
    const payload = encodeEventPayload(claim as unknown as EventPayload)
    put(partition, { kind: 'claim', epoch: -1, source: 0, stream: '', seq: 0, ordinal: 0, ...payload })
  }
  const open = (stream: string, people: readonly string[]): Stream => ({
    ...{ stream, people, partition: partitionOf(stream, partitions) },
    ...{ seq: 0, ordinal: 0, last: null },
  })
  const groups = Array.from({ length: GROUPS }, (_, i) =>
    open(
      groupStream(`group${i}`),
      Array.from({ length: GROUP_MEMBERS }, (_, at) => user((i * 7 + at * 31) % USERS)),
    ),
  )
  const pairs: Stream[] = []
  const known = new Set<string>()
  // Two streams of one id would give its seqs twice, which no log does.
  for (let i = 0; pairs.length < PAIRS; i++) {
    const [a, b] = [user(i % USERS), user((i * 17 + 1 + Math.floor(i / USERS)) % USERS)]
    const id = p2pId(a, b)
    if (known.has(id)) continue
    known.add(id)
    pairs.push(open(id, [a, b]))
  }
  const own = Array.from({ length: USERS }, (_, i) => open(userStream(user(i)), [user(i)]))
  for (const group of groups)
    await say(group, group.people[0] ?? '', {
      type: 'GroupCreated',
      name: 'a group',
      members: [...group.people],
    })

  while (made < events) {
    // Few are busy, many are quiet.
    const among = below(100) < 60 ? groups : pairs
    const of = among[Math.floor((below(1_000_000) / 1_000_000) ** 2 * among.length)] as Stream
    const who = of.people[below(of.people.length)] ?? ''
    const { last } = of
    const dice = last === null ? 0 : below(100)
    if (dice < 74)
      of.last = await say(
        of,
        who,
        {
          ...{ type: 'MessageSent', contentType: 'text', replyTo: null, mentionAll: false },
          mentions: below(20) === 0 ? [of.people[0] ?? ''] : [],
        },
        textOf(made),
      )
    else if (dice < 90)
      await say(own[Number(who.slice(4))] as Stream, who, {
        ...{ type: 'ReadMarked', conversationId: of.stream, seq: last?.seq, ordinal: last?.ordinal },
      })
    else if (dice < 95) await say(of, who, { type: 'Reacted', target: last, emoji: '👍', on: true })
    else if (dice < 98)
      await say(
        of,
        last?.sender ?? '',
        { type: 'MessageEdited', target: last, contentType: 'text', mentions: [], mentionAll: false },
        textOf(made),
      )
    else await say(of, last?.sender ?? '', { type: 'MessageRecalled', target: last })
  }
  for (let partition = 0; partition < partitions; partition++) await flush(partition)
  return written
}

const textOf = (n: number): Buffer =>
  Buffer.from(JSON.stringify({ text: `message ${n} `.padEnd(TEXT_CHARS, 'what is said in a chat ') }))
