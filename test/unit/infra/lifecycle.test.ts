import { type ChildProcess, spawn } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { runSteps } from '../../../infra/lifecycle.ts'
import { silentLog } from '../../../infra/log.ts'

const program = (body: string) => `
  import { exitOnCrash, exitWithParent, onShutdown } from './infra/lifecycle.ts'
  import { createLogger, silentLog as log } from './infra/log.ts'
  const say = (line) => process.stdout.write(line + '\\n')
  const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
  ${body}
  setInterval(() => {}, 1000)
  say('up')`

function run(body: string): {
  child: ChildProcess
  up: Promise<void>
  ended: Promise<{ code: number | null; out: string }>
} {
  const child = spawn(process.execPath, ['--input-type=module', '-e', program(body)], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  })
  let out = ''
  const up = new Promise<void>((resolve) => {
    child.stdout?.on('data', (data: Buffer) => {
      out += data
      if (out.includes('up')) resolve()
    })
  })
  // Not `close`: it does not come for a child that was disconnected.
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve))
  const allSaid = new Promise((resolve) => child.stdout?.once('end', resolve))
  const ended = Promise.all([exited, allSaid]).then(([code]) => ({ code, out }))
  return { child, up, ended }
}

describe('the end of a process', () => {
  test('runs every step in order even when one fails or hangs', async () => {
    const ran: string[] = []
    const failed = await runSteps(silentLog, [
      { name: 'a', stop: () => void ran.push('a') },
      { name: 'b', stop: () => Promise.reject(new Error('no')) },
      { name: 'c', stop: () => new Promise(() => {}), deadlineMs: 10 },
      {
        name: 'd',
        stop: () => {
          throw new Error('at once')
        },
      },
      { name: 'e', stop: () => void ran.push('e') },
    ])
    expect(ran).toEqual(['a', 'e'])
    expect(failed).toBe(3)
  })

  test.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)('%s stops it in order with code 0', async (signal) => {
    const process = run(`onShutdown(log, [
      { name: '1', stop: async () => { await wait(20); say('first') } },
      { name: '2', stop: () => say('second') }])`)
    await process.up
    process.child.kill(signal)
    expect(await process.ended).toEqual({ code: 0, out: 'up\nfirst\nsecond\n' })
  })

  test('a second signal ends it at once', async () => {
    const process = run(
      `onShutdown(log, [{ name: '1', stop: () => { say('stopping'); return wait(60_000) }, deadlineMs: 60_000 }])`,
    )
    await process.up
    process.child.kill('SIGTERM')
    await new Promise((resolve) => process.child.stdout?.once('data', resolve))
    process.child.kill('SIGTERM')
    expect((await process.ended).code).toBe(130)
  })

  test('comes when its supervisor is gone', async () => {
    const process = run(`exitWithParent(() => { say('alone'); globalThis.process.exit(3) })`)
    await process.up
    process.child.disconnect()
    expect(await process.ended).toEqual({ code: 3, out: 'up\nalone\n' })
  })

  test('comes with code 1 and a log line when a promise was forgotten', async () => {
    const process = run(
      `exitOnCrash(createLogger({ name: 'x', pretty: false })); setTimeout(() => Promise.reject(new Error('bug')), 10)`,
    )
    const { code, out } = await process.ended
    expect(code).toBe(1)
    expect(out).toContain('"level":"fatal"')
  })
})

describe('the log', () => {
  test('hides tokens, secrets and what people wrote', async () => {
    const process = run(`createLogger({ name: 'x', pretty: false }).info(
      { token: 'leak1', auth: { password: 'leak2' }, event: { content: { text: 'leak3' } }, userId: 'bob' }, 'seen')
      setTimeout(() => globalThis.process.exit(0), 50)`)
    const { out } = await process.ended
    expect(out).not.toContain('leak')
    expect(out).toContain('"userId":"bob"')
  })

  test('hides what people wrote where an error quotes it, and keeps what tells of the error', async () => {
    const process = run(`
      import { sealCommand } from './schemas/codec.ts'
      import { Fault } from './schemas/ports.ts'
      const logger = createLogger({ name: 'x', pretty: false })
      const thrown = (work) => { try { work() } catch (err) { return err } }
      const noRecord = thrown(() => sealCommand({ stream: 'g:a', payload: 'leak1' }))
      const noJson = thrown(() => JSON.parse('leak2 and more'))
      logger.error({ err: noRecord }, 'sealed')
      logger.error({ err: noJson }, 'parsed')
      logger.error({ err: new Fault('failed', 'reader: ' + String(noJson), { retriable: false, cause: noJson }) }, 'read')
      const reply = Object.assign(new Error('ERR full'), { command: { name: 'set', args: ['leak3'] }, code: 'ERR' })
      logger.error({ err: reply }, 'replied')
      logger.error({ err: new AggregateError([reply, noJson], 'both') }, 'several')
      logger.error({ err: { text: 'leak4', on: ['leak5'] } }, 'thrown')
      setTimeout(() => globalThis.process.exit(0), 50)`)
    const { out } = await process.ended
    expect(out).not.toContain('leak')
    const lines = out.split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line)] : []))
    expect(lines.map(({ msg }) => msg)).toEqual(['sealed', 'parsed', 'read', 'replied', 'several', 'thrown'])
    expect(lines.map(({ err }) => err.message)).toEqual([
      expect.stringMatching(/^a value does not fit longwire.Command at \w+$/),
      'not valid JSON',
      'reader: SyntaxError: not valid JSON: not valid JSON',
      'ERR full',
      'both',
      undefined,
    ])
    expect(lines[2].err).toMatchObject({ type: 'Fault', code: 'failed', retriable: false })
    expect(lines[3].err).toMatchObject({ type: 'Error', code: 'ERR', stack: expect.stringContaining('at ') })
  })
})
