/**
 * `npm run test:chaos`: the command in a process of its own, with the same arguments, which is ended when its result is known.
 * Node now and then never ends a process that has finished (its threads wait for each other, nodejs/node#54918): a gate would wait for ever.
 */
import { spawn } from 'node:child_process'
import path from 'node:path'

/** How long the process may live on after its result. */
const lingerMsMax = 10_000

// A group of its own: what a terminal sends to all of a group would otherwise reach it twice, which ends it at once.
const child = spawn(
  process.execPath,
  [...process.execArgv, path.join(import.meta.dirname, 'command.ts'), ...process.argv.slice(2)],
  { stdio: ['inherit', 'inherit', 'inherit', 'ipc'], detached: true },
)
let result: number | undefined
child.once('message', (code: number) => {
  result = code
  setTimeout(() => {
    process.stderr.write(`everything is done, and process ${child.pid} does not end: killed\n`)
    child.kill('SIGKILL')
  }, lingerMsMax).unref()
})
child.once('exit', (code) => {
  process.exitCode = result ?? code ?? 1
})
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal))
