/** `npm run schemas:freeze`: writes every current schema into schemas/history, where released versions stay for ever. */
import { existsSync, writeFileSync } from 'node:fs'
import { commandPayloads, eventPayloads, records } from '../schemas/records.ts'

for (const codec of Object.values({ ...commandPayloads, ...eventPayloads, ...records })) {
  const name = `${codec.name}.${codec.fingerprint.toString('hex')}.avsc`
  const file = new URL(`../schemas/history/${name}`, import.meta.url)
  if (existsSync(file)) continue
  writeFileSync(file, `${codec.canonical}\n`)
  process.stdout.write(`froze ${name}\n`)
}
