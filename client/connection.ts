/**
 * One live connection at a time to one of the addresses: opens it, logs in, keeps it alive, notices its death, and goes
 * to the next address. Knows nothing of conversations.
 */

import type { Clock } from '../schemas/ports.ts'
import { PROTOCOL_VERSION } from '../schemas/protocol.ts'
import { defaultWindows } from '../schemas/windows.ts'
import type { Challenge, Kicked, State, StateChange, Windows } from './api.ts'
import { jitteredMs } from './backoff.ts'
import { LongwireError, retryOf } from './error.ts'
import type { Transport } from './transport.ts'
import type { Ways } from './transports.ts'
import type { ClientFrame, FrameCodec, ServerFrame, ServerFrameOf } from './wire.ts'

/** From opening a socket to welcome. */
const LOGIN_MS_MAX = 8_000
/** A server that says nothing for so long after a ping is dead. */
const SILENCE_MS_MAX = 5_000
const BACKOFF_BASE_MS = 250
const BACKOFF_CAP_MS = 10_000
/** A connection that lived for so long was a good one: the backoff begins anew. */
const GOOD_AFTER_MS = 10_000
const LOGIN_REFUSALS_MAX = 2
/** Proofs in a row that were not enough. */
const PROOFS_MAX = 5
/** A login that was given up may still be served, and end the one that came after it. Later than this it is none of ours. */
const STRAY_MS_MAX = 60_000
const STRAYS_MAX = 8

export interface ConnectionDeps {
  readonly clock: Clock
  readonly random: () => number
  readonly ways: Ways
  readonly addresses: readonly string[]
  readonly token: string | (() => string | Promise<string>)
  readonly deviceId: string
  readonly deviceType: string
  readonly heartbeatMs: number | null
  readonly onChallenge: ((challenge: Challenge) => string | Promise<string>) | null
  online(welcome: ServerFrameOf<'welcome'>): void
  /** It was online and is not any more. */
  offline(): void
  /** Every frame but welcome, pong and bye. */
  frame(frame: ServerFrame): void
  changed(change: StateChange): void
  kicked(kicked: Kicked): void
  /** For good: nothing will be tried any more. */
  failed(error: LongwireError): void
}

export interface Connection {
  readonly state: () => State
  start(): void
  /** False: not online, nothing was sent. */
  send(frame: ClientFrame): boolean
  /** Asks for a sign of life; without one the connection is given up. */
  probe(): void
  /** Gives the current connection up and goes elsewhere. */
  drop(reason: string): void
  /** Probes a connection that is online, and cuts a wait short: for when the network or the screen comes back. */
  wake(): void
  serverTime(): number
  windows(): Windows
  /** A person may be at it: no time limit holds meanwhile. */
  solving(): boolean
  close(): void
}

