import { readFileSync } from 'node:fs'
import path from 'node:path'
import type { z } from 'zod'
import { type Setting, settings } from './settings.ts'

type Table = typeof settings
// A row with a default is always there; without one it may be unset.
type Value<Row extends Setting> = Row extends { fallback: string }
  ? z.infer<Row['schema']>
  : z.infer<Row['schema']> | undefined
type Parsed = { [K in keyof Table]: Value<Table[K]> }

/** All settings of a process, checked and frozen. `dataDir` and the files are absolute. */
export type Config = Readonly<Omit<Parsed, 'partitions'> & { partitions: number }>

/** A setting that is wrong. The message is one line that says what to do; show it without a stack trace. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

const prefix = 'LONGWIRE_'
const partitionsEmbedded = 8
const partitionsExternal = 64

/** Reads the settings from `env`. Throws `ConfigError` for the first that is wrong, unknown or in conflict with another. */
export function loadConfig(env: Readonly<Record<string, string | undefined>>): Config {
  refuseUnknown(env)
  const entries = (Object.entries(settings) as [string, Setting][]).map(([key, row]) => [
    key,
    parseSetting(row, env),
  ])
  const parsed = Object.fromEntries(entries) as Parsed
  checkTogether(parsed)
  const absolute = (file: string | undefined) => (file === undefined ? undefined : path.resolve(file))
  return Object.freeze({
    ...parsed,
    dataDir: path.resolve(parsed.dataDir),
    enginesDir: path.resolve(parsed.enginesDir),
    tokenSecretFile: absolute(parsed.tokenSecretFile),
    keysSecretFile: absolute(parsed.keysSecretFile),
    tlsCertFile: absolute(parsed.tlsCertFile),
    tlsKeyFile: absolute(parsed.tlsKeyFile),
    jwksFile: absolute(parsed.jwksFile),
    loginHookSecretFile: absolute(parsed.loginHookSecretFile),
    kafkaTlsCaFile: absolute(parsed.kafkaTlsCaFile),
    kafkaPasswordFile: absolute(parsed.kafkaPasswordFile),
    kafkaTls: parsed.kafkaTls || parsed.kafkaTlsCaFile !== undefined,
    redisTlsCaFile: absolute(parsed.redisTlsCaFile),
    redisPasswordFile: absolute(parsed.redisPasswordFile),
    clickhousePasswordFile: absolute(parsed.clickhousePasswordFile),
    clickhouseTlsCaFile: absolute(parsed.clickhouseTlsCaFile),
    partitions: parsed.partitions ?? (parsed.kafka ? partitionsExternal : partitionsEmbedded),
  })
}

type ServiceName = 'kafka' | 'redis' | 'clickhouse'
type WithServices<K extends ServiceName> = Config & { readonly [P in K]: NonNullable<Config[P]> }

/** For a role started on its own: the services it needs must have addresses, and tokens a secret. */
export function requireServices<K extends ServiceName>(
  config: Config,
  needed: readonly K[],
): WithServices<K> {
  for (const name of needed) {
    if (config[name] === undefined) {
      throw new ConfigError(
        `${prefix}${settings[name].name} is not set: a role started on its own needs its address (${settings[name].expected}); \`npm start\` starts an embedded one`,
      )
    }
  }
  return config as WithServices<K>
}

/** Content of a credentials file without the trailing newline; `undefined` in, `undefined` out. */
export function readSecretFile(name: string, file: string | undefined): string | undefined {
  if (file === undefined) return undefined
  try {
    return readFileSync(file, 'utf8').replace(/\r?\n$/, '')
  } catch (err) {
    const code = (err as NodeJS.ErrnoException).code ?? 'unknown error'
    throw new ConfigError(
      `${prefix}${name}: cannot read ${file} (${code}); name a file this process can read`,
    )
  }
}

function parseSetting(row: Setting, env: Readonly<Record<string, string | undefined>>): unknown {
  const name = prefix + row.name
  const given = env[name]?.trim()
  // An empty variable means unset, as shells and compose files treat it.
  const value = given === undefined || given === '' ? row.fallback : given
  if (value === undefined) return undefined
  const result = row.schema.safeParse(value)
  if (result.success) return result.data
  const shown = row.secret || /\/\/[^/]*@/.test(value) ? '' : ` is ${JSON.stringify(value.slice(0, 200))}:`
  throw new ConfigError(`${name}${shown} must be ${row.expected}`)
}

