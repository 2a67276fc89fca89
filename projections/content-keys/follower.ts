/**
 * Follows im.keys: seals contents where they come in, and opens them where they are shown. While Kafka is away the keys that are known
 * go on to hold.
 */
import { randomBytes } from 'node:crypto'
import { seal as encode } from '../../schemas/avro.ts'
import {
  monthPath,
  openContent,
  SEED_BYTES,
  sealContent,
  wholeTree,
  wrap,
} from '../../schemas/content-keys.ts'
import { type Appender, type Clock, Fault, type Logger, type LogStore, sleepOf } from '../../schemas/ports.ts'
import { type ContentKey, type EventPayload, records } from '../../schemas/records.ts'
import { topics } from '../../schemas/topics.ts'
import { followTopic } from '../follow-topic.ts'
import { createKeyRing, type KeyRing, keyIdOf } from './ring.ts'
import { startSealingGuard } from './sealing-guard.ts'

export interface SealedContent {
  readonly keyId: string
  readonly content: Buffer
}

/** Where contents are shown or written into read models. */
export interface ContentOpener {
  /**
   * The payload with its content in clear. Where its key was destroyed it keeps its key id, with no content. Null: its key is not
   * known yet, see `untilRead`.
   */
  opened(payload: EventPayload): EventPayload | null
  /** All of them opened, in their order; a key that is not there when all keys that stand now were read counts as destroyed. */
  openedAll(payloads: readonly (EventPayload | null)[]): Promise<(EventPayload | null)[]>
  /** Resolves once all keys that stand now were read. Rejects with a Fault where that takes too long. */
  untilRead(): Promise<void>
}

/** Where contents come in. */
export interface ContentSealer {
  /**
   * At once where the user's key is known, so that what is sent keeps its order; else makes one. Throws or rejects with a Fault:
   * `key_destroyed` where this packId's part of the key is gone, `keys_behind` where for too long nothing was heard of what may have
   * been taken away.
   */
  seal(user: string, packId: Buffer, content: Buffer): SealedContent | Promise<SealedContent>
}

export interface ContentKeys extends ContentOpener, ContentSealer {
  readonly ring: KeyRing
  /** Offset behind the last record read. */
  readTo(): number
  /** Writes a version of a key, and resolves when it was read back. */
  write(key: ContentKey): Promise<void>
  stop(): Promise<void>
}

export interface ContentKeysOptions {
  readonly store: LogStore
  /** 32 bytes. */
  readonly secret: Buffer
  readonly clock: Clock
  readonly logger: Logger
  /** Written into the keys that are made here. */
  readonly by: string
  /** Only contents of this month and the last are opened here: a fraction of the memory, where much was cut out. */
  readonly recentOnly?: boolean
  /**
   * After a change writes records without a meaning for some time: the broker cleans what newer records have replaced only when
   * later ones come.
   */
  readonly rolls?: boolean
  /** Contents are sealed here: never by keys that were taken away long ago, and this process has not heard of it. */
  readonly seals?: boolean
  /** Each record that changes something, with its bytes; those that stood before come first. */
  readonly onChange?: (key: ContentKey, value: Buffer) => void
  failed(fault: Fault): void
}

const START_MS_MAX = 60_000
const READ_MS_MAX = 10_000
const POLL_MS = 5
const ROLL_MS = 11 * 60_000
const ROLLS = 4
const ROLL_KEY = '~'
const RECENT_MS = 31 * 86_400_000
const PARTITION = 0
const SUFFIX_BYTES = 6
const NOTHING = Buffer.alloc(0)

