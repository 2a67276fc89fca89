/** A command of the project, run as a process of its own. */
import { spawn } from 'node:child_process'
import path from 'node:path'

const root = path.resolve(import.meta.dirname, '../..')

/** Resolves to what it printed and its exit code. */
export async function runCommand(
  dataDir: string,
  file: string,
  args: readonly string[],
  settings: Readonly<Record<string, string>> = {},
): Promise<{ code: number | null; printed: string }> {
  const env = { ...process.env, LONGWIRE_DATA: dataDir, ...settings }
  const child = spawn(process.execPath, [file, ...args], { cwd: root, env })
  let printed = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      printed += chunk
    })
  const code = await new Promise<number | null>((resolve) => child.once('exit', resolve))
  return { code, printed }
}
