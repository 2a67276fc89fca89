import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { verifier } from '../../../gateway/tokens/verifier.ts'

const dataDir = mkdtempSync(path.join(tmpdir(), 'longwire-token-'))
afterAll(() => rmSync(dataDir, { recursive: true, force: true }))

interface Ended {
  readonly code: number
  readonly out: string
  readonly err: string
}

const run = (...args: string[]): Promise<Ended> =>
  new Promise((resolve) => {
    const env = { ...process.env, LONGWIRE_DATA: dataDir }
    execFile(process.execPath, ['infra/token.ts', ...args], { env }, (error, out, err) =>
      resolve({ code: error ? Number(error.code) : 0, out, err }),
    )
  })

async function verified(token: string) {
  const secret = Buffer.from(readFileSync(path.join(dataDir, 'token-secret'), 'utf8').trim(), 'utf8')
  return verifier(secret, { now: () => Date.now() }).verify(token.trim())
}

describe('the token command', () => {
  it('prints a token of that user and nothing else', async () => {
    const { code, out, err } = await run('alice')
    expect({ code, err, lines: out.trim().split('\n').length }).toEqual({ code: 0, err: '', lines: 1 })
    expect(await verified(out)).toMatchObject({ ok: true, userId: 'alice', rights: [] })
  })

  it('puts the rights asked for into it', async () => {
    const { out } = await run('carol', '--right', 'observe')
    expect(await verified(out)).toMatchObject({ ok: true, userId: 'carol', rights: ['observe'] })
  })

  it.each([[[]], [['a', 'b']], [['../x']], [['alice', '--right', 'king']]])(
    'prints no token for %j, and says why',
    async (args) => {
      const { code, out, err } = await run(...args)
      expect({ code, out }).toEqual({ code: 2, out: '' })
      expect(err).toMatch(/\w/)
    },
  )
})