/** Resolves once the topic has been read to the end that it had. */
export async function followContentKeys(options: ContentKeysOptions): Promise<ContentKeys> {
  const { store, secret, clock, logger } = options
  const partsFrom = (): string => (options.recentOnly ? monthPath(clock.now() - RECENT_MS) : '')
  const ring = createKeyRing(secret, partsFrom)
  const making = new Map<string, Promise<string>>()
  let appender: Promise<Appender> | null = null
  let cancelRoll = (): void => {}

  function roll(times: number): void {
    cancelRoll()
    if (times === 0) return
    cancelRoll = clock.after(ROLL_MS, () => {
      append({ key: ROLL_KEY, value: null }).catch((err: unknown) =>
        logger.debug({ err }, 'im.keys was not rolled'),
      )
      roll(times - 1)
    })
  }

  const topic = await followTopic({
    ...{ store, topic: topics.keys, name: 'keys', logger, failed: options.failed },
    take({ value }) {
      const key = value && ring.apply(value)
      if (!key) return
      options.onChange?.(key, value)
      if (key.version > 0 && options.rolls) roll(ROLLS)
    },
  })
  const { promise: stuck, reject } = Promise.withResolvers<never>()
  let [cancelLate, seenTo] = [() => {}, -1]
  const late = (): void => {
    if (topic.readTo() === seenTo)
      reject(new Error(`nothing of im.keys was read for ${START_MS_MAX / 1_000} s`))
    seenTo = topic.readTo()
    cancelLate = clock.after(START_MS_MAX, late)
  }
  late()
  await Promise.race([topic.caughtUp, stuck]).finally(() => cancelLate())
  ring.check()

  const sealing = options.seals ? startSealingGuard({ topic, clock, logger, failed: options.failed }) : null
  await sealing?.asked

  async function readUpTo(end: number): Promise<void> {
    for (const until = clock.now() + READ_MS_MAX; topic.readTo() < end; ) {
      if (clock.now() > until) throw new Fault('keys_behind', 'im.keys is not read yet', { retriable: true })
      await sleepOf(clock)(POLL_MS)
    }
  }

  const untilRead = async (): Promise<void> => readUpTo(await topic.end())

  async function append(record: { key: string; value: Buffer | null }): Promise<void> {
    appender ??= store.appender('keys')
    // Not kept where it failed: the next one tries anew.
    const open = await appender.catch((err: unknown) => {
      appender = null
      throw err
    })
    await readUpTo((await open.append(topics.keys, PARTITION, record)) + 1)
  }

  /**
   * Of two records with one version all followers take the first, and compaction keeps the last: whoever finds that another was
   * first writes that one again, above both.
   */
  async function write(key: ContentKey): Promise<void> {
    if (key.version !== (ring.get(key.id)?.version ?? -1) + 1) throw changed()
    await append({ key: key.id, value: encode(records.ContentKey, key) })
    const stands = ring.get(key.id)
    if (!stands || isSame(stands, key)) return
    const again = { ...stands, version: stands.version + 1 }
    await append({ key: key.id, value: encode(records.ContentKey, again) })
    throw changed()
  }

  /** Two gateways may make one for the same user at a time: both then take the older, whichever of them it was. */
  async function make(user: string): Promise<string> {
    const id = keyIdOf(user, randomBytes(SUFFIX_BYTES).toString('hex'))
    const at = clock.now()
    const tree = wrap(secret, id, wholeTree(randomBytes(SEED_BYTES)))
    const { by } = options
    await write({ id, version: 0, state: 'live', heldUntil: null, tree, madeAt: at, by, at })
    return ring.newest(user) ?? id
  }

  function keyOf(user: string): string | Promise<string> {
    // Before the key itself: it is known a little before those who wait for it are told.
    const underWay = making.get(user)
    if (underWay) return underWay
    const known = ring.newest(user)
    if (known !== null) return known
    const made = make(user).finally(() => making.delete(user))
    making.set(user, made)
    return made
  }

  function sealed(keyId: string, packId: Buffer, content: Buffer): SealedContent {
    const leaf = ring.leaf(keyId, packId)
    // Cut out before the message was sent, or with parts that are not kept here.
    if (!Buffer.isBuffer(leaf))
      throw new Fault('key_destroyed', 'the message was destroyed', { retriable: false })
    return { keyId, content: sealContent(leaf, content) }
  }

  function opened(payload: EventPayload): EventPayload | null {
    if (!('keyId' in payload) || payload.keyId === null) return payload
    const leaf = ring.leaf(payload.keyId, payload.packId)
    if (leaf === 'unknown') return null
    return withContent(payload, leaf === 'destroyed' ? null : openContent(leaf, payload.content))
  }

  return {
    ring,
    readTo: topic.readTo,
    write,
    untilRead,
    seal(user, packId, content) {
      sealing?.requireFresh()
      const keyId = keyOf(user)
      return typeof keyId === 'string'
        ? sealed(keyId, packId, content)
        : keyId.then((made) => sealed(made, packId, content))
    },
    opened,
    async openedAll(payloads) {
      const done = payloads.map((payload) => payload && opened(payload))
      if (!done.some((found, i) => found === null && payloads[i] !== null)) return done
      await untilRead()
      return payloads.map((payload) => payload && (opened(payload) ?? withContent(payload, null)))
    },
    async stop() {
      cancelRoll()
      sealing?.stop()
      await (await appender)?.close()
      await topic.stop()
    },
  }
}

const changed = (): Fault =>
  new Fault('keys_changed', 'somebody else changes keys at the same time: run it again', { retriable: true })

const isSame = (a: ContentKey, b: ContentKey): boolean =>
  a.state === b.state && a.by === b.by && a.at === b.at && (a.tree ?? NOTHING).equals(b.tree ?? NOTHING)

/** Null: what nobody can open any more. */
export function withContent(payload: EventPayload, content: Buffer | null): EventPayload {
  if (!('keyId' in payload)) return payload
  return content ? { ...payload, keyId: null, content } : { ...payload, content: NOTHING }
}

/** Where there is no secret: what is sealed cannot be read, and nothing is sealed. */
export const noContentKeys: ContentOpener = {
  opened(payload) {
    if (!('keyId' in payload) || payload.keyId === null) return payload
    throw new Fault(
      'no_keys_secret',
      'contents are sealed: LONGWIRE_KEYS_SECRET_FILE must name the file with the secret of their keys',
      { retriable: false },
    )
  },
  openedAll: async (payloads) => payloads.map((payload) => payload && noContentKeys.opened(payload)),
  untilRead: async () => {},
}
