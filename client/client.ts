/** Puts the layers together. Everything from outside (time, chance, sockets) is passed in, so that tests can hold the reins. */
import { isRoom } from '../schemas/ids.ts'
import type { Clock } from '../schemas/ports.ts'
import { createAcks } from './acks.ts'
import type { Client, ConnectOptions, EventName } from './api.ts'
import { createCatchUp } from './catch-up.ts'
import { commandCalls } from './command-calls.ts'
import { createCommands, type NewCommand } from './commands.ts'
import { createConnection } from './connection.ts'
import { heldRanges, noteOrdinal, ordinalAt } from './conversation-log.ts'
import { createEmitter } from './emitter.ts'
import { inflateRaw } from './environment.ts'
import { LongwireError } from './error.ts'
import { ownItem } from './own-item.ts'
import { packIds } from './pack-id.ts'
import { createPresence } from './presence.ts'
import { createProfiles } from './profiles.ts'
import { readCalls } from './read-calls.ts'
import { createReadMarks } from './read-marks.ts'
import { createReceipts } from './receipts.ts'
import { createRequests } from './requests.ts'
import { createRooms } from './rooms.ts'
import { createSettings } from './settings.ts'
import { memoryStore } from './store.ts'
import { createStreams } from './streams.ts'
import type { Ways } from './transports.ts'
import { createTyping } from './typing.ts'
import type { Item, ServerFrame } from './wire.ts'

export interface Environment {
  readonly clock: Clock
  readonly random: () => number
  readonly randomBytes: (bytes: number) => Uint8Array
  readonly ways: Ways
  readonly deviceType: string
  readonly onWake: (wake: () => void) => () => void
  /** Takes what a handler of the user threw. */
  readonly report: (error: unknown) => void
}

const CONNECT_MS_DEFAULT = 30_000
const CATCH_UP_DEFAULT = 1_000
/** Heads that do not come: go on without them. */
const BASELINE_MS_MAX = 3_000
const READ_MS_MAX = 15_000
const CLOSE_MS_DEFAULT = 5_000

