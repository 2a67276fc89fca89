/** One transport's performance: four users who never met, their connections, and how to speak of what was seen without naming them. */
import { randomBytes } from 'node:crypto'
import { itemOf, type Line, openLine } from './line.ts'
import type { Frame, Wire } from './wires/wire.ts'

export const roles = ['alice', 'bob', 'carol', 'dave'] as const
export type Role = (typeof roles)[number]

export interface Member {
  readonly userId: string
  readonly token: string
}

export interface Stage {
  readonly transport: string
  idOf(role: Role): string
  tokenOf(role: Role): string
  /** A connection that has not logged in. */
  bare(): Promise<Line>
  /** A connection with its login answered by welcome. */
  online(role: Role, device?: string): Promise<Line>
  /** The connection that a role has for the whole performance; opened when first asked for. */
  line(role: Role): Promise<Line>
  newPackId(): string
  /** Until it is committed or rejected for good. */
  tell(line: Line, command: Frame, packId?: string): Promise<Frame>
  /** Until it is answered in full. `fits`: and says what it must. */
  ask(line: Line, request: Frame, fits?: (answer: Frame) => boolean): Promise<Frame>
  /** Tells, waits until each of `to` has the event, and speaks of both. */
  act(line: Line, command: Frame, to: readonly Line[]): Promise<{ answer: Frame; seen: unknown }>
  /** What two transports must agree on: no time, no generated name. */
  plain(value: unknown): unknown
  /** What later cases need of earlier ones. */
  readonly notes: Map<string, string | number>
  note<T extends string | number>(name: string): T
  close(): void
}

export const fail = (why: string): never => {
  throw new Error(why)
}
export function check(holds: boolean, why: string): void {
  if (!holds) fail(why)
}

const patient = new Set(['unavailable', 'overloaded', 'rate_limited'])
const ASK_MS_MAX = 20_000
const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Different in each run: clocks, and what is drawn by chance. */
const volatile = new Set([
  ...[
    'time',
    'serverTime',
    'lastTime',
    'loginAt',
    'until',
    'connectionId',
    'gatewayId',
    'packId',
    'id',
    'message',
  ],
  ...['retryAfterMs', 'reconnectAfterMs', 'heartbeatMs', 'version'],
])

export function createStage(wire: Wire, members: Readonly<Record<Role, Member>>): Stage {
  const lines: Line[] = []
  const kept = new Map<Role, Promise<Line>>()
  const groups: string[] = []
  const notes = new Map<string, string | number>()
  let offsetMs = 0
  let lastId = 0

  async function bare(): Promise<Line> {
    const line = await openLine(wire)
    lines.push(line)
    return line
  }

  async function online(role: Role, device = 'd1'): Promise<Line> {
    const line = await bare()
    line.send(loginOf(stage.tokenOf(role), device))
    const answer = await line.next('welcome', ({ type }) => type === 'welcome' || type === 'bye')
    if (answer.type === 'bye') fail(`the login of ${role} was refused: ${String(answer.code)}`)
    offsetMs = (answer.serverTime as number) - Date.now()
    return line
  }

  function newPackId(): string {
    const bytes = randomBytes(16)
    bytes.writeUIntBE(Date.now() + offsetMs, 0, 6)
    bytes[6] = 0x70 | ((bytes[6] as number) & 0x0f)
    bytes[8] = 0x80 | ((bytes[8] as number) & 0x3f)
    return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
  }

  async function tell(line: Line, command: Frame, packId = newPackId()): Promise<Frame> {
    for (;;) {
      line.send({ ...command, packId })
      const answer = await line.next(
        `answer to ${command.type}`,
        (frame) => (frame.type === 'committed' || frame.type === 'rejected') && frame.packId === packId,
      )
      line.taken((frame) => frame.type === 'accepted' && frame.packId === packId)
      if (answer.type === 'committed' || !patient.has(String(answer.code))) {
        const { conversationId } = answer
        if (
          typeof conversationId === 'string' &&
          conversationId.startsWith('g:') &&
          !groups.includes(conversationId)
        )
          groups.push(conversationId)
        return answer
      }
      await wait(Number(answer.retryAfterMs ?? 200))
    }
  }

  async function ask(
    line: Line,
    request: Frame,
    fits: (answer: Frame) => boolean = () => true,
  ): Promise<Frame> {
    const end = Date.now() + ASK_MS_MAX
    for (;;) {
      const id = ++lastId
      line.send({ ...request, id })
      const answer = await line.next(`answer to ${request.type}`, (frame) => frame.id === id)
      const trails = answer.partial === true || (answer.type === 'error' && patient.has(String(answer.code)))
      if (!trails && fits(answer)) return answer
      if (Date.now() > end) return fail(`${request.type} is answered ${JSON.stringify(stage.plain(answer))}`)
      await wait(50)
    }
  }

  function plain(value: unknown): unknown {
    if (Array.isArray(value)) return value.map(plain)
    if (typeof value === 'object' && value !== null && !Buffer.isBuffer(value))
      return Object.fromEntries(
        Object.entries(value)
          .filter(([name]) => !volatile.has(name))
          .map(([name, inner]) => [name, plain(inner)])
          .sort(([a], [b]) => (String(a) < String(b) ? -1 : 1)),
      )
    if (typeof value !== 'string') return value
    let text = value
    for (const role of roles) text = text.replaceAll(members[role].userId, role)
    for (const name of ['other room', 'room']) {
      const room = notes.get(name)
      if (typeof room === 'string') text = text.replaceAll(room, name)
    }
    for (const [i, group] of groups.entries()) text = text.replaceAll(group, `g:${i + 1}`)
    return text
  }

  const stage: Stage = {
    transport: wire.name,
    idOf: (role) => members[role].userId,
    tokenOf: (role) => members[role].token,
    bare,
    online,
    line(role) {
      const line = kept.get(role) ?? online(role)
      kept.set(role, line)
      return line
    },
    newPackId,
    tell,
    ask,
    async act(line, command, to) {
      const answer = await tell(line, command)
      if (answer.type === 'rejected') return fail(`${command.type} was rejected: ${String(answer.code)}`)
      const told = await Promise.all(
        to.map((other) =>
          other.next(`event ${answer.seq} of ${command.type}`, (frame) => {
            if (frame.type !== 'event') return false
            const { conversationId, seq } = itemOf(frame)
            return conversationId === answer.conversationId && seq === answer.seq
          }),
        ),
      )
      return { answer, seen: plain({ answer, told }) }
    },
    plain,
    notes,
    note: (name) => (notes.get(name) ?? fail(`an earlier case left no ${name}`)) as never,
    close() {
      for (const line of lines) if (!line.isOver()) line.close()
    },
  }
  return stage
}

export const loginOf = (token: string, deviceId = 'd1', deviceType = 'conformance'): Frame => ({
  type: 'login',
  token,
  deviceId,
  deviceType,
  protocol: 1,
})

export const textOf = (text: string) => ({
  contentType: 'text',
  content: { text },
  mentions: [],
  mentionAll: false,
})
