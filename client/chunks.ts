/** The list in parts of at most `max`. */
export function chunks<T>(list: readonly T[], max: number): T[][] {
  const parts: T[][] = []
  for (let at = 0; at < list.length; at += max) parts.push(list.slice(at, at + max))
  return parts
}
