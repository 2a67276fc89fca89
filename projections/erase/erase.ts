/** Erasure: a user's contents, and what nobody sees any more, first for all but auditors and then for everyone. */
import { Fault, sleepOf } from '../../schemas/ports.ts'
import { cutMessages, destroyUser, holdUser, type Written } from '../content-keys/destroy.ts'
import type { ContentKeys } from '../content-keys/follower.ts'
import { isPart, userOf } from '../content-keys/ring.ts'
import type { ArchivePort } from '../ports.ts'
import { type ArchivedOptions, untilArchived } from './archived.ts'
import { type Blanked, blank, type ReadModels } from './blank.ts'
import { saidBy, supersededBefore } from './said.ts'

export interface EraseOptions extends ReadModels, Omit<ArchivedOptions, 'log'> {
  readonly keys: ContentKeys
  readonly secret: Buffer
  /** The copy of the log that is read. */
  readonly log: Pick<ArchivePort, 'query'>
  readonly by: string
  readonly progress?: (contents: number) => void
}

export interface Erased extends Blanked {
  /** Messages and edits that were sealed under keys that are gone. */
  readonly contents: number
  /** Logged before contents were sealed: no key can be taken from them. */
  readonly inClear: number
}

const NOTHING: Erased = { contents: 0, inClear: 0, redis: 0, archive: 0 }
/** By then every process that is well has heard of the keys, and what it wrote with them before stands. */
const HEARD_MS = 3_000
/** What a store took late, after an outage, is looked for so long. */
const LOOK_AGAIN_MS = 7 * 86_400_000

const written = ({ by, clock }: EraseOptions): Written => ({ by, at: clock.now() })
const sum = (a: Erased, b: Partial<Erased>): Erased => ({
  contents: a.contents + (b.contents ?? 0),
  inClear: a.inClear + (b.inClear ?? 0),
  redis: a.redis + (b.redis ?? 0),
  archive: a.archive + (b.archive ?? 0),
})

/**
 * From now on only auditors read what this user has said until now, and after `until` (ms) nobody. Throws Fault `archive_behind`
 * where read models may still show some of it, as the archive does not hold it yet.
 */
export async function eraseUser(options: EraseOptions, user: string, until: number): Promise<Erased> {
  const { keys, clock } = options
  const holds = until > clock.now()
  const gone = holds
    ? holdUser(keys.ring, user, until, written(options))
    : destroyUser(keys.ring, user, null, written(options))
  for (const key of gone) await keys.write(key)
  await sleepOf(clock)(HEARD_MS)
  const whole = await untilArchived(options)
  const done = await blankUser(options, user)
  if (whole) return done
  throw new Fault(
    'archive_behind',
    `the keys are ${holds ? 'held' : 'destroyed'}, but the archive is behind: what it lacks of ${user} may still be shown, until npm run erase -- due is run when the projections have caught up`,
    { retriable: true },
  )
}

async function blankUser(options: EraseOptions, user: string): Promise<Erased> {
  const { ring } = options.keys
  let done = NOTHING
  for await (const portion of saidBy(options.log, user)) {
    options.signal?.throwIfAborted()
    const inClear = portion.filter(({ keyId }) => keyId === null).length
    // Of a key that was made meanwhile.
    if (portion.some(({ keyId }) => keyId !== null && !ring.get(keyId))) await options.keys.untilRead()
    const gone = portion.filter(({ keyId }) => keyId !== null && ring.get(keyId)?.state !== 'live')
    done = sum(done, { contents: gone.length, inClear, ...(await blank(options, gone, gone)) })
    options.progress?.(done.contents)
  }
  return done
}

export interface Due {
  /** Users whose keys were held for long enough. */
  readonly users: readonly string[]
  readonly erased: Erased
  /** Contents for which there was no room in a record of keys: they stay sealed, and can be opened. */
  readonly left: number
}

/** Destroys what auditors might have read for `holdMs` since nobody else could. */
export async function destroyDue(options: EraseOptions, holdMs: number): Promise<Due> {
  const { keys, clock } = options
  const now = clock.now()
  const users = new Set<string>()
  const again = new Set<string>()
  for (const { id, state, heldUntil, at } of keys.ring.all()) {
    if (isPart(id) || state === 'live') continue
    if (state === 'held' && (heldUntil ?? 0) <= now) users.add(userOf(id))
    if (at > now - LOOK_AGAIN_MS) again.add(userOf(id))
  }
  for (const user of users)
    for (const key of destroyUser(keys.ring, user, now, written(options))) await keys.write(key)
  const { erased, left } = await destroySuperseded(options, now - holdMs)
  let done = erased
  for (const user of new Set([...users, ...again])) done = sum(done, await blankUser(options, user))
  return { users: [...users], erased: done, left }
}

async function destroySuperseded(
  options: EraseOptions,
  before: number,
): Promise<Pick<Due, 'erased' | 'left'>> {
  const { keys, secret } = options
  let done = NOTHING
  let left = 0
  for (let after = { stream: '', seq: 0 }; ; ) {
    options.signal?.throwIfAborted()
    const found = await supersededBefore(options.log, before, after)
    const last = found.at(-1)
    if (!last) return { erased: done, left }
    after = { stream: last.conversation, seq: last.seq }
    const sealed = found.flatMap(({ keyId, packId }) => (keyId === null ? [] : [{ keyId, packId }]))
    const cut = cutMessages(keys.ring, secret, sealed, written(options))
    for (const key of cut.keys) await keys.write(key)
    const without = new Set(cut.left.map(({ packId }) => packId))
    left += without.size
    const gone = found.filter(({ packId }) => !without.has(packId))
    // A message shows its newest edit in its place; what was recalled is blank there.
    const edits = gone.filter(({ kind }) => kind === 'edited')
    const inClear = found.length - sealed.length
    const contents = sealed.length - without.size
    done = sum(done, { contents, inClear, ...(await blank(options, gone, edits)) })
    options.progress?.(done.contents)
  }
}
