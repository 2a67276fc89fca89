/**
 * The shell around sessions: turns what transports, timers and answers bring into inputs, and effects into calls. Every
 * await ends in an input, and a session that closed meanwhile takes none: nothing here touches a socket after its end.
 */
import { type CodeName, codes } from '../schemas/codes.ts'
import type { ServerFrame } from '../schemas/frames.ts'
import { limits } from '../schemas/limits.ts'
import type { Clock, Logger } from '../schemas/ports.ts'
import type { Activity } from './activity.ts'
import type { ChannelUsers } from './channel-users.ts'
import { closeCodeOf } from './close-codes.ts'
import type { CommandSink } from './commands.ts'
import { type Connection, type Connections, mayObserve, type Origin, type Socket } from './connections.ts'
import type { Counters } from './counters.ts'
import { frameCodecs } from './frames/codecs.ts'
import { type FrameCodec, type Subprotocol, unreadable } from './frames/frame-codec.ts'
import type { Kicks } from './kicks.ts'
import type { Ledger } from './ledger.ts'
import type { LoginHook } from './login-hook.ts'
import type { Outbox } from './outbox.ts'
import type { Presence } from './presence.ts'
import { type PushLimits, resend } from './push.ts'
import type { Quotas } from './quotas.ts'
import type { Reading } from './reading.ts'
import type { Registry } from './registry.ts'
import type { Rooms } from './rooms.ts'
import { newSession, type SessionSettings, step } from './session.ts'
import type { Effect, Input } from './session-types.ts'
import type { Revocations } from './tokens/revocations.ts'
import type { TokenVerifier } from './tokens/verdict.ts'
import { networkOf } from './transports/addresses.ts'
import { createTurns } from './turns.ts'
import type { Typing } from './typing.ts'
import type { Wheel } from './wheel.ts'
import { createWheel, TICK_MS } from './wheel.ts'

export const pushLimits: PushLimits = {
  framesMax: limits.unackedFramesPerConnectionMax,
  bytesMax: limits.unackedBytesPerConnectionMax,
  streamsMax: limits.streamsPerConnectionMax,
  ackTimeoutMs: limits.ackTimeoutMs,
  resendsMax: limits.resendsMax,
}

export interface HubOptions {
  readonly gatewayId: string
  readonly boot: string
  readonly settings: SessionSettings
  readonly clock: Clock
  readonly log: Logger
  /** 0 ≤ value < 1; spreads what all clients do at once. */
  readonly random: () => number
  readonly tokens: TokenVerifier
  readonly quotas: Quotas
  readonly loginHook: LoginHook | null
  readonly revocations: Pick<Revocations, 'before'>
  readonly commands: CommandSink
  readonly reading: Reading
  readonly connections: Connections
  readonly outbox: Outbox
  readonly channelUsers: Pick<ChannelUsers, 'enter' | 'leave'>
  readonly typing: Pick<Typing, 'typed'>
  readonly presence: Pick<Presence, 'change' | 'changed' | 'left'>
  readonly activity: Pick<Activity, 'connected' | 'disconnected'>
  readonly ledger: Pick<Ledger, 'sent' | 'appended' | 'acknowledge' | 'left'>
  readonly kicks: Pick<Kicks, 'before' | 'end'>
  readonly rooms: Pick<Rooms, 'join' | 'leave' | 'admits'>
  readonly counters: Counters
  /** The registry needs the hub's connections and the hub the registry. */
  registry(): Registry
  onClosed(code: CodeName | 'logout' | 'lost'): void
}

export interface Hub {
  /** `codec`: the connection's own, or that of a subprotocol by its name. */
  connected(socket: Socket, codec: Subprotocol | FrameCodec, origin: Origin): Connection
  /** `bytes` may be reused by the caller afterwards. */
  received(connection: Connection, bytes: Buffer): void
  /** The transport has closed; the last call for this connection. */
  closed(connection: Connection): void
  input(connection: Connection, input: Input): void
  send(connection: Connection, frame: ServerFrame): void
  /** Tells these clients, within spreadMsMax, that pushes may have been lost. */
  resync(connections: Iterable<Connection>): void
  loginsWaiting(): number
  stop(): void
}

