/**
 * `npm run schemas:freeze`: writes every current schema into schemas/history, where released versions stay for ever,
 * and its checksum into SHA256SUMS (`sha256sum -c` reads it). What is frozen already is left alone.
 */
import { createHash } from 'node:crypto'
import { appendFileSync, existsSync, writeFileSync } from 'node:fs'
import { commandPayloads, eventPayloads, records } from '../schemas/records.ts'

const folder = new URL('../schemas/history/', import.meta.url)

for (const codec of Object.values({ ...commandPayloads, ...eventPayloads, ...records })) {
  const name = `${codec.name}.${codec.fingerprint.toString('hex')}.avsc`
  const file = new URL(name, folder)
  if (existsSync(file)) continue
  const text = `${codec.canonical}\n`
  writeFileSync(file, text)
  appendFileSync(
    new URL('SHA256SUMS', folder),
    `${createHash('sha256').update(text).digest('hex')}  ${name}\n`,
  )
  process.stdout.write(`froze ${name}\n`)
}
