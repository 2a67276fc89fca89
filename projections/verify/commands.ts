/** Every command, as far as it is kept, against the record that names it as its source. */
import { openCommand } from '../../schemas/codec.ts'
import type { LogStore } from '../../schemas/ports.ts'
import { topics } from '../../schemas/topics.ts'
import { scan } from '../scan.ts'
import type { Find } from './findings.ts'
import { answerOf, commandHash, type PartitionFold, UNKNOWN } from './fold.ts'

/**
 * Reads im.commands up to `ends` and forgets the answers that were looked at. What is above the last source by then was never
 * answered. Answers how many commands there were.
 */
export async function checkCommands(
  {
    store,
    partitions,
    signal,
  }: { readonly store: LogStore; readonly partitions: number; readonly signal?: AbortSignal },
  folds: ReadonlyMap<number, PartitionFold>,
  ends: ReadonlyMap<number, number>,
  find: Find,
): Promise<number> {
  let looked = 0
  await scan({
    ...{ store, topic: topics.commands, partitions, ...(signal ? { signal } : {}) },
    from: (partition, range) => Math.max(range.begin, folds.get(partition)?.answersFrom ?? range.end),
    until: (partition, range) => (folds.has(partition) ? (ends.get(partition) ?? range.begin) : range.begin),
    take(partition, records) {
      const of = folds.get(partition)
      if (!of) return
      for (const { offset, value } of records) {
        looked += 1
        const place = `${topics.commands} ${partition}/${offset}`
        const answer = of.answers[offset - of.answersFrom]
        if (answer === undefined) find('unanswered', `${place} has no record in ${topics.events}`)
        else if (answer !== UNKNOWN && !fits(value, answer))
          find('altered', `${place}: the record with this source is not of this command`)
      }
    },
  })
  for (const [partition, of] of folds) {
    const end = ends.get(partition) ?? 0
    if (end <= of.answersFrom) continue
    of.answers = of.answers.slice(end - of.answersFrom)
    of.answersFrom = end
  }
  return looked
}

/** A command that cannot be read was refused in its place, with nothing of it in the record. */
function fits(value: Buffer | null, answer: number): boolean {
  try {
    if (!value) return true
    const { stream, sender, packId } = openCommand(value)
    return answerOf(commandHash(stream, sender, packId)) === answer
  } catch {
    return true
  }
}