export function createHub(options: HubOptions): Hub {
  const { clock, connections, counters, outbox, quotas } = options
  const wheel: Wheel = createWheel(clock, tick)
  const resyncTicksMax = Math.max(1, Math.round(limits.spreadMsMax / TICK_MS))
  const turns = createTurns(clock, defect)
  let opened = 0

  function input(connection: Connection, given: Input): void {
    if (connection.session.phase === 'closed') return
    try {
      const { session, effects } = step(connection.session, given, clock.now(), options.settings)
      connection.session = session
      for (const effect of effects) run(connection, effect)
    } catch (error) {
      defect(connection, error)
    }
  }

  /** Whatever one client sends, and whatever was awaited for it, must not end the connections of all others. */
  function defect(connection: Connection, error: unknown): void {
    options.log.error({ err: error }, 'a connection met a defect')
    if (connection.session.phase === 'closed') return
    const told = { reconnectAfterMs: null, kickedBy: null, challenge: null }
    send(connection, { type: 'bye', code: 'internal', message: codes.internal.text, ...told })
    close(connection, 'internal')
  }

  function take(connection: Connection, bytes: Buffer): void {
    const decoded =
      bytes.length - connection.codec.headerBytes > limits.frameBytesMax
        ? unreadable('frame_too_large', codes.frame_too_large.text)
        : connection.codec.decode(bytes)
    if (decoded.ok) {
      input(connection, { kind: 'frame', frame: decoded.frame, content: decoded.content })
      return
    }
    counters.framesUnreadable += 1
    input(connection, { kind: 'unreadable', problem: decoded })
  }

  const send = (connection: Connection, frame: ServerFrame): void => {
    if (connection.socket) outbox.write(connection, connection.codec.encode(frame))
  }

  const sendSoon = (connection: Connection, frame: ServerFrame): void => {
    if (connection.socket) outbox.writeSoon(connection, connection.codec.encode(frame))
  }

  function run(connection: Connection, effect: Effect): void {
    switch (effect.do) {
      case 'send':
        // `committed` follows within milliseconds: one system call for both.
        if (effect.frame.type === 'accepted') sendSoon(connection, effect.frame)
        else send(connection, effect.frame)
        return
      case 'joinRoom':
        options.rooms.join(connection, effect)
        return
      case 'leaveRoom':
        options.rooms.leave(connection)
        return
      case 'append':
        if (!effect.checked && isOverRate(connection, effect.packId)) return
        if (!options.rooms.admits(effect.draft.stream)) {
          input(connection, { kind: 'appended', packId: effect.packId, code: 'rate_limited' })
          return
        }
        options.ledger.sent(connection, effect.draft, clock.now())
        void options.commands.append(effect.draft, connection.id).then((code) => {
          options.ledger.appended(connection, effect.draft.packId, code === null, clock.now())
          input(connection, { kind: 'appended', packId: effect.packId, code })
        })
        return
      case 'ack':
        counters.acked += options.ledger.acknowledge(connection, effect.acks, clock.now())
        return
      case 'read':
        read(connection, effect)
        return
      case 'check':
        check(connection, effect)
        return
      case 'typing':
        options.typing.typed(connection, effect.conversationId)
        return
      case 'presence':
        presence(connection, effect)
        return
      case 'verify':
        verify(connection, effect.token)
        return
      case 'ask':
        ask(connection, effect)
        return
      case 'enter':
        atGate(connection, () => enter(connection, effect))
        return
      case 'close':
        close(connection, effect.code)
        return
    }
  }

  /** Logins cost most of all: in a storm they take turns, and those who are logged in are served between them. */
  function atGate(connection: Connection, go: () => void): void {
    if (turns.take(connection, go)) return
    counters.loginsTurnedAway += 1
    input(connection, { kind: 'refused', code: 'overloaded', retryAfterMs: returnAfterMs() })
  }

  const returnAfterMs = (): number => Math.round((0.2 + 0.8 * options.random()) * limits.loginsReturnMsMax)

  function verify(connection: Connection, token: string): void {
    const retryAfterMs = quotas.login(networkOf(connection.origin.address), clock.now())
    if (retryAfterMs !== null) {
      counters.loginsOverRate += 1
      input(connection, { kind: 'refused', code: 'rate_limited', retryAfterMs })
      return
    }
    atGate(
      connection,
      () =>
        void options.tokens.verify(token).then((verdict) => input(connection, { kind: 'verified', verdict })),
    )
  }

  /** Over that of its user; then the command is answered already. */
  function isOverRate(connection: Connection, packId: string): boolean {
    const retryAfterMs = connection.user === null ? null : quotas.command(connection.user, clock.now())
    if (retryAfterMs === null) return false
    counters.commandsOverRate += 1
    input(connection, { kind: 'appended', packId, code: 'rate_limited', retryAfterMs })
    return true
  }

  /** Over the rate of reads of its user: what to answer; null: it may be read. */
  function readRefused(user: string, id: number): ServerFrame | null {
    const retryAfterMs = quotas.read(user, clock.now())
    if (retryAfterMs === null) return null
    counters.readsOverRate += 1
    return { type: 'error', id, code: 'rate_limited', message: codes.rate_limited.text, retryAfterMs }
  }

  function presence(connection: Connection, effect: Extract<Effect, { do: 'presence' }>): void {
    if (connection.user === null) return
    // To give up a subscription reads nothing.
    const refusal = effect.subscribe.length > 0 ? readRefused(connection.user, effect.id) : null
    if (refusal) send(connection, refusal)
    else void options.presence.change(connection, effect.id, effect)
  }

  function read(connection: Connection, { id, request }: Extract<Effect, { do: 'read' }>): void {
    if (connection.user === null) return
    const refusal = readRefused(connection.user, id)
    if (refusal) {
      input(connection, { kind: 'read', of: request.kind, answers: [refusal] })
      return
    }
    void options.reading
      .answer({ user: connection.user, observes: mayObserve(connection) }, id, request)
      .then((answers) => input(connection, { kind: 'read', of: request.kind, answers }))
  }

  function check(connection: Connection, effect: Extract<Effect, { do: 'check' }>): void {
    if (connection.user === null || isOverRate(connection, effect.packId)) return
    const { draft, packId } = effect
    void options.reading
      .check({ user: connection.user, observes: mayObserve(connection) }, effect.check)
      .then((result) => input(connection, { kind: 'checked', draft, packId, result }))
  }

  function ask(connection: Connection, effect: Extract<Effect, { do: 'ask' }>): void {
    const { loginHook } = options
    if (!loginHook) {
      input(connection, { kind: 'asked', answer: { decision: 'allow' } })
      return
    }
    // It may take long, and not of this process's time.
    turns.end(connection)
    const { userId, device, proof } = effect
    void loginHook({ userId, ...device, ...connection.origin, proof }).then((answer) =>
      input(connection, { kind: 'asked', answer }),
    )
  }

  function enter(connection: Connection, { userId, device }: Extract<Effect, { do: 'enter' }>): void {
    // Since it was verified; from here on whoever revokes finds it among the user's connections.
    input(connection, { kind: 'revoked', notBefore: options.revocations.before(userId) })
    if (connection.session.phase !== 'entering') return
    const { gatewayId, boot, kicks } = options
    const now = clock.now()
    const login = { connection: connection.id, ...device, loginAt: now }
    const { loginAt, ended } = kicks.before(userId, login)
    if (!connections.bind(connection, userId, ended.length)) {
      input(connection, { kind: 'refused', code: 'too_many_connections', retryAfterMs: returnAfterMs() })
      return
    }
    const expiresAt = now + limits.onlineExpiryMs
    connection.entry = { gateway: gatewayId, boot, ...login, loginAt, expiresAt }
    kicks.end(ended)
    void admit(connection, userId)
  }

  /** Before the welcome, and so before any heads: what happens from here on comes here, or those heads tell of it. */
  async function admit(connection: Connection, userId: string): Promise<void> {
    await options.registry().register(connection)
    if (connection.session.phase !== 'entering') return
    await options.channelUsers.enter(userId)
    if (connection.session.phase !== 'entering') return
    counters.loggedIn += 1
    turns.end(connection)
    connection.socket?.entered()
    options.presence.changed(userId)
    options.activity.connected(connection, connection.session.heartbeatMs)
    input(connection, { kind: 'entered', connectionId: connection.id, gatewayId: options.gatewayId })
  }

  function close(connection: Connection, code: CodeName | null): void {
    options.onClosed(code ?? 'logout')
    outbox.flush(connection)
    const { socket } = connection
    leave(connection, code ?? 'logout')
    // Some transports call `closed` from within `end`; by now that does nothing.
    socket?.end(closeCodeOf(code), code ?? 'logout')
  }

  function leave(connection: Connection, ended: CodeName | 'logout' | 'lost'): void {
    connection.socket = null
    connection.session = { phase: 'closed' }
    if (connection.push) options.ledger.left(connection, connection.push, ended)
    connection.push = null
    connection.out = null
    turns.end(connection)
    if (!connections.byId(connection.id)) return
    wheel.remove(connection)
    connections.remove(connection)
    options.presence.left(connection)
    options.rooms.leave(connection)
    const { user } = connection
    if (user === null) return
    options.activity.disconnected(connection, ended)
    options.presence.changed(user)
    if (connections.byUser(user) === undefined) options.channelUsers.leave(user)
    if (connection.entry) void options.registry().unregister(connection)
  }

  function tick(connection: Connection, now: number): void {
    input(connection, { kind: 'tick' })
    if (connection.resyncIn > 0) {
      connection.resyncIn -= 1
      if (connection.resyncIn === 0) {
        counters.resyncs += 1
        send(connection, { type: 'resync', reason: 'pushes may have been lost' })
      }
    }
    if (!connection.push || connection.socket?.holds?.()) return
    const due = resend(connection.push, now, pushLimits)
    if (due.kind === 'slow') input(connection, { kind: 'slow' })
    if (due.kind !== 'resend') return
    counters.resent += due.events.length
    for (const event of due.events) outbox.write(connection, event.bytesIn(connection.codec.encoding))
  }

  return {
    connected(socket, codec, origin) {
      const connection: Connection = {
        id: `${options.boot}-${(opened++).toString(36)}`,
        codec: typeof codec === 'string' ? frameCodecs[codec] : codec,
        origin,
        socket,
        session: newSession(clock.now()),
        user: null,
        push: null,
        out: null,
        entry: null,
        heartbeatMs: 0,
        registered: false,
        resyncIn: 0,
        typedAt: null,
        presence: null,
        room: null,
      }
      counters.opened += 1
      connections.add(connection)
      wheel.add(connection)
      return connection
    },
    received(connection, bytes) {
      if (connection.session.phase === 'closed') return
      counters.framesIn += 1
      try {
        take(connection, bytes)
      } catch (error) {
        defect(connection, error)
      }
    },
    closed(connection) {
      if (connection.session.phase !== 'closed') options.onClosed('lost')
      leave(connection, 'lost')
    },
    input,
    send,
    resync(which) {
      for (const connection of which)
        if (connection.resyncIn === 0) connection.resyncIn = 1 + Math.floor(options.random() * resyncTicksMax)
    },
    loginsWaiting: turns.waiting,
    stop: () => wheel.stop(),
  }
}
