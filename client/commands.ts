/** The outbox at work: keeps, sends, resends and settles commands, and holds their promises. */
import { p2pId, userStream } from '../schemas/ids.ts'
import type { Clock } from '../schemas/ports.ts'
import type { Sent } from './api.ts'
import { LongwireError } from './error.ts'
import {
  accepted,
  add,
  createOutbox,
  disconnected,
  type Entry,
  isFull,
  nextDueMs,
  refused,
  renew,
  settle,
  sweep,
  takeDue,
} from './outbox.ts'
import { groupStreamOf, type PackIds } from './pack-id.ts'
import type { Requests } from './requests.ts'
import type { SavedCommand, Store } from './store.ts'
import type { CommandFrame, ServerFrame, ServerFrameOf } from './wire.ts'

const OUTBOX_MAX = 10_000
const SWEEP_MS = 1_000
/** No outcome yet: ask for a sign of life. */
const PROBE_AFTER_MS = 2_000
/** The server lives but does not answer commands: try another. Above the time in which it must say `unavailable`. */
const ELSEWHERE_AFTER_MS = 15_000

type WithoutId<T> = T extends { packId: string } ? Omit<T, 'packId'> : never
export type NewCommand = WithoutId<CommandFrame>

export interface Commands {
  /** Resolves when committed. */
  submit(command: NewCommand): Promise<Sent>
  /** Takes up what an earlier run left. */
  restore(saved: readonly SavedCommand[]): void
  online(): void
  offline(): void
  /** True: the frame was about a command. */
  answered(frame: ServerFrame): boolean
  /** One's own command seen in a stream: as good as its answer. */
  seen(packId: string, at: Omit<Sent, 'packId'>): void
  size(): number
  resends(): number
  /** Resolves when nothing is left. */
  whenEmpty(): Promise<void>
  /** Rejects all that is left. */
  fail(error: LongwireError): void
}

export interface CommandsDeps {
  readonly clock: Clock
  readonly random: () => number
  readonly ids: PackIds
  readonly store: Store
  readonly requests: Requests
  readonly userId: () => string
  readonly serverTime: () => number
  readonly send: (frame: CommandFrame) => boolean
  readonly probe: () => void
  readonly drop: (reason: string) => void
  /** Called before the promise resolves. */
  readonly committed: (command: CommandFrame, answer: ServerFrameOf<'committed'>) => void
  readonly report: (error: unknown) => void
}

interface Promised {
  resolve(sent: Sent): void
  reject(error: unknown): void
}