export function createConnection(deps: ConnectionDeps): Connection {
  const { clock } = deps
  let state: State = 'connecting'
  let transport: Transport | null = null
  let codec: FrameCodec | null = null
  // Callbacks of an earlier attempt must not touch a later one.
  let attempt = 0
  let failures = 0
  let refusals = 0
  let address = Math.floor(deps.random() * deps.addresses.length)
  let onlineSinceMs = 0
  let lastHeardMs = 0
  let probing = false
  /** Of the current attempt: a login was sent, and no bye came. */
  let loginOpen = false
  /** When such attempts were left. */
  let strays: number[] = []
  /** For the next login, until one succeeds. */
  let proof: string | null = null
  let proofs = 0
  /** The app is answering a challenge. */
  let solving = false
  let serverOffsetMs = 0
  let windows = defaultWindows
  let pingId = 0
  let cancelTimer: () => void = () => {}
  let cancelBeat: () => void = () => {}

  const addressNow = (): string => deps.addresses[address % deps.addresses.length] ?? ''

  function change(next: State, code: string | null = null): void {
    state = next
    deps.changed({ state: next, code, address: next === 'closed' ? null : addressNow() })
  }

  function retry(code: string, afterMs: number | null): void {
    end()
    address += 1
    const waitMs = (afterMs ?? 0) + jitteredMs(failures, BACKOFF_BASE_MS, BACKOFF_CAP_MS, deps.random)
    failures += 1
    change('waiting', code)
    cancelTimer = clock.after(waitMs, open)
  }

  /** Leaves the current socket, whatever it is doing. */
  function end(): void {
    attempt += 1
    cancelTimer()
    cancelBeat()
    transport?.close()
    transport = null
    probing = false
    solving = false
    if (loginOpen) strays = [...strays.slice(1 - STRAYS_MAX), clock.now()]
    loginOpen = false
    if (state !== 'online') return
    state = 'waiting'
    if (clock.now() - onlineSinceMs >= GOOD_AFTER_MS) failures = 0
    deps.offline()
  }

  function fail(code: string, message?: string): void {
    end()
    change('closed', code)
    deps.failed(new LongwireError(code, message))
  }

  function open(): void {
    const mine = ++attempt
    const live = (): boolean => attempt === mine && state !== 'closed'
    change('connecting')
    cancelTimer = clock.after(LOGIN_MS_MAX, () => live() && retry('lost', null))
    const way = deps.ways(addressNow())
    codec = way.codec
    const opened = way.open(addressNow(), way.codec.subprotocol, {
      open: () => void login(live),
      data(data) {
        if (!live()) return
        const frame = way.codec.decode(data)
        if (frame) heard(frame)
      },
      closed: () => live() && retry('lost', null),
    })
    // The transport may have failed within the call.
    if (attempt === mine) transport = opened
    else opened.close()
  }

  async function login(live: () => boolean): Promise<void> {
    let token: string
    try {
      token = typeof deps.token === 'string' ? deps.token : await deps.token()
    } catch {
      if (live()) retry('token_invalid', null)
      return
    }
    if (!live()) return
    const { deviceId, deviceType, heartbeatMs } = deps
    loginOpen = true
    write({ type: 'login', token, deviceId, deviceType, protocol: PROTOCOL_VERSION, heartbeatMs, proof })
  }

  function write(frame: ClientFrame): boolean {
    return codec !== null && (transport?.send(codec.encode(frame)) ?? false)
  }

  function heard(frame: ServerFrame): void {
    lastHeardMs = clock.now()
    if (frame.type === 'welcome') welcome(frame)
    else if (frame.type === 'pong') serverOffsetMs = frame.serverTime - lastHeardMs
    else if (frame.type === 'bye') bye(frame)
    else if (state === 'online') deps.frame(frame)
    else if (frame.type === 'error') ended(frame.code, frame.message, frame.retryAfterMs ?? null)
  }

  function welcome(frame: ServerFrameOf<'welcome'>): void {
    if (state === 'online') return
    cancelTimer()
    onlineSinceMs = lastHeardMs
    serverOffsetMs = frame.serverTime - lastHeardMs
    // A server from before they were told has those that nobody has set.
    const { recallMs, editMs } = defaultWindows
    windows = { recallMs: frame.recallWindowMs ?? recallMs, editMs: frame.editWindowMs ?? editMs }
    refusals = 0
    proofs = 0
    proof = null
    change('online')
    beat(frame.heartbeatMs)
    deps.online(frame)
  }

  function bye({ code, message, reconnectAfterMs, kickedBy, challenge }: ServerFrameOf<'bye'>): void {
    loginOpen = false
    if (code === 'proof_required') {
      void solve(challenge ?? '', message)
      return
    }
    if (code === 'kicked') deps.kicked({ code, message, by: kickedBy ?? null })
    strays = strays.filter((atMs) => clock.now() - atMs < STRAY_MS_MAX)
    // Once for each of them: two clients that share a device id must not end each other for ever.
    if (code === 'replaced' && strays.pop() !== undefined) retry(code, null)
    else ended(code, message, reconnectAfterMs ?? null)
  }

  /** Has the app answer, and logs in again with its proof at the same address. */
  async function solve(text: string, message: string): Promise<void> {
    end()
    const mine = attempt
    change('waiting', 'proof_required')
    solving = true
    proofs += 1
    const given = proofs > PROOFS_MAX ? null : await proofFor(text)
    if (attempt !== mine || state === 'closed') return
    solving = false
    if (given === null) {
      fail('proof_required', message)
      return
    }
    proof = given
    open()
  }

  async function proofFor(text: string): Promise<string | null> {
    try {
      return (await deps.onChallenge?.(JSON.parse(text) as Challenge)) ?? null
    } catch {
      return null
    }
  }

  /** The server ended it, or refused the login. */
  function ended(code: string, message: string, afterMs: number | null): void {
    const advice = retryOf(code)
    if (advice === 'login') refusals += 1
    // A fixed token will not get better.
    const refused = refusals > 0 && (typeof deps.token === 'string' || refusals >= LOGIN_REFUSALS_MAX)
    if (advice === 'never' || refused) fail(code, message)
    else retry(code, afterMs)
  }

  function beat(everyMs: number): void {
    cancelBeat = clock.after(everyMs, () => {
      probe()
      beat(everyMs)
    })
  }

  function probe(): void {
    if (state !== 'online' || probing) return
    probing = true
    const mine = attempt
    const askedMs = clock.now()
    write({ type: 'ping', id: ++pingId })
    clock.after(SILENCE_MS_MAX, () => {
      if (attempt !== mine) return
      probing = false
      if (lastHeardMs < askedMs) drop('unanswered')
    })
  }

  function drop(reason: string): void {
    if (state === 'online') retry(reason, null)
  }

  return {
    state: () => state,
    start: open,
    send: (frame) => state === 'online' && write(frame),
    probe,
    drop,
    wake() {
      if (state === 'online') probe()
      if (state !== 'waiting' || solving) return
      cancelTimer()
      open()
    },
    serverTime: () => clock.now() + serverOffsetMs,
    windows: () => windows,
    solving: () => solving,
    close() {
      if (state === 'closed') return
      end()
      change('closed')
    },
  }
}
