/** Accepted records with their contents in clear, for whoever writes read models. */
import type { Accepted } from '../projection.ts'
import type { ContentOpener } from './follower.ts'

/** The bytes in `envelope.payload` stay as they were logged. */
export const openAccepted =
  (opener: Pick<ContentOpener, 'openedAll'>) =>
  async (records: readonly Accepted[]): Promise<readonly Accepted[]> => {
    const payloads = await opener.openedAll(records.map(({ payload }) => payload))
    return records.map((record, i) =>
      payloads[i] === record.payload ? record : { ...record, payload: payloads[i] ?? null },
    )
  }
