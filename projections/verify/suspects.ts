/** Two equal fingerprints may be chance: reads the partition once more and looks at the packIds themselves. */
import { START } from '../../schemas/accept.ts'
import { formatPackId } from '../../schemas/ids.ts'
import type { LogStore } from '../../schemas/ports.ts'
import { readRecord } from '../../schemas/read.ts'
import { topics } from '../../schemas/topics.ts'
import { scan } from '../scan.ts'
import type { Find } from './findings.ts'
import type { PartitionFold, Suspect } from './fold.ts'

export async function confirm(
  {
    store,
    partitions,
    signal,
  }: { readonly store: LogStore; readonly partitions: number; readonly signal?: AbortSignal },
  suspects: readonly Suspect[],
  folds: ReadonlyMap<number, PartitionFold>,
  find: Find,
): Promise<void> {
  if (suspects.length === 0) return
  const keyOf = (of: Omit<Suspect, 'partition'>) => `${of.stream} ${of.sender} ${of.packId}`
  const wanted = new Set(suspects.map(keyOf))
  const concerned = new Set(suspects.map(({ partition }) => partition))
  const places = new Map<string, string[]>()
  const positions = new Map([...concerned].map((partition) => [partition, START]))
  await scan({
    ...{ store, topic: topics.events, partitions, ...(signal ? { signal } : {}) },
    until: (partition, range) =>
      concerned.has(partition) ? (folds.get(partition)?.position.offset ?? range.begin) : range.begin,
    take(partition, records) {
      for (const record of records) {
        const { next, envelope, payload, verdict } = readRecord(positions.get(partition) ?? START, record)
        positions.set(partition, next)
        if (verdict !== 'accept' || envelope?.kind !== 'event' || !payload || payload.type === 'Claim')
          continue
        const { stream, seq } = envelope
        const key = keyOf({ stream, sender: payload.sender, packId: formatPackId(payload.packId) })
        if (!wanted.has(key)) continue
        const place = `seq ${seq} (partition ${partition}, offset ${record.offset})`
        places.set(key, [...(places.get(key) ?? []), place])
      }
    },
  })
  for (const [key, at] of places) {
    const [stream, sender, packId] = key.split(' ')
    if (at.length > 1) find('doubled', `${stream}: packId ${packId} of ${sender} is ${at.join(' and ')}`)
  }
}
