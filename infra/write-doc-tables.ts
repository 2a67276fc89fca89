/** `npm run docs:tables` */
import { readFileSync, writeFileSync } from 'node:fs'
import { withTables } from './doc-tables.ts'

for (const name of ['protocol', 'operations']) {
  const file = new URL(`../docs/${name}.md`, import.meta.url)
  writeFileSync(file, withTables(readFileSync(file, 'utf8')))
}
