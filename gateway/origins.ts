/** Whose pages may open a WebSocket here: a browser sends its page's origin and cannot forge it. */

const LOCAL = /^https?:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?$/

/**
 * `origin` as sent, '' when absent. Compared exactly: browsers write it in one way only. Without an allow-list the same origin and
 * pages on this machine may. Without an origin only what is no browser may: a browser that hides it would be let in as anyone.
 */
export function originAllowed(
  origin: string,
  host: string,
  allowed: readonly string[] | null,
  isBrowser: boolean,
): boolean {
  if (origin === '') return !isBrowser
  if (allowed) return allowed.includes(origin)
  return origin === `https://${host}` || origin === `http://${host}` || LOCAL.test(origin)
}

/** Settings give URLs; an origin is what a browser makes of them. */
export const originsOf = (urls: readonly string[]): string[] => urls.map((url) => new URL(url).origin)
