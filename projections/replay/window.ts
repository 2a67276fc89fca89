/** A part of the log, for a partial rebuild: by broker time or by offset. Pure. */
import type { Accepted } from '../projection.ts'

export type Bound =
  | { readonly by: 'time'; readonly ms: number }
  | { readonly by: 'offset'; readonly offset: number }

/** [from, until); null: as far as the log goes. */
export interface Window {
  readonly from: Bound | null
  readonly until: Bound | null
}

type Place = { readonly offset: number; readonly time: number }

const reaches = (bound: Bound, { offset, time }: Place): boolean =>
  bound.by === 'time' ? time >= bound.ms : offset >= bound.offset

export const placeOf = ({ offset, envelope }: Accepted): Place => ({ offset, time: envelope.time })

export const isWithin = ({ from, until }: Window, place: Place): boolean =>
  (from === null || reaches(from, place)) && (until === null || !reaches(until, place))

/** Times never step back within a partition, so what comes later is beyond as well. */
export const isBehind = ({ until }: Window, place: Place): boolean => until !== null && reaches(until, place)

/** An offset, or a time as ISO 8601 has it (UTC where no zone is named); null for anything else. */
export function parseBound(text: string): Bound | null {
  if (/^\d{1,15}$/.test(text)) return { by: 'offset', offset: Number(text) }
  if (!/^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?)?$/.test(text))
    return null
  const zoned = /(Z|[+-]\d{2}:?\d{2})$/.test(text.slice(10)) || text.length === 10
  const ms = Date.parse(`${text.replace(' ', 'T')}${zoned ? '' : 'Z'}`)
  return Number.isNaN(ms) ? null : { by: 'time', ms }
}

export const boundText = (bound: Bound): string =>
  bound.by === 'time' ? new Date(bound.ms).toISOString() : `offset ${bound.offset}`
