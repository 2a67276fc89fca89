/** Files of an export: written line by line, held against their manifest line by line. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createReadStream, createWriteStream, existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { recordHash, text64 } from '../verify/fingerprints.ts'
import type { Manifest } from './export.ts'

export interface FileFacts {
  readonly name: string
  readonly lines: number
  readonly bytes: number
  readonly sha256: string
}

export interface LineFile {
  line(value: object): Promise<void>
  close(): Promise<FileFacts>
}

const MANIFEST = 'manifest.json'
/** SHA-256 of the manifest itself, as `sha256sum -c` reads it. */
const SEAL = 'manifest.json.sha256'

export async function openLineFile(folder: string, name: string): Promise<LineFile> {
  const out = createWriteStream(path.join(folder, name), { flags: 'wx' })
  const hash = createHash('sha256')
  await once(out, 'open')
  let [lines, bytes] = [0, 0]
  return {
    async line(value) {
      const text = Buffer.from(`${JSON.stringify(value)}\n`, 'utf8')
      hash.update(text)
      lines += 1
      bytes += text.length
      if (!out.write(text)) await once(out, 'drain')
    },
    async close() {
      out.end()
      await once(out, 'finish')
      return { name, lines, bytes, sha256: hash.digest('hex') }
    },
  }
}

/** `write` fills a folder beside the one that is wanted, which takes its name only when all of it is there. */
export async function intoFolder(
  to: string,
  write: (folder: string) => Promise<Manifest>,
): Promise<Manifest> {
  const folder = path.resolve(to)
  if (existsSync(folder) && (await readdir(folder)).length > 0)
    throw new RangeError(`${folder} is not empty: name a folder that is not there yet`)
  const part = `${folder}.part`
  await rm(part, { recursive: true, force: true })
  await mkdir(part, { recursive: true })
  try {
    const manifest = await write(part)
    const text = `${JSON.stringify(manifest, null, 2)}\n`
    await writeFile(path.join(part, MANIFEST), text)
    await writeFile(path.join(part, SEAL), `${sha256Of(text)}  ${MANIFEST}\n`)
    await rm(folder, { recursive: true, force: true })
    await rename(part, folder)
    return manifest
  } catch (err) {
    await rm(part, { recursive: true, force: true })
    throw err
  }
}

const sha256Of = (text: string): string => createHash('sha256').update(text).digest('hex')

/** What is wrong with an export, in words; empty: nothing. Rejects with a RangeError where there is none. */
export async function checkFolder(folder: string): Promise<{ manifest: Manifest; wrong: string[] }> {
  const read = async (name: string) => {
    try {
      return await readFile(path.join(folder, name), 'utf8')
    } catch {
      throw new RangeError(`${path.join(folder, name)} cannot be read: is this the folder of an export?`)
    }
  }
  const [text, seal] = [await read(MANIFEST), await read(SEAL)]
  const wrong: string[] = []
  if (!seal.startsWith(sha256Of(text))) wrong.push(`${MANIFEST} is not the one that was written: see ${SEAL}`)
  let manifest: Manifest
  try {
    manifest = JSON.parse(text) as Manifest
  } catch {
    throw new RangeError(`${path.join(folder, MANIFEST)} is no manifest`)
  }
  if (manifest.form !== 1 || !Array.isArray(manifest.files))
    throw new RangeError(
      `the manifest has form ${manifest.form}, which this release does not know: check it with the one that wrote it`,
    )
  const known = new Set([MANIFEST, SEAL, ...manifest.files.map(({ name }) => name)])
  for (const name of await readdir(folder)) if (!known.has(name)) wrong.push(`${name} is not in the manifest`)
  for (const file of manifest.files) wrong.push(...(await checkFile(folder, file)))
  return { manifest, wrong }
}

const LINES_NAMED_MAX = 5

async function checkFile(folder: string, { name, lines, bytes, sha256 }: FileFacts): Promise<string[]> {
  const place = path.join(folder, path.basename(name))
  if (!existsSync(place)) return [`${name} is missing`]
  const hash = createHash('sha256')
  const stream = createReadStream(place)
  let size = 0
  stream.on('data', (chunk) => {
    hash.update(chunk)
    size += chunk.length
  })
  let count = 0
  const wrong: string[] = []
  for await (const line of createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY })) {
    count += 1
    if (!isWhole(line) && wrong.length < LINES_NAMED_MAX)
      wrong.push(`${name} line ${count}: its hash is not that of its payload`)
  }
  const found = hash.digest('hex')
  if (count !== lines) wrong.push(`${name} has ${count} lines, not ${lines}`)
  if (found !== sha256)
    wrong.push(`${name} has SHA-256 ${found} and ${size} bytes, not ${sha256} and ${bytes}`)
  return wrong
}

/** A record's hash is made of its payload, stream and seq. */
function isWhole(line: string): boolean {
  try {
    const { payload, hash, stream, seq } = JSON.parse(line) as Record<string, unknown>
    if (hash === undefined) return true
    const { high, low } = recordHash(String(stream), Number(seq), Buffer.from(String(payload), 'base64'))
    return text64(high, low) === hash
  } catch {
    return false
  }
}
