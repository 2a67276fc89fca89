/** A restore of the model's partition: what counted is written anew as a later generation, by rewriters that may be cut short. */
import { emptyFold, foldRecord } from '../../../processors/fold.ts'
import { claimRecord } from '../../../processors/sequencer/owner.ts'
import { restamp } from '../../../projections/restore/restamp.ts'
import { sealEnvelope } from '../../../schemas/codec.ts'
import type { Envelope } from '../../../schemas/records.ts'
import type { World } from './worker.ts'

/** `whole`: nothing is lost. Else the archive may have been behind. */
export function rewriteLog(
  { random, network, seenAccepted }: World,
  generation: number,
  whole: boolean,
): void {
  const { log } = network
  const fold = emptyFold()
  const counted = log.flatMap((record): Envelope[] => {
    const { verdict, envelope } = foldRecord(fold, record)
    return verdict === 'accept' && envelope ? [envelope] : []
  })
  const kept = whole || random.chance(0.5) ? counted : counted.slice(0, random.int(counted.length + 1))
  log.length = 0
  seenAccepted.clear()
  const append = (envelope: Envelope): number =>
    log.push({ offset: log.length, key: null, value: sealEnvelope(envelope), timestamp: 0 }) - 1
  let epoch = append(claimRecord(generation, 0, 'rewriter'))
  for (const [source, record] of kept.entries()) {
    const archived = { ...record, kind: record.kind as Exclude<Envelope['kind'], 'claim'>, partition: 0 }
    const stamped = (under: number) => restamp(archived, { generation, epoch: under, source })
    if (random.chance(0.05)) {
      // Cut short: the next one claims, and what the first had on its way arrives behind the claim.
      const before = epoch
      epoch = append(claimRecord(generation, 0, 'rewriter'))
      append(stamped(before))
    }
    append(stamped(epoch))
  }
}
