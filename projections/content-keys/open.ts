/** Records with their contents in clear, for whoever writes read models or shows the past. */
import type { EventPayload } from '../../schemas/records.ts'
import type { ContentOpener } from './follower.ts'

/** The bytes in `envelope.payload` stay as they were logged. */
export const openRecords =
  (opener: Pick<ContentOpener, 'openedAll'>) =>
  async <R extends { readonly payload: EventPayload | null }>(
    records: readonly R[],
  ): Promise<readonly R[]> => {
    const payloads = await opener.openedAll(records.map(({ payload }) => payload))
    return records.map((record, i) =>
      payloads[i] === record.payload ? record : { ...record, payload: payloads[i] ?? null },
    )
  }
