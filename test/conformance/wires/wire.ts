/** One way to carry frames, as a client of the published protocol sees it. Nothing here comes from the server's code. */

/** As on `longwire.json`: content as JSON value, null fields left out. `bytes` are Buffers. */
export type Frame = { readonly type: string } & Readonly<Record<string, unknown>>

export interface Pipe {
  send(frame: Frame): void
  close(): void
}

export interface PipeHandlers {
  frame(frame: Frame): void
  /** Once: the other side has ended it, or it broke. */
  ended(): void
}

export interface Wire {
  readonly name: string
  /** Resolves when frames can be sent; the first must be a login. */
  open(handlers: PipeHandlers): Promise<Pipe>
}

/** Without fields that are null, at any depth: in JSON they may be left out. */
export function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls)
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, inner]) => inner !== null)
      .map(([name, inner]) => [name, withoutNulls(inner)]),
  )
}

/** A frame of `longwire.json`. */
export function fromJson(text: string): Frame {
  const frame = withoutNulls(JSON.parse(text)) as Frame
  return typeof frame.data === 'string' ? { ...frame, data: Buffer.from(frame.data, 'base64') } : frame
}
