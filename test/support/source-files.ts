/** The repository as a list of files, for the tests that hold it to its own rules. */
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const SKIPPED = /^(node_modules|dist|\..+)$/

export interface SourceFile {
  /** From the root, with slashes. */
  readonly path: string
  readonly text: string
  /** The text without its comments. */
  readonly code: string
  readonly imports: readonly Import[]
}

export interface Import {
  /** A path from the root for a file of ours, else the name of a package. */
  readonly from: string
  readonly ours: boolean
  readonly typeOnly: boolean
}

/** Every file of the repository with one of these endings. */
export function sourceFiles(endings: readonly string[] = ['.ts']): SourceFile[] {
  const found: SourceFile[] = []
  const visit = (folder: string) => {
    for (const entry of readdirSync(`${ROOT}${folder}`, { withFileTypes: true })) {
      if (SKIPPED.test(entry.name)) continue
      const path = `${folder}${entry.name}`
      if (entry.isDirectory()) visit(`${path}/`)
      // What lies loose in the root is not ours but the settings of tools.
      else if (folder !== '' && endings.some((ending) => path.endsWith(ending))) found.push(read(path))
    }
  }
  visit('')
  return found
}

function read(path: string): SourceFile {
  const text = readFileSync(`${ROOT}${path}`, 'utf8')
  const code = path.endsWith('.ts') ? withoutComments(text) : text
  return { path, text, code, imports: path.endsWith('.ts') ? importsOf(path, code) : [] }
}

const withoutComments = (text: string) =>
  text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|[\s;{])\/\/.*$/gm, '$1')

const STATEMENT = /^(?:import|export)\s+(type\s+)?(?:([^;'"]*?)\s+from\s+)?['"]([^'"]+)['"]/gm
const DYNAMIC = /\bimport\(\s*['"]([^'"]+)['"]\s*\)/g

function importsOf(path: string, code: string): Import[] {
  const imports: Import[] = []
  for (const [, type, names = '', from = ''] of code.matchAll(STATEMENT)) {
    const listed = /^\{([\s\S]*)\}$/.exec(names.trim())?.[1]
    const allTypes = listed?.split(',').every((name) => name.trim() === '' || name.trim().startsWith('type '))
    imports.push(resolved(path, from, type !== undefined || allTypes === true))
  }
  for (const [, from = ''] of code.matchAll(DYNAMIC)) imports.push(resolved(path, from, false))
  return imports
}

function resolved(path: string, from: string, typeOnly: boolean): Import {
  if (!from.startsWith('.')) return { from, ours: false, typeOnly }
  const url = new URL(from, `file:///${path}`)
  return { from: decodeURIComponent(url.pathname.slice(1)), ours: true, typeOnly }
}
