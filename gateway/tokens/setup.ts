/** Puts the verification together as the settings say. */
import { open } from 'node:fs/promises'
import { boundedFetch } from '../../infra/bounded-fetch.ts'
import type { Config } from '../../infra/config.ts'
import { ensureTokenSecretFile, readTokenSecret } from '../../infra/token-secret.ts'
import { limits } from '../../schemas/limits.ts'
import type { Clock, Logger } from '../../schemas/ports.ts'
import { jwksSource, type KeySource, secretSource } from './key-source.ts'

export interface KeyDeps {
  readonly clock: Clock
  readonly random: () => number
  readonly log: Logger
}

/** With a JWKS no token of the development secret counts: one kind at a time. */
export function keysOf(config: Config, deps: KeyDeps): KeySource {
  const { jwksUrl, jwksFile } = config
  if (jwksUrl !== undefined) return jwksSource({ ...deps, load: () => fetched(jwksUrl) })
  if (jwksFile !== undefined) return jwksSource({ ...deps, load: () => fileText(jwksFile) })
  return secretSource(readTokenSecret(ensureTokenSecretFile(config)))
}

const fetched = (url: string): Promise<string> =>
  boundedFetch(
    url,
    { headers: { accept: 'application/jwk-set+json, application/json' } },
    { timeoutMs: limits.jwksTimeoutMs, bytesMax: limits.jwksBytesMax },
  )

async function fileText(file: string): Promise<string> {
  const handle = await open(file, 'r')
  try {
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(limits.jwksBytesMax + 1), 0)
    if (bytesRead > limits.jwksBytesMax) throw new Error(`it holds more than ${limits.jwksBytesMax} bytes`)
    return buffer.toString('utf8', 0, bytesRead)
  } finally {
    await handle.close()
  }
}
