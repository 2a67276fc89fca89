import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { pages, withTables } from '../../infra/doc-tables.ts'

test.each(pages)('the tables of docs/%s.md say what the code says', (name) => {
  const page = readFileSync(new URL(`../../docs/${name}.md`, import.meta.url), 'utf8')
  expect(page).toContain('<!-- table:')
  expect(withTables(page)).toBe(page)
})
