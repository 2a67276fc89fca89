/** `npm run docs:tables` */
import { readFileSync, writeFileSync } from 'node:fs'
import { pages, withTables } from './doc-tables.ts'
import { brokenBy, protoFile, tarsFile } from './omtp-files.ts'

for (const name of pages) {
  const file = new URL(`../docs/${name}.md`, import.meta.url)
  writeFileSync(file, withTables(readFileSync(file, 'utf8')))
}

const proto = new URL('../docs/protocol/omtp.proto', import.meta.url)
const broken = brokenBy(readFileSync(proto, 'utf8'), protoFile())
if (broken.length > 0)
  throw new Error(`numbers are frozen, put new fields at the end of their literal:\n${broken.join('\n')}`)
writeFileSync(proto, protoFile())
writeFileSync(new URL('../docs/protocol/omtp.tars', import.meta.url), tarsFile())
