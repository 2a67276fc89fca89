/** Connections of a gateway without a transport: for tests of what lies behind it. */
import type { Connection, Connections, Socket } from '../../gateway/connections.ts'
import { frameCodecs } from '../../gateway/frames/codecs.ts'
import type { Right } from '../../gateway/tokens/verdict.ts'
import type { OnlineEntry } from '../../processors/fanout/ports.ts'

export type Phase = Connection['session']['phase']

/** Only the phase of a session and its rights matter to what is not the session. */
export const session = (phase: Phase, rights: readonly Right[] = []) =>
  ({ phase, rights }) as unknown as Connection['session']

const deaf: Socket = {
  send: () => true,
  cork: (fn) => fn(),
  buffered: () => 0,
  entered() {},
  end() {},
}
let made = 0

/** A connection of this user, logged in unless told otherwise. */
export function connect(
  connections: Pick<Connections, 'add' | 'bind'>,
  user: string,
  part: {
    phase?: Phase
    rights?: readonly Right[]
    socket?: Partial<Socket>
    entry?: Partial<OnlineEntry>
  } = {},
): Connection {
  const id = `${user}-${made++}`
  const connection: Connection = {
    id,
    codec: frameCodecs.json,
    origin: { address: '127.0.0.1', transport: 'ws' },
    socket: { ...deaf, ...part.socket },
    session: session(part.phase ?? 'open', part.rights),
    user: null,
    push: null,
    out: null,
    entry: {
      gateway: 'g1',
      boot: 'b1',
      connection: id,
      deviceId: 'd',
      deviceType: 'test',
      loginAt: 0,
      expiresAt: Number.MAX_SAFE_INTEGER,
      ...part.entry,
    },
    heartbeatMs: 0,
    registered: false,
    resyncIn: 0,
    typedAt: null,
    presence: null,
    room: null,
  }
  connections.add(connection)
  connections.bind(connection, user)
  return connection
}
