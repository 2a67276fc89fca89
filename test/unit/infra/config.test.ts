import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { ConfigError, loadConfig, readSecretFile, requireServices } from '../../../infra/config.ts'
import { settings, settingsMarkdown } from '../../../infra/settings.ts'

const external = { LONGWIRE_KAFKA: 'k1:9092,k2:9092', LONGWIRE_TOKEN_SECRET_FILE: '/s' }

function messageOf(env: Record<string, string>): string {
  try {
    loadConfig(env)
  } catch (err) {
    expect(err).toBeInstanceOf(ConfigError)
    return (err as Error).message
  }
  throw new Error('the settings were accepted')
}

describe('settings', () => {
  test('an empty environment is a valid one: everything embedded', () => {
    const config = loadConfig({ PATH: '/bin' })
    expect(config).toMatchObject({
      port: 8080,
      apiPort: 8081,
      partitions: 8,
      kafka: undefined,
      generation: 0,
    })
    expect(Object.isFrozen(config)).toBe(true)
  })

  test('an empty variable means unset', () => {
    expect(loadConfig({ LONGWIRE_PORT: '', LONGWIRE_KAFKA: ' ' })).toMatchObject({
      port: 8080,
      kafka: undefined,
    })
  })

  test('the ledger is of all messages, of a sample, of what a rate allows, or of none', () => {
    const of = (value: string) => loadConfig({ LONGWIRE_LEDGER: value }).ledger
    expect(of('')).toEqual({ rowsPerSecMax: 2_000 })
    expect(of('auto')).toEqual({ rowsPerSecMax: 2_000 })
    expect(of('auto:500')).toEqual({ rowsPerSecMax: 500 })
    expect(of('all')).toEqual({ oneOf: 1 })
    expect(of('sample:16')).toEqual({ oneOf: 16 })
    expect(of('off')).toEqual({ oneOf: 0 })
    for (const wrong of ['auto:0', 'sample', 'all:3', 'off:1'])
      expect(() => of(wrong), wrong).toThrow(ConfigError)
  })

  test('an external Kafka has 64 partitions unless it is told otherwise', () => {
    expect(loadConfig(external)).toMatchObject({ kafka: ['k1:9092', 'k2:9092'], partitions: 64 })
    expect(loadConfig({ ...external, LONGWIRE_PARTITIONS: '12' }).partitions).toBe(12)
  })

  test.each([
    [{ LONGWIRE_PORT: 'http' }, 'LONGWIRE_PORT is "http": must be a port from 0 to 65535'],
    [{ LONGWIRE_PORT: '-1' }, 'LONGWIRE_PORT is "-1"'],
    [{ LONGWIRE_PORT: '8081' }, 'LONGWIRE_API_PORT is 8081: must differ from LONGWIRE_PORT'],
    [{ LONGWIRE_OMTP_PORT: '8080' }, 'LONGWIRE_OMTP_PORT is 8080: must differ from LONGWIRE_PORT'],
    [
      { LONGWIRE_TLS_CERT_FILE: 'cert.pem' },
      'LONGWIRE_TLS_CERT_FILE and LONGWIRE_TLS_KEY_FILE: set both or neither',
    ],
    [{ LONGWIRE_GATEWAY_ID: 'a b' }, 'LONGWIRE_GATEWAY_ID is "a b"'],
    [{ LONGWIRE_PROT: '1' }, 'LONGWIRE_PROT is not a setting: did you mean LONGWIRE_PORT?'],
    [{ LONGWIRE_XYZZY_FROB: '1' }, 'settings'],
    [{ LONGWIRE_KAFKA_MIN_INSYNC: '2' }, 'must not be above LONGWIRE_KAFKA_REPLICATION (1)'],
    [
      { LONGWIRE_KAFKA: 'k1:9092' },
      'LONGWIRE_TOKEN_SECRET_FILE (or LONGWIRE_JWKS_URL) must be set when a service is external',
    ],
    [{ ...external, LONGWIRE_KAFKA: 'k1' }, 'LONGWIRE_KAFKA is "k1"'],
    [{ ...external, LONGWIRE_KAFKA_USERNAME: 'u' }, 'set both or neither'],
    [{ LONGWIRE_ORIGINS: 'example.com' }, 'LONGWIRE_ORIGINS'],
  ])('a bad setting is refused in one line: %o', (env, line) => {
    const message = messageOf(env as Record<string, string>)
    expect(message).toContain(line)
    expect(message).not.toContain('\n')
  })

  test('credentials in an address are refused and not printed', () => {
    expect(messageOf({ LONGWIRE_REDIS: 'redis://u:hunter2@h:1' })).not.toContain('hunter2')
  })

  test('a role on its own says which address it lacks', () => {
    expect(() => requireServices(loadConfig(external), ['kafka', 'redis'])).toThrow(
      /LONGWIRE_REDIS is not set/,
    )
    expect(requireServices(loadConfig(external), ['kafka']).kafka).toEqual(['k1:9092', 'k2:9092'])
  })

  test('a secret file loses its newline, and a missing one is one line', () => {
    const file = path.join(mkdtempSync(path.join(tmpdir(), 'longwire-')), 'secret')
    writeFileSync(file, 'hunter2\n')
    expect(readSecretFile('REDIS_PASSWORD_FILE', file)).toBe('hunter2')
    expect(() => readSecretFile('REDIS_PASSWORD_FILE', `${file}.no`)).toThrow(
      /LONGWIRE_REDIS_PASSWORD_FILE: cannot read/,
    )
  })

  test('every setting is in the documented table, and every default is valid', () => {
    const table = settingsMarkdown()
    for (const row of Object.values(settings)) expect(table).toContain(`\`LONGWIRE_${row.name}\``)
  })
})
