/** What the runtime tells: whether it is a browser, and when network or screen come back. */
interface EventSource {
  addEventListener?(type: string, listener: () => void): void
  removeEventListener?(type: string, listener: () => void): void
}
const browser = globalThis as unknown as {
  window?: EventSource
  document?: EventSource & { visibilityState?: string }
}

export const isBrowser = (): boolean => browser.document !== undefined

/** Calls `wake` when the network or the page comes back. Returns a function that ends it. */
export function onWake(wake: () => void): () => void {
  const { window, document } = browser
  const shown = (): void => {
    if (document?.visibilityState === 'visible') wake()
  }
  window?.addEventListener?.('online', wake)
  document?.addEventListener?.('visibilitychange', shown)
  return () => {
    window?.removeEventListener?.('online', wake)
    document?.removeEventListener?.('visibilitychange', shown)
  }
}
