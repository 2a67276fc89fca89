/** What the README tells people to run, in small: each starts a platform of its own and judges what it saw. */
import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, test } from 'vitest'

const root = path.resolve(import.meta.dirname, '../..')

/** Resolves to what it printed and its exit code. */
async function run(...args: string[]): Promise<{ code: number | null; printed: string }> {
  const dataDir = await mkdtemp(path.join(tmpdir(), 'longwire-'))
  const env = {
    ...process.env,
    LONGWIRE_DATA: dataDir,
    LONGWIRE_PORT: '0',
    LONGWIRE_API_PORT: '0',
    LONGWIRE_OMTP_PORT: '0',
  }
  const child = spawn(process.execPath, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] })
  let printed = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      printed += chunk
    })
  const code = await new Promise<number | null>((resolve) => child.once('exit', resolve))
  await rm(dataDir, { recursive: true, force: true })
  return { code, printed }
}

test('a login sends no more after 5,000 missed messages than after 200', async () => {
  const of = ['--members', '300', '--missed', '200,5000', '--chats', '5']
  const { code, printed } = await run('bench/main.ts', 'offline', ...of)
  expect(code, printed).toBe(0)
  expect(printed).toMatch(/5,000 +new/)
})

test('the demo plays its dialogue and finds nothing missing, doubled, out of order or counted wrong', async () => {
  const { code, printed } = await run('bench/demo/main.ts')
  expect(code, printed).toBe(0)
  expect(printed).toMatch(/missing/)
})