export function createCommands(deps: CommandsDeps): Commands {
  const { clock, store } = deps
  const outbox = createOutbox(OUTBOX_MAX)
  const promises = new Map<Entry, Promised>()
  let isOnline = false
  let resends = 0
  let cancelTimer: (() => void) | null = null
  let timerAtMs = 0
  let whenEmpty: (() => void)[] = []

  /** The stream that a command goes to, which keeps its order; of a group that is not there yet a lane of its own. */
  function laneOf(frame: CommandFrame): string {
    const me = deps.userId()
    switch (frame.type) {
      case 'createGroup':
        return `new:${frame.packId}`
      case 'markRead':
      case 'setSetting':
      case 'setProfile':
        return userStream(me)
      case 'requestFriend':
      case 'answerFriend':
      case 'deleteFriend':
      case 'block':
        return p2pId(me, frame.userId)
      case 'send':
        return frame.to ? p2pId(me, frame.to) : (frame.conversationId ?? '')
      default:
        return frame.conversationId
    }
  }
  /** The stream in which a command ends up, for looking it up. */
  const streamOf = (entry: Entry): string =>
    entry.frame.type === 'createGroup' ? groupStreamOf(deps.userId(), entry.packId) : entry.lane

  function submit(command: NewCommand): Promise<Sent> {
    return new Promise((resolve, reject) => {
      if (isFull(outbox)) return reject(new LongwireError('outbox_full'))
      const packId = deps.ids.next(deps.serverTime())
      const frame = { ...command, packId } as CommandFrame
      const entry = add(outbox, { packId, lane: laneOf(frame), frame }, clock.now())
      promises.set(entry, { resolve, reject })
      keep(entry)
    })
  }

  /** Nothing goes out before the store has it. */
  function keep(entry: Entry): void {
    try {
      const kept = store.putCommand(entry)
      if (kept instanceof Promise) {
        entry.state = 'saving'
        kept.then(
          () => {
            if (entry.state === 'saving') entry.state = 'waiting'
            outbox.ready.add(entry.lane)
            pump()
          },
          (error: unknown) => reject(entry, error),
        )
      } else pump()
    } catch (error) {
      reject(entry, error)
    }
  }

  function reject(entry: Entry, error: unknown): void {
    settle(outbox, entry.packId)
    finish(entry)?.reject(error)
    pump()
  }

  function finish(entry: Entry): Promised | undefined {
    const promised = promises.get(entry)
    promises.delete(entry)
    forget(entry.packId)
    if (outbox.entries.size === 0) {
      for (const done of whenEmpty) done()
      whenEmpty = []
    }
    return promised
  }

  function forget(packId: string): void {
    try {
      const done = store.removeCommand(packId)
      if (done instanceof Promise) done.catch(deps.report)
    } catch (error) {
      deps.report(error)
    }
  }

  function pump(): void {
    if (isOnline) {
      for (const entry of takeDue(outbox, clock.now())) {
        if (entry.attempts > 1) resends += 1
        // A send that fails here means that the connection is ending: offline() marks it as unknown.
        deps.send(entry.frame)
      }
    }
    schedule()
  }

  function schedule(): void {
    if (!isOnline || outbox.entries.size === 0) return
    const due = nextDueMs(outbox)
    const now = clock.now()
    // What is due but held back by its lane moves on an answer; the sweep is for lost answers.
    const atMs = due !== null && due > now ? Math.min(due, now + SWEEP_MS) : now + SWEEP_MS
    if (cancelTimer) {
      if (timerAtMs <= atMs) return
      cancelTimer()
    }
    timerAtMs = atMs
    cancelTimer = clock.after(atMs - now, () => {
      cancelTimer = null
      const at = clock.now()
      const { unacceptedSinceMs, openSinceMs } = sweep(outbox, at)
      if (at - unacceptedSinceMs > ELSEWHERE_AFTER_MS) deps.drop('unanswered')
      else if (at - openSinceMs > PROBE_AFTER_MS) deps.probe()
      pump()
    })
  }

  function committed(answer: ServerFrameOf<'committed'>): void {
    const entry = settle(outbox, answer.packId)
    if (!entry) return
    const { packId, conversationId, seq, ordinal, time } = answer
    deps.committed(entry.frame, answer)
    finish(entry)?.resolve({ packId, conversationId, seq, ordinal, time })
    pump()
  }

  function rejected(frame: ServerFrameOf<'rejected'>): void {
    const { packId, code } = frame
    const refusal = refused(outbox, packId, code, frame.retryAfterMs ?? null, clock.now(), deps.random)
    if (refusal.kind === 'final') finish(refusal.entry)?.reject(new LongwireError(code, frame.message))
    if (refusal.kind === 'look') void lookUp(refusal.entry, code)
    pump()
  }

  /** Was it committed under its packId? Only a certain no lets it go out under another one. */
  async function lookUp(entry: Entry, code: string): Promise<void> {
    // The answer also sets the server's time right, which the next packId carries.
    if (code === 'pack_id_ahead') {
      deps.probe()
      deps.ids.reset()
    }
    const { packId } = entry
    const conversationId = streamOf(entry)
    while (outbox.entries.get(packId) === entry && entry.state === 'looking') {
      try {
        const found = await deps.requests.insist({ type: 'lookup', conversationId, packId }, 60_000)
        if (found.seq !== null && found.seq !== undefined) {
          const { seq, ordinal, time } = found
          const at = { seq, ordinal: ordinal ?? 0, time: time ?? 0 }
          committed({ type: 'committed', packId, conversationId, ...at, repeat: true, conflict: false })
        } else if (!found.partial && outbox.entries.get(packId) === entry) {
          renew(outbox, entry, deps.ids.next(deps.serverTime()), clock.now())
          forget(packId)
          keep(entry)
        }
      } catch (error) {
        if (outbox.entries.get(packId) !== entry) return
        if (error instanceof LongwireError && error.retry !== 'never') continue
        return reject(entry, error)
      }
    }
  }

  return {
    submit,
    restore(saved) {
      for (const command of saved)
        if (!outbox.entries.has(command.packId)) add(outbox, command, clock.now(), 1)
      pump()
    },
    online() {
      isOnline = true
      pump()
    },
    offline() {
      isOnline = false
      cancelTimer?.()
      cancelTimer = null
      disconnected(outbox)
    },
    answered(frame) {
      if (frame.type === 'accepted') {
        accepted(outbox, frame.packId)
        pump()
      } else if (frame.type === 'committed') committed(frame)
      else if (frame.type === 'rejected') rejected(frame)
      else return false
      return true
    },
    seen(packId, at) {
      const entry = settle(outbox, packId)
      if (!entry) return
      finish(entry)?.resolve({ ...at, packId })
      pump()
    },
    size: () => outbox.entries.size,
    resends: () => resends,
    whenEmpty: () =>
      outbox.entries.size === 0 ? Promise.resolve() : new Promise((resolve) => void whenEmpty.push(resolve)),
    fail(error) {
      isOnline = false
      cancelTimer?.()
      const left = [...promises.values()]
      promises.clear()
      outbox.entries.clear()
      outbox.lanes.clear()
      outbox.ready.clear()
      for (const promised of left) promised.reject(error)
      for (const done of whenEmpty) done()
    },
  }
}
