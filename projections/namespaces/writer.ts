/** Writes im.projections: leases, so that one command at a time works on a projection, and lists. */
import { randomUUID } from 'node:crypto'
import { seal } from '../../schemas/avro.ts'
import { type Clock, Fault, type LogStore, sleepOf } from '../../schemas/ports.ts'
import { records } from '../../schemas/records.ts'
import { topics } from '../../schemas/topics.ts'
import type { NamespaceFollower } from './follower.ts'
import { type Lease, leaseKey, type NamespaceList, type ProjectionName } from './registry.ts'

export interface RegistryWriter {
  /**
   * Takes the projection for this process and keeps it; what a killed one held is free after `LEASE_MS`. Rejects with Fault `leased`
   * where another one is at work.
   */
  lease(projection: ProjectionName, what: string): Promise<HeldLease>
  /** Resolves when this process reads it back. Only by who holds the lease. */
  change(projection: ProjectionName, by: (list: NamespaceList) => NamespaceList): Promise<NamespaceList>
  close(): Promise<void>
}

export interface HeldLease {
  /** Throws Fault `lease_lost` where it has run out and gone to another, as after a long stop of this process. */
  check(): void
  release(): Promise<void>
}

export const LEASE_MS = 10_000
const RENEW_MS = 3_000
const RETRY_MS = 1_000
const READ_BACK_MS = 20
const READ_BACK_MS_MAX = 10_000

export async function openRegistry(options: {
  readonly store: LogStore
  readonly follower: NamespaceFollower
  readonly clock: Clock
  /** Who writes, for people. */
  readonly by: string
}): Promise<RegistryWriter> {
  const { store, follower, clock, by } = options
  const appender = await store.appender('namespaces')
  const holder = `${by} ${randomUUID()}`
  const sleep = sleepOf(clock)

  async function append(key: string, value: Buffer): Promise<void> {
    const offset = await appender.append(topics.projections, 0, { key, value })
    for (let waited = 0; follower.readTo() <= offset; waited += READ_BACK_MS) {
      if (waited >= READ_BACK_MS_MAX)
        throw new Fault('unavailable', 'im.projections does not come back', { retriable: true })
      await sleep(READ_BACK_MS)
    }
  }

  const propose = (projection: ProjectionName, what: string, leaseMs: number): Promise<void> =>
    append(leaseKey(projection), seal(records.ProjectionLease, { projection, holder, what, leaseMs }))

  async function acquire(projection: ProjectionName, what: string): Promise<void> {
    let before: Lease | null = null
    for (;;) {
      await propose(projection, what, LEASE_MS)
      const now = follower.leaseOf(projection)
      if (now?.holder === holder) return
      // Renewed since we asked first: its holder lives.
      if (now && before && now.holder === before.holder && now.from > before.from)
        throw new Fault(
          'leased',
          `${now.what} is at work (${now.holder.split(' ').slice(0, -1).join(' ')})`,
          {
            retriable: true,
          },
        )
      before ??= now
      await sleep(RETRY_MS)
    }
  }

  return {
    async lease(projection, what) {
      await acquire(projection, what)
      let ended = false
      let cancel = (): void => {}
      const renew = (): void => {
        cancel = clock.after(RENEW_MS, () => {
          // What fails is tried again before the lease is over; whether it was lost shows in `check`.
          propose(projection, what, LEASE_MS)
            .catch(() => {})
            .finally(() => {
              if (!ended) renew()
            })
        })
      }
      renew()
      return {
        check() {
          if (follower.leaseOf(projection)?.holder !== holder)
            throw new Fault('lease_lost', `another command has taken ${projection} over`, { retriable: true })
        },
        async release() {
          ended = true
          cancel()
          await propose(projection, what, 0).catch(() => {})
        },
      }
    },
    async change(projection, to) {
      if (follower.leaseOf(projection)?.holder !== holder)
        throw new Fault('lease_lost', `another command has taken ${projection} over`, { retriable: true })
      const { active, namespaces } = to(follower.of(projection))
      const list = { projection, active, namespaces: [...namespaces], by, at: clock.now() }
      await append(projection, seal(records.ProjectionNamespaces, list))
      return follower.of(projection)
    },
    close: () => appender.close(),
  }
}
