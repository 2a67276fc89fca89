/** The secret under which the keys of contents are wrapped, and the keys themselves for whoever seals or opens contents. */
import { createHash, randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import {
  type ContentKeys,
  type ContentKeysOptions,
  type ContentOpener,
  followContentKeys,
  noContentKeys,
} from '../projections/content-keys/follower.ts'
import { Fault } from '../schemas/ports.ts'
import { topics } from '../schemas/topics.ts'
import { type Config, ConfigError, readSecretFile } from './config.ts'

const SECRET_BYTES = 32
const FILE = 'keys-secret'

/** The file with the secret: the one that was set, else the data folder's own, made at the first start. */
export function ensureKeysSecretFile(config: Config): string {
  if (config.keysSecretFile !== undefined) return config.keysSecretFile
  const file = path.join(config.dataDir, FILE)
  mkdirSync(config.dataDir, { recursive: true, mode: 0o700 })
  try {
    writeFileSync(file, `${randomBytes(SECRET_BYTES).toString('hex')}\n`, { flag: 'wx', mode: 0o600 })
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code !== 'EEXIST') throw err
  }
  return file
}

/** 32 bytes; null: no file was set and the data folder has none. Throws `ConfigError` where it cannot be read or is too short. */
export function keysSecretOf(config: Pick<Config, 'keysSecretFile' | 'dataDir'>): Buffer | null {
  const own = path.join(config.dataDir, FILE)
  const file = config.keysSecretFile ?? (existsSync(own) ? own : undefined)
  const secret = readSecretFile('KEYS_SECRET_FILE', file)
  if (secret === undefined) return null
  if (Buffer.byteLength(secret) < SECRET_BYTES)
    throw new ConfigError(
      `LONGWIRE_KEYS_SECRET_FILE: ${file} holds fewer than ${SECRET_BYTES} bytes; put a random secret there`,
    )
  return createHash('sha256').update(secret).digest()
}

export interface OpenKeys {
  readonly opener: ContentOpener
  /** Null: there is no secret, and nothing is sealed. */
  readonly keys: ContentKeys | null
  stop(): Promise<void>
}

/** Throws ConfigError where there is no secret though contents were sealed. */
export async function openContentKeys(
  config: Pick<Config, 'keysSecretFile' | 'dataDir'>,
  options: Omit<ContentKeysOptions, 'secret'>,
): Promise<OpenKeys> {
  const secret = keysSecretOf(config)
  if (secret) {
    const keys = await followContentKeys({ ...options, secret })
    return { opener: keys, keys, stop: () => keys.stop() }
  }
  const admin = await options.store.admin()
  try {
    const { end } = await admin.range(topics.keys, 0)
    if (end > 0)
      throw new ConfigError(
        `${topics.keys} holds keys of contents: LONGWIRE_KEYS_SECRET_FILE must name the file with the secret under which they are wrapped`,
      )
  } catch (err) {
    // A platform that was never started has no such topic.
    if (!(err instanceof Fault) || err.retriable) throw err
  } finally {
    await admin.close()
  }
  return { opener: noContentKeys, keys: null, stop: async () => {} }
}
