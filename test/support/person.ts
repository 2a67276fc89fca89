/** Users of a platform as tests play them: a client each, with what it was told. */
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type Client,
  type ConnectOptions,
  type Conversation,
  connect,
  type EventName,
  type Handlers,
  type Message,
} from '../../client/index.ts'

type Told = { [E in EventName]: { readonly event: E; readonly value: Parameters<Handlers[E]>[0] } }[EventName]

export interface Person {
  readonly me: Client
  readonly user: string
  /** Messages in the order in which they were told. */
  readonly heard: Message[]
  /** Everything that was told, in order; states of the connection left out. */
  readonly told: Told[]
}

const events: readonly EventName[] = [
  ...([
    'message',
    'recalled',
    'edited',
    'reaction',
    'pinned',
    'group',
    'relation',
    'setting',
    'profile',
  ] as const),
  ...(['conversation', 'read', 'receipt', 'typing', 'presence', 'kicked'] as const),
]

/** Connects; `device` tells several of one user apart. */
export async function personOf(
  options: Pick<ConnectOptions, 'url' | 'token' | 'codec' | 'store'> & { user: string; device?: string },
): Promise<Person> {
  const { user, device = '1', ...rest } = options
  const heard: Message[] = []
  const told: Told[] = []
  const on = Object.fromEntries(
    events.map((event) => [
      event,
      (value: never) => {
        told.push({ event, value } as Told)
        if (event === 'message') heard.push(value)
      },
    ]),
  )
  const me = await connect({ ...rest, deviceId: `${user}-${device}`, deviceType: 'test', on })
  return { me, user, heard, told }
}

/** Values of one kind of event. */
export const toldOf = <E extends EventName>({ told }: Person, event: E): Parameters<Handlers[E]>[0][] =>
  told.flatMap((one) => (one.event === event ? [one.value as Parameters<Handlers[E]>[0]] : []))

export async function until(
  what: string,
  done: () => boolean | Promise<boolean>,
  seconds = 60,
): Promise<void> {
  const deadline = Date.now() + seconds * 1_000
  while (!(await done())) {
    if (Date.now() > deadline) throw new Error(`not within ${seconds} s: ${what}`)
    await sleep(50)
  }
}

export const textsOf = (messages: readonly Message[]): (string | null)[] =>
  messages.map(({ content }) => content?.text ?? null)

/** The whole history, by seq. */
export async function allOf(me: Client, conversationId: string): Promise<Message[]> {
  const all: Message[] = []
  for (let more = true; more; ) {
    const page = await me.history(conversationId, { before: all[0]?.seq, limit: 100 })
    all.unshift(...page.messages)
    more = page.more && page.messages.length > 0
  }
  return all
}

export async function listed({ me }: Person, conversationId: string): Promise<Conversation | undefined> {
  const list = await me.conversations()
  return list.find((one) => one.conversationId === conversationId)
}

export const closeAll = async (...people: readonly Person[]): Promise<void> =>
  void (await Promise.all(people.map(({ me }) => me.close())))
