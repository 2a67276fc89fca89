/** What users no longer see of a conversation, for an auditor: only while its keys are held, and each reading on the record. */
import { open, seal } from '../../schemas/avro.ts'
import { history } from '../../schemas/codec.ts'
import { openContent } from '../../schemas/content-keys.ts'
import type { LogStore } from '../../schemas/ports.ts'
import { type AuditReading, records } from '../../schemas/records.ts'
import { topics } from '../../schemas/topics.ts'
import { archivedEvents, type Recorded, type Saying, sayingIn } from '../archived.ts'
import type { KeyRing } from '../content-keys/ring.ts'
import type { ArchivePort } from '../ports.ts'
import { scan } from '../scan.ts'

export interface Scope {
  readonly conversation: string
  /** Whose messages; null: everyone's. */
  readonly user: string | null
  /** Seqs of messages, both included; `to` null: to the end. */
  readonly from: number
  readonly to: number | null
}

/** Why users do not see it. */
export type Hidden = 'recalled' | 'edited over' | 'erased'

export interface HiddenContent {
  readonly seq: number
  /** Seq of the message itself; of an edit another one. */
  readonly of: number
  /** Broker time in ms. */
  readonly time: number
  readonly sender: string
  readonly contentType: string
  readonly why: Hidden
  /** Seq of what hid it; null where the user's keys were taken. */
  readonly by: number | null
  /** Null: destroyed. */
  readonly content: string | null
}

const ALL_TIME = Number.MAX_SAFE_INTEGER

export interface AuditOptions {
  readonly clickhouse: Pick<ArchivePort, 'query'>
  readonly ring: KeyRing
  readonly now: number
  /** What has been hidden for longer is not read any more, whether it was destroyed by now or not. */
  readonly holdMs: number
}

export async function hiddenIn(
  scope: Scope,
  { clickhouse, ring, now, holdMs }: AuditOptions,
): Promise<HiddenContent[]> {
  const { conversation, user, from, to } = scope
  /** The versions of each message, the newest last, and what has recalled it. */
  const versions = new Map<number, Version[]>()
  const recalls = new Map<number, Hiding>()
  await archivedEvents(clickhouse, [conversation], ALL_TIME, (portion) => {
    for (const recorded of portion) {
      if (recorded.payload?.type === 'MessageRecalled')
        recalls.set(recorded.payload.target.seq, recorded.envelope)
      const saying = sayingIn(recorded)
      if (!saying) continue
      const { payload, of } = saying
      if (of < from || (to !== null && of > to) || (user !== null && payload.sender !== user)) continue
      const all = versions.get(of) ?? []
      versions.set(of, all)
      all.push({ recorded, payload })
    }
  })
  const found: HiddenContent[] = []
  for (const [of, all] of versions)
    for (const [i, { recorded, payload }] of all.entries()) {
      const hiding = hidingOf(ring, payload, recalls.get(of), all[i + 1]?.recorded.envelope)
      if (!hiding) continue
      const { why, by, until } = hiding
      const { seq, time } = recorded.envelope
      const { sender, contentType } = payload
      const content = (until ?? hiding.at + holdMs) > now ? contentIn(ring, payload) : null
      found.push({ seq, of, time, sender, contentType, why, by, content })
    }
  return found.toSorted((a, b) => a.of - b.of || a.seq - b.seq)
}

interface Version {
  readonly recorded: Recorded
  readonly payload: Saying
}

type Hiding = Pick<Recorded['envelope'], 'seq' | 'time'>

/** `at`: since when users do not see it; `until`: how long it is held, where that is said. */
function hidingOf(
  ring: KeyRing,
  { keyId }: Saying,
  recall: Hiding | undefined,
  edit: Hiding | undefined,
): (Pick<HiddenContent, 'why' | 'by'> & { readonly at: number; readonly until: number | null }) | null {
  const change = edit ?? recall
  if (change)
    return {
      why: recall ? 'recalled' : 'edited over',
      by: (recall ?? change).seq,
      at: change.time,
      until: null,
    }
  const key = keyId === null ? undefined : ring.get(keyId)
  return key && key.state !== 'live' ? { why: 'erased', by: null, at: 0, until: key.heldUntil ?? 0 } : null
}

function contentIn(ring: KeyRing, { keyId, packId, content }: Saying): string | null {
  if (keyId === null) return content.toString('utf8')
  const leaf = ring.leaf(keyId, packId, true)
  return Buffer.isBuffer(leaf) ? (openContent(leaf, content)?.toString('utf8') ?? null) : null
}

/** Resolves once the reading is on the record. Rejects with a Fault: then nothing may be shown. */
export async function record(store: LogStore, reading: AuditReading): Promise<void> {
  const appender = await store.appender('readings')
  try {
    await appender.append(topics.readings, 0, {
      key: reading.auditor,
      value: seal(records.AuditReading, reading),
    })
  } finally {
    await appender.close()
  }
}

/** All readings so far, the oldest first. */
export async function readings(store: LogStore): Promise<AuditReading[]> {
  const found: AuditReading[] = []
  await scan({
    ...{ store, topic: topics.readings, partitions: 1 },
    take(_, batch) {
      for (const { value } of batch) if (value) found.push(open(records.AuditReading, value, history))
    },
  })
  return found
}
