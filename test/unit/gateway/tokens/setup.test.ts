import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { keysOf } from '../../../../gateway/tokens/setup.ts'
import { loadConfig } from '../../../../infra/config.ts'
import { silentLog } from '../../../../infra/log.ts'
import { limits } from '../../../../schemas/limits.ts'
import { issuerKey, jwksOf } from '../../../support/tokens.ts'
import { virtualTime } from '../../../support/virtual-time.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'longwire-keys-'))
const file = path.join(folder, 'jwks.json')
const key = issuerKey('k1', 'EdDSA')
const padded = (bytes: number): string => jwksOf(key).padEnd(bytes, ' ')
let published = ''
const server = createServer((_, response) => response.end(published)).listen(0, '127.0.0.1')
afterAll(() => {
  server.close()
  rmSync(folder, { recursive: true, force: true })
})

const source = (env: Record<string, string>) =>
  keysOf(loadConfig({ LONGWIRE_DATA: folder, ...env }), {
    clock: virtualTime(0),
    random: () => 0.5,
    log: silentLog,
  })
const found = async (env: Record<string, string>) => {
  const answer = await source(env).find('k1')
  return typeof answer === 'string' ? answer : answer.algorithms
}

describe('the keys that the settings name', () => {
  it('come from a file, up to their limit', async () => {
    writeFileSync(file, padded(limits.jwksBytesMax))
    expect(await found({ LONGWIRE_JWKS_FILE: file })).toContain('EdDSA')
    writeFileSync(file, padded(limits.jwksBytesMax + 1))
    expect(await found({ LONGWIRE_JWKS_FILE: file })).toBe('unavailable')
    expect(await found({ LONGWIRE_JWKS_FILE: path.join(folder, 'none') })).toBe('unavailable')
  })

  it('come from an address, up to their limit', async () => {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`
    published = padded(limits.jwksBytesMax)
    expect(await found({ LONGWIRE_JWKS_URL: url })).toContain('EdDSA')
    published = padded(limits.jwksBytesMax + 1)
    expect(await found({ LONGWIRE_JWKS_URL: url })).toBe('unavailable')
    expect(await found({ LONGWIRE_JWKS_URL: 'http://127.0.0.1:1/keys' })).toBe('unavailable')
  })

  it('are the secret where no set is named, and never both', async () => {
    expect(await found({})).toEqual(['HS256'])
    writeFileSync(file, jwksOf(key))
    expect(await found({ LONGWIRE_JWKS_FILE: file })).not.toContain('HS256')
  })
})
