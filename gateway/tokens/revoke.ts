/** Puts a revocation into the log. */
import { seal } from '../../schemas/avro.ts'
import type { LogStore } from '../../schemas/ports.ts'
import { type Revocation, records } from '../../schemas/records.ts'
import { topics } from '../../schemas/topics.ts'

/** Resolves once every in-sync replica has it; after a Fault it may or may not stand: the same again does no harm. */
export async function appendRevocation(store: LogStore, revocation: Revocation): Promise<void> {
  const appender = await store.appender('revocations')
  try {
    const value = seal(records.Revocation, revocation)
    await appender.append(topics.revocations, 0, { key: revocation.user, value })
  } finally {
    await appender.close()
  }
}