function refuseUnknown(env: Readonly<Record<string, string | undefined>>): void {
  const known = Object.values(settings).map((row) => prefix + row.name)
  for (const name of Object.keys(env)) {
    if (!name.startsWith(prefix) || known.includes(name)) continue
    const near = known
      .map((candidate) => ({ candidate, distance: editDistance(name, candidate) }))
      .sort((a, b) => a.distance - b.distance)[0]
    const hint =
      near && near.distance <= 4
        ? `did you mean ${near.candidate}?`
        : 'see `npm run -s settings` for all there are'
    throw new ConfigError(`${name} is not a setting: ${hint}`)
  }
}

function checkTogether(c: Parsed): void {
  const external = (['kafka', 'redis', 'clickhouse'] as const).filter((name) => c[name] !== undefined)
  const refuse = (line: string): never => {
    throw new ConfigError(line)
  }
  if (c.jwksUrl !== undefined && c.jwksFile !== undefined)
    refuse(`${prefix}JWKS_URL and ${prefix}JWKS_FILE: set one of them`)
  if ((c.loginHookUrl === undefined) !== (c.loginHookSecretFile === undefined))
    refuse(`${prefix}LOGIN_HOOK_URL and ${prefix}LOGIN_HOOK_SECRET_FILE: set both or neither`)
  const hasJwks = c.jwksUrl !== undefined || c.jwksFile !== undefined
  if (external.length > 0 && c.tokenSecretFile === undefined && !hasJwks) {
    refuse(
      `${prefix}TOKEN_SECRET_FILE (or ${prefix}JWKS_URL) must be set when a service is external (${external.map((name) => prefix + settings[name].name).join(', ')}): the random development secret is for a machine of one's own`,
    )
  }
  if (c.kafkaMinInsync > c.kafkaReplication) {
    refuse(
      `${prefix}KAFKA_MIN_INSYNC is ${c.kafkaMinInsync}: must not be above ${prefix}KAFKA_REPLICATION (${c.kafkaReplication})`,
    )
  }
  if (c.kafka === undefined && c.kafkaReplication > 1) {
    refuse(
      `${prefix}KAFKA_REPLICATION is ${c.kafkaReplication}: the embedded Kafka is one broker; set ${prefix}KAFKA to a cluster`,
    )
  }
  if (c.archiveColdDays > 0 && c.archiveStoragePolicy === undefined)
    refuse(`${prefix}ARCHIVE_COLD_DAYS is ${c.archiveColdDays}: set ${prefix}ARCHIVE_STORAGE_POLICY as well`)
  const ports = [
    ['PORT', c.port],
    ['OMTP_PORT', c.omtpPort],
    ['API_PORT', c.apiPort],
  ] as const
  ports.forEach(([name, port], i) => {
    const same = ports.slice(0, i).find(([, other]) => port !== 0 && port === other)
    if (same) refuse(`${prefix}${name} is ${port}: must differ from ${prefix}${same[0]}`)
  })
  if ((c.tlsCertFile === undefined) !== (c.tlsKeyFile === undefined)) {
    refuse(`${prefix}TLS_CERT_FILE and ${prefix}TLS_KEY_FILE: set both or neither`)
  }
  if ((c.kafkaUsername === undefined) !== (c.kafkaPasswordFile === undefined)) {
    refuse(`${prefix}KAFKA_USERNAME and ${prefix}KAFKA_PASSWORD_FILE: set both or neither`)
  }
  if (c.redisUsername !== undefined && c.redisPasswordFile === undefined) {
    refuse(`${prefix}REDIS_USERNAME is set: set ${prefix}REDIS_PASSWORD_FILE as well`)
  }
}

/** Levenshtein distance, to suggest the name that was meant. */
export function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i]
    for (let j = 1; j <= b.length; j += 1) {
      const substitute = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      row.push(Math.min((previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, substitute))
    }
    previous = row
  }
  return previous[b.length] ?? 0
}
