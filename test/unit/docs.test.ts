import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { withTables } from '../../infra/doc-tables.ts'

test.each(['protocol', 'operations'])('the tables of docs/%s.md say what the code says', (name) => {
  const page = readFileSync(new URL(`../../docs/${name}.md`, import.meta.url), 'utf8')
  expect(page).toContain('<!-- table:')
  expect(withTables(page)).toBe(page)
})
