/** One HTTP request to a service that may be slow, endless or hostile: held to a time and a size, and sent nowhere else. */
import { Fault } from '../schemas/ports.ts'

export interface FetchBounds {
  readonly timeoutMs: number
  readonly bytesMax: number
}

/** The body of a 200. Everything else is a Fault; its message names no address. */
export async function boundedFetch(url: string, init: RequestInit, bounds: FetchBounds): Promise<string> {
  const ended = new AbortController()
  const signal = AbortSignal.any([ended.signal, AbortSignal.timeout(bounds.timeoutMs)])
  try {
    const response = await fetch(url, { ...init, redirect: 'error', signal })
    if (response.status !== 200) throw fault('http_status', `answered ${response.status}`)
    return await bodyOf(response, bounds.bytesMax)
  } catch (cause) {
    if (cause instanceof Fault) throw cause
    const late = (cause as Error).name === 'TimeoutError'
    throw fault(
      'unavailable',
      late ? `did not answer within ${bounds.timeoutMs} ms` : 'could not be asked',
      cause,
    )
  } finally {
    // What was not read of the body must not come any more.
    ended.abort()
  }
}

async function bodyOf(response: Response, bytesMax: number): Promise<string> {
  const parts: Uint8Array[] = []
  let bytes = 0
  for await (const part of response.body ?? []) {
    bytes += part.byteLength
    if (bytes > bytesMax) throw fault('http_too_large', `answered more than ${bytesMax} bytes`)
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}

const fault = (code: string, message: string, cause?: unknown): Fault =>
  new Fault(code, message, { retriable: true, cause })
