/** What the runtime tells and lends: whether it is a browser, when network or screen come back, and inflating. */
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

type Inflate = (bytes: Uint8Array) => Uint8Array
interface Builtins {
  process?: { getBuiltinModule?(name: string): { inflateRawSync: Inflate } | undefined }
}

/** Undoes raw DEFLATE (RFC 1951). Rejects for bytes that are none. */
export async function inflateRaw(bytes: Uint8Array): Promise<Uint8Array> {
  // Not imported, so that a bundle for browsers has nothing to resolve.
  const zlib = (globalThis as Builtins).process?.getBuiltinModule?.('node:zlib')
  if (zlib) return zlib.inflateRawSync(bytes)
  const stream = new Blob([bytes as Uint8Array<ArrayBuffer>])
    .stream()
    .pipeThrough(new DecompressionStream('deflate-raw'))
  return new Uint8Array(await new Response(stream).arrayBuffer())
}