/** Resolves when online. Rejects when the login is refused for good, or nothing answered in time. */
export function connectWith(options: ConnectOptions, env: Environment): Promise<Client> {
  const { clock, random } = env
  const store = options.store ?? memoryStore()
  const emitter = createEmitter(env.report)
  for (const [event, handler] of Object.entries(options.on ?? {}))
    if (handler) emitter.on(event as EventName, handler as never)
  const deviceId = options.deviceId ?? `d-${hex(env.randomBytes(8))}`
  let userId = ''
  let connects = 0
  /** Changes with every connection. */
  let session = 0
  /** This connection is at work: what was kept has been loaded. */
  let begun = false
  let early: ServerFrame[] = []
  let restored: Promise<void> | null = null
  let failure: LongwireError | null = null
  const whenOnline: { resolve(): void; reject(error: LongwireError): void }[] = []
  let baseline: () => void = () => {}
  let ready: (error: LongwireError | null) => void = () => {}

  const connection = createConnection({
    clock,
    random,
    ways: env.ways,
    addresses: typeof options.url === 'string' ? [options.url] : options.url,
    token: options.token,
    deviceId,
    deviceType: options.deviceType ?? env.deviceType,
    heartbeatMs: options.heartbeatMs ?? null,
    onChallenge: options.onChallenge ?? null,
    online(welcome) {
      userId = welcome.userId
      restored ??= restore()
      const mine = ++session
      void restored.then(() => {
        if (mine === session) begin()
      }, failWith)
    },
    offline() {
      session += 1
      early = []
      if (!begun) return
      begun = false
      rooms.offline()
      requests.offline()
      commands.offline()
      catchUp.offline()
      streams.disconnected()
    },
    frame: received,
    changed: (change) => void emitter.emit('state', change),
    kicked: (kicked) => void emitter.emit('kicked', kicked),
    failed: failWith,
  })

  const requests = createRequests({
    clock,
    random,
    send: (frame) => connection.send(frame),
    probe: connection.probe,
    whenOnline: () =>
      failure
        ? Promise.reject(failure)
        : begun
          ? Promise.resolve()
          : new Promise((resolve, reject) => void whenOnline.push({ resolve, reject })),
  })

  const ids = packIds(env.randomBytes)
  const commands = createCommands({
    clock,
    random,
    ids,
    store,
    requests,
    userId: () => userId,
    serverTime: connection.serverTime,
    send: (frame) => connection.send(frame),
    probe: connection.probe,
    drop: connection.drop,
    committed(command, answer) {
      // Its author is shown it with all others.
      if (isRoom(answer.conversationId)) return
      streams.own(answer.conversationId, answer.seq, ownItem(command, answer, userId))
      if (command.type === 'markRead') readMarks.noted(command.conversationId, command.seq)
    },
    report: env.report,
  })

  function seen({ packId, conversationId, seq, ordinal, time }: Item): void {
    if (packId) commands.seen(packId, { conversationId, seq, ordinal, time })
  }

  const acks = createAcks({
    clock,
    store,
    userId: () => userId,
    hasBaseline: () => streams.hasBaseline(),
    send: (frame) => connection.send(frame),
    report: env.report,
  })

  const streams = createStreams({
    emitter,
    userId: () => userId,
    moved: acks.moved,
    baseline: acks.baseline,
    behind: (log) => catchUp.behind(log),
    seen,
    ownJumped(position) {
      profiles.jumped()
      settings.jumped(position).catch(() => {})
    },
  })

  const catchUp = createCatchUp({
    clock,
    random,
    requests,
    streams: () => streams,
    catchUpMax: options.catchUpMax ?? CATCH_UP_DEFAULT,
    report: env.report,
    kept: acks.kept,
    changesTold: () => {
      if (streams.hasBaseline()) baseline()
    },
  })

  const readMarks = createReadMarks({
    clock,
    async placeOf(conversationId, seq) {
      const log = streams.logs.get(conversationId)
      const ordinal = log ? ordinalAt(log, seq) : null
      if (ordinal !== null) return { seq, ordinal }
      const question = { type: 'history', conversationId, before: seq + 1, limit: 20 } as const
      const page = await requests.insist(question, READ_MS_MAX).catch((error: unknown) => {
        // The mark was never sent: that is no unknown outcome.
        throw error instanceof LongwireError && error.code === 'timeout'
          ? new LongwireError('unavailable')
          : error
      })
      const item = page.items.findLast((other) => other.kind !== 'hidden' && other.seq <= seq)
      return item ? { seq: item.seq, ordinal: item.ordinal } : null
    },
    submit: (conversationId, seq, ordinal) => submit({ type: 'markRead', conversationId, seq, ordinal }),
  })
  emitter.on('read', (change) => readMarks.noted(change.conversationId, change.seq))

  const settings = createSettings({
    clock,
    requests,
    submit: (key, value) => submit({ type: 'setSetting', key, value }),
    tell: (change) => emitter.emit('setting', change),
  })
  emitter.on('setting', settings.noted)
  const profiles = createProfiles({
    clock,
    requests,
    userId: () => userId,
    tell: (change) => emitter.emit('profile', change),
  })
  emitter.on('profile', profiles.noted)
  const presence = createPresence({ requests, emitter })
  const rooms = createRooms({ clock, requests, emitter, userId: () => userId, seen })
  const receipts = createReceipts({
    listens: () => emitter.has('receipt'),
    tell: (receipt) => emitter.emit('receipt', receipt),
  })
  const reads = readCalls({
    requests,
    userId: () => userId,
    inflate: inflateRaw,
    listed: receipts.listed,
    async pageRead(conversationId, page, last) {
      streams.pageRead(conversationId, page)
      const log = streams.logs.get(conversationId)
      if (!log) return
      if (last && ordinalAt(log, last.seq) === null) noteOrdinal(log, last)
      // Whoever keeps the page must be told of its recalls, even after a crash.
      await acks.kept(log)
    },
  })

  function begin(): void {
    begun = true
    connects += 1
    rooms.online()
    commands.online()
    catchUp.online()
    presence.online()
    profiles.online()
    // A hint of it may have been missed. What is not answered stands in the next list that is asked for.
    if (receipts.worthAsking()) reads.conversations().catch(() => {})
    for (const waiter of whenOnline.splice(0)) waiter.resolve()
    for (const frame of early.splice(0)) received(frame)
    if (connects > 1) return
    clock.after(BASELINE_MS_MAX, () => {
      streams.startWithoutHeads()
      baseline()
    })
  }

  function received(frame: ServerFrame): void {
    // Before the positions are loaded nothing can be placed.
    if (!begun) early.push(frame)
    else if (frame.type === 'event') streams.pushed(frame.item)
    else if (frame.type === 'head') streams.hint(frame.conversationId, frame.seq)
    else if (frame.type === 'roomItems') rooms.came(frame)
    else if (frame.type === 'presenceChanges') presence.changed(frame.changes)
    else if (frame.type === 'profileChanged') profiles.stale(frame.userId)
    else if (frame.type === 'userTyping') {
      const { conversationId, userId: who } = frame
      emitter.emit('typing', { conversationId, userId: who })
    } else if (frame.type === 'receipt') {
      const { conversationId, userId: who, seq } = frame
      receipts.heard({ conversationId, userId: who, seq })
    } else if (frame.type === 'resync') catchUp.resync()
    else if (!commands.answered(frame)) requests.answered(frame)
  }

  async function restore(): Promise<void> {
    const saved = await store.load()
    if (!saved || saved.userId !== userId) return
    streams.restore(saved.positions, saved.held)
    commands.restore(saved.outbox)
  }

  function failWith(error: unknown): void {
    failure ??= error instanceof LongwireError ? error : new LongwireError('internal', String(error))
    connection.close()
    stopWaking()
    commands.fail(failure)
    rooms.ended(failure)
    requests.offline()
    for (const waiter of whenOnline.splice(0)) waiter.reject(failure)
    ready(failure)
  }

  const stopWaking = env.onWake(connection.wake)

  /** Refuses once nothing will be tried any more. */
  const guarded = <T extends object>(calls: T): T =>
    Object.fromEntries(
      Object.entries(calls as Record<string, (...args: unknown[]) => Promise<unknown>>).map(
        ([name, call]) => [name, (...args: unknown[]) => (failure ? Promise.reject(failure) : call(...args))],
      ),
    ) as T

  function submit(command: NewCommand) {
    return failure ? Promise.reject(failure) : commands.submit(command)
  }

  const calls = guarded({
    ...commandCalls({ userId: () => userId, submit }),
    ...reads,
    markRead: readMarks.want,
    profiles: profiles.read,
    settings: settings.read,
    setSetting: settings.set,
    remark: (user: string, text: string) => settings.set(`remark:${user}`, text || null),
    pinConversation: (conversationId: string, on = true) =>
      settings.set(`pin:${conversationId}`, on ? '1' : null),
    muteConversation: (conversationId: string, on = true) =>
      settings.set(`mute:${conversationId}`, on ? '1' : null),
    setDraft: (conversationId: string, text: string) => settings.set(`draft:${conversationId}`, text || null),
    async deleteConversation(conversationId: string) {
      const { toSeq } = await requests.insist({ type: 'history', conversationId, limit: 1 }, READ_MS_MAX)
      if (toSeq === 0) return
      await settings.set(`deleted:${conversationId}`, String(toSeq))
      await readMarks.want(conversationId, toSeq)
    },
    joinRoom: rooms.joinRoom,
    leaveRoom: rooms.leaveRoom,
    subscribePresence: presence.subscribe,
    unsubscribePresence: presence.unsubscribe,
  })

  const client: Client = {
    ...calls,
    get userId() {
      return userId
    },
    deviceId,
    get state() {
      return connection.state()
    },
    serverTime: connection.serverTime,
    windows: connection.windows,
    typing: createTyping(clock, (frame) => connection.send(frame)),
    held(conversationId) {
      const log = streams.logs.get(conversationId)
      return log ? heldRanges(log) : []
    },
    on: emitter.on,
    off: emitter.off,
    stats: () => ({
      ...streams.counters(),
      gapsHealed: catchUp.gapsHealed(),
      reconnects: Math.max(0, connects - 1),
      resends: commands.resends(),
      outbox: commands.size(),
    }),
    async close({ deadlineMs = CLOSE_MS_DEFAULT } = {}) {
      if (failure) return
      let cancel: () => void = () => {}
      const deadline = new Promise<void>((resolve) => {
        cancel = clock.after(deadlineMs, resolve)
      })
      const flushed = Promise.all([readMarks.flush(), settings.flush()])
        .then(commands.whenEmpty)
        .then(acks.flush)
      await Promise.race([flushed, deadline])
      cancel()
      connection.send({ type: 'logout', reason: null })
      failWith(new LongwireError('closed'))
    },
  }

  return new Promise((resolve, reject) => {
    const waitMs = options.connectTimeoutMs ?? CONNECT_MS_DEFAULT
    let cancel = (): void => {}
    const giveUp = (): void => {
      if (connection.solving()) limit()
      else failWith(new LongwireError('unavailable', 'No server answered in time.'))
    }
    const limit = (): void => {
      if (waitMs > 0) cancel = clock.after(waitMs, giveUp)
    }
    limit()
    ready = (error) => {
      cancel()
      ready = () => {}
      if (error) reject(error)
      else {
        resolve(client)
        // One turn later, so that handlers given right after the await are there for the first event.
        clock.after(0, streams.release)
      }
    }
    // Not before the store knows where this began: after a crash nobody could say what was told.
    baseline = () => void acks.flush().then(() => ready(null))
    if (options.url.length === 0) failWith(new LongwireError('bad_call', 'No address.'))
    else connection.start()
  })
}

const hex = (bytes: Uint8Array): string =>
  [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')
