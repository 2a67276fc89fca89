import { randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { type Config, ConfigError, readSecretFile } from './config.ts'

const secretBytes = 32

/** The file with the secret that signs tokens: the one that was set, else the data folder's own, made at the first start. */
export function ensureTokenSecretFile(config: Config): string {
  if (config.tokenSecretFile !== undefined) return config.tokenSecretFile
  const file = path.join(config.dataDir, 'token-secret')
  mkdirSync(config.dataDir, { recursive: true, mode: 0o700 })
  try {
    writeFileSync(file, `${randomBytes(secretBytes).toString('hex')}\n`, { flag: 'wx', mode: 0o600 })
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code !== 'EEXIST') throw err
  }
  return file
}

/** The secret's bytes. Throws `ConfigError` if the file cannot be read or is shorter than 32 bytes. */
export function readTokenSecret(file: string): Uint8Array {
  const secret = Buffer.from(readSecretFile('TOKEN_SECRET_FILE', file) ?? '', 'utf8')
  if (secret.byteLength < secretBytes) {
    throw new ConfigError(
      `LONGWIRE_TOKEN_SECRET_FILE: ${file} holds fewer than ${secretBytes} bytes; put a random secret there`,
    )
  }
  return secret
}
