/** Times as people write them: pure. */
const ISO = /^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?(?:Z|[+-]\d\d:?\d\d)?)?$/

/** Milliseconds of an ISO time (UTC where it names no zone; a day is its beginning) or of milliseconds. */
export function timeIn(text: string): number {
  if (/^\d{11,15}$/.test(text)) return Number(text)
  const hasZone = /(?:Z|[+-]\d\d:?\d\d)$/.test(text.slice(10))
  const full = text.length === 10 ? `${text}T00:00:00Z` : `${text.replace(' ', 'T')}${hasZone ? '' : 'Z'}`
  const ms = ISO.test(text) ? Date.parse(full) : Number.NaN
  if (Number.isNaN(ms))
    throw new RangeError(
      `'${text}' is no time: 2026-11-22T08:30:00Z (UTC where no zone is named), or milliseconds`,
    )
  return ms
}
