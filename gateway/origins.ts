/** Whose pages may open a WebSocket here: a browser sends its page's origin and cannot forge it. */

const LOCAL = /^https?:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?$/

/**
 * `origin` as sent, '' when absent. Compared exactly: browsers write it in one way only. Without an allow-list the same origin and
 * pages on this machine may. `site` is Sec-Fetch-Site, '' when absent: where a browser sends no origin (some leave it out of requests
 * to the same origin), it must say that it is the same; what is no browser sends neither.
 */
export function originAllowed(
  origin: string,
  host: string,
  allowed: readonly string[] | null,
  site: string,
): boolean {
  const own = [`https://${host}`, `http://${host}`]
  if (origin === '')
    return (
      site === '' ||
      (site === 'same-origin' && (allowed === null || own.some((one) => allowed.includes(one))))
    )
  if (allowed) return allowed.includes(origin)
  return own.includes(origin) || LOCAL.test(origin)
}

/** Settings give URLs; an origin is what a browser makes of them. */
export const originsOf = (urls: readonly string[]): string[] => urls.map((url) => new URL(url).origin)
