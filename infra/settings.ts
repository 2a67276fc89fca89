import { z } from 'zod'
import { limits } from '../schemas/limits.ts'
import { logLevels } from './log.ts'
import { isNetwork } from './networks.ts'
import {
  flag,
  hostPort,
  id,
  isUrl,
  list,
  policy,
  policyForms,
  text,
  urlList,
  wholeNumber,
  windowForms,
  windowMs,
} from './setting-forms.ts'

/** One row of the table of settings: the variable is `LONGWIRE_` + name. */
export interface Setting<T extends z.ZodType = z.ZodType> {
  readonly name: string
  readonly schema: T
  /** As it would be written in the environment; undefined = unset. */
  readonly fallback?: string
  /** What the documentation says instead of a fixed default. */
  readonly fallbackText?: string
  readonly description: string
  /** What a right value looks like, for the error line. */
  readonly expected: string
  /** Its value is never printed. */
  readonly secret?: boolean
}

type Extras = Pick<Setting, 'fallback' | 'fallbackText' | 'secret'>

// The type keeps whether there is a default, so that `Config` knows which fields may be unset.
function setting<T extends z.ZodType, const M extends Extras = Record<never, never>>(
  name: string,
  schema: T,
  expected: string,
  description: string,
  more?: M,
): Setting<T> & M {
  return { name, schema, expected, description, ...(more as M) }
}

/** Every setting there is. The key is the field of `Config`; an unknown `LONGWIRE_` variable is refused at start. */
export const settings = {
  dataDir: setting('DATA', text, 'a folder', 'Folder of all local state', { fallback: '.longwire' }),
  enginesDir: setting('ENGINES', text, 'a folder', 'Folder of the fetched engines, shared by data folders', {
    fallback: '.longwire/engines',
  }),
  host: setting('HOST', text, 'an address to listen on', 'Address of the public port', {
    fallback: '0.0.0.0',
  }),
  port: setting(
    'PORT',
    wholeNumber(0, 65535),
    'a port from 0 to 65535',
    'Public port: page, `/ws`, `/poll`, health',
    {
      fallback: '8080',
    },
  ),
  omtpPort: setting(
    'OMTP_PORT',
    wholeNumber(0, 65535),
    'a port from 0 to 65535; 0 = any free one',
    'OMTP over TCP, at HOST',
    { fallback: '9110' },
  ),
  tlsCertFile: setting(
    'TLS_CERT_FILE',
    text,
    'a PEM file, with LONGWIRE_TLS_KEY_FILE',
    'Certificate, with its chain, of the ports for clients: they speak TLS (1.2 or newer) only',
    { fallbackText: 'no TLS' },
  ),
  tlsKeyFile: setting('TLS_KEY_FILE', text, 'a PEM file', 'Private key of the certificate'),
  apiHost: setting('API_HOST', text, 'an address to listen on', 'Address of the API port', {
    fallback: '127.0.0.1',
  }),
  apiPort: setting(
    'API_PORT',
    wholeNumber(0, 65535),
    'a port from 0 to 65535',
    'API port: `/ready`, `/metrics`',
    { fallback: '8081' },
  ),
  metricsPort: setting(
    'METRICS_PORT',
    wholeNumber(1, 65535),
    'a port from 1 to 65535',
    '`/ready` and `/metrics` of a processor or projection process, at API_HOST',
    { fallbackText: 'none' },
  ),
  publicUrl: setting(
    'PUBLIC_URL',
    text.refine((value) => isUrl(value, ['http:', 'https:'])),
    'an http(s) URL',
    'Where people reach the public port, when a proxy stands before it',
  ),
  origins: setting(
    'ORIGINS',
    urlList(['http:', 'https:']),
    'http(s) origins, separated by commas',
    'Origins whose pages may open a WebSocket',
    { fallbackText: 'the same origin and localhost' },
  ),
  trustedProxies: setting(
    'TRUSTED_PROXIES',
    list.refine((items) => items.length > 0 && items.every(isNetwork)),
    'addresses or networks (10.0.0.0/8), separated by commas',
    "Balancers whose word on a client's address is taken (X-Forwarded-For, PROXY protocol)",
    { fallbackText: 'none' },
  ),
  gatewayId: setting('GATEWAY_ID', id, '1 to 64 of A-Z a-z 0-9 _ . -', 'Stable id of this gateway', {
    fallback: 'gw-1',
  }),
  processName: setting('PROCESS_NAME', id, '1 to 64 of A-Z a-z 0-9 _ . -', 'Name of this process in logs', {
    fallbackText: 'the role',
  }),
  heartbeatMs: setting(
    'HEARTBEAT_MS',
    wholeNumber(1000, limits.heartbeatMsMax),
    `milliseconds from 1000 to ${limits.heartbeatMsMax}`,
    `Heartbeat period asked of clients, who may ask for another from ${limits.heartbeatMsMin} to ${limits.heartbeatMsMax}; silent for two periods = closed`,
    { fallback: '270000' },
  ),
  devicePolicy: setting(
    'DEVICE_POLICY',
    z.enum(['none', 'per-type', 'single']),
    '`none`, `per-type` (one per device type) or `single`',
    'How many logins of a user may be at once; the newest one stays. The same for all gateways',
    { fallback: 'none' },
  ),
  drainMs: setting(
    'DRAIN_MS',
    wholeNumber(0, limits.drainMsMax),
    `milliseconds from 0 to ${limits.drainMsMax}`,
    'A gateway that stops sends its clients elsewhere over so long, a fifth of it not ready and open; 0 = at once, as by `npm start`',
    { fallback: String(limits.drainMs) },
  ),
  ledger: setting(
    'LEDGER',
    z
      .string()
      .regex(/^(all|off|sample:[1-9]\d{0,5}|auto(:[1-9]\d{0,5})?)$/)
      .transform((value) => {
        const [kind, n] = value.split(':')
        if (kind === 'auto') return { rowsPerSecMax: Number(n ?? limits.ledgerRowsPerSecondMax) }
        return { oneOf: kind === 'off' ? 0 : Number(n ?? 1) }
      }),
    '`auto`, `auto:N` (of all while that is at most N rows a second, then of a sample), `all`, `sample:N` (of one message in N) or `off`',
    'Of which messages the gateways write the delivery ledger. The same for all of them',
    { fallback: `auto:${limits.ledgerRowsPerSecondMax}` },
  ),
  logLevel: setting('LOG_LEVEL', z.enum(logLevels), `one of ${logLevels.join(', ')}`, 'Lowest level logged', {
    fallback: 'info',
  }),
  tokenSecretFile: setting(
    'TOKEN_SECRET_FILE',
    text,
    'a file of at least 32 bytes',
    'File with the secret that signs tokens (HS256)',
    { fallbackText: 'random per data folder; required with external services' },
  ),
  keysSecretFile: setting(
    'KEYS_SECRET_FILE',
    text,
    'a file of at least 32 bytes',
    'File with the secret that wraps the keys of message contents; the same for all processes, and kept as long as the contents',
    { fallbackText: 'random per data folder with `npm start`; else contents are not sealed' },
  ),
  holdDays: setting(
    'HOLD_DAYS',
    wholeNumber(0, 3_650),
    'a number of days from 0 to 3650',
    'How long auditors may read what users no longer see (recalled, edited over, erased); then `npm run erase -- due` destroys it',
    { fallback: '180' },
  ),
  connectionsPerUser: setting(
    'CONNECTIONS_PER_USER',
    wholeNumber(1, 10_000),
    'a number from 1 to 10000',
    'Connections of one user on one gateway',
    { fallback: String(limits.connectionsPerUserMax) },
  ),
  connectionsPerAddress: setting(
    'CONNECTIONS_PER_ADDRESS',
    wholeNumber(1, 1_000_000),
    'a number from 1 to 1000000',
    'Connections of one address (IPv6: of one /64) on one gateway; high, since a proxy that is not trusted stands for all its clients',
    { fallback: String(limits.connectionsPerAddressMax) },
  ),
  loginsPerSecondPerAddress: setting(
    'LOGINS_PER_SECOND_PER_ADDRESS',
    wholeNumber(1, 100_000),
    'a number from 1 to 100000',
    'Logins of one address on one gateway; ten seconds of them may come at once',
    { fallback: String(limits.loginsPerSecondPerAddress) },
  ),
  jwksUrl: setting(
    'JWKS_URL',
    text.refine((value) => isUrl(value, ['http:', 'https:'])),
    'an http(s) URL',
    'Where the issuer of tokens publishes its keys (JWKS: RS256, ES256, EdDSA); the secret is not used then',
  ),
  jwksFile: setting('JWKS_FILE', text, 'a file', 'The same as a file, which is read again and again'),
  tokenIssuer: setting('TOKEN_ISSUER', text, 'a text', '`iss` that tokens must have', {
    fallback: 'longwire',
  }),
  tokenAudience: setting('TOKEN_AUDIENCE', text, 'a text', '`aud` that tokens must have', {
    fallback: 'longwire',
  }),
  loginHookUrl: setting(
    'LOGIN_HOOK_URL',
    text.refine((value) => isUrl(value, ['http:', 'https:'])),
    'an http(s) URL',
    'Who is asked about every login before it is registered',
    { fallbackText: 'nobody' },
  ),
  loginHookTimeoutMs: setting(
    'LOGIN_HOOK_TIMEOUT_MS',
    wholeNumber(50, 5_000),
    'milliseconds from 50 to 5000',
    'Longest the login hook may take',
    { fallback: '1000' },
  ),
  loginHookFallback: setting(
    'LOGIN_HOOK_FALLBACK',
    z.enum(['allow', 'refuse']),
    'allow or refuse',
    'What counts while the login hook does not answer as it should; a refused client tries again',
    { fallback: 'refuse' },
  ),
  loginHookSecretFile: setting(
    'LOGIN_HOOK_SECRET_FILE',
    text,
    'a file of at least 32 bytes',
    'File with the secret that signs what the login hook is asked',
  ),
  storeP2p: setting(
    'STORE_P2P',
    policy,
    policyForms,
    'How long what was said in single chats can be read; older contents are hidden and destroyed, but for the bytes in the log',
    { fallback: 'forever' },
  ),
  storeGroup: setting('STORE_GROUP', policy, policyForms, 'The same for groups', { fallback: 'forever' }),
  recallWindowMs: setting(
    'RECALL_WINDOW_MS',
    windowMs,
    windowForms,
    'For how long an author may recall a message; the same for all processors and gateways',
    { fallback: String(limits.recallWindowMs) },
  ),
  editWindowMs: setting('EDIT_WINDOW_MS', windowMs, windowForms, 'The same for editing', {
    fallback: String(limits.editWindowMs),
  }),
  generation: setting(
    'GENERATION',
    wholeNumber(0, 2 ** 31 - 1),
    'a whole number',
    'Generation of the logs; raised only by a restore or a re-partitioning',
    { fallback: '0' },
  ),
  partitions: setting(
    'PARTITIONS',
    wholeNumber(1, 1024),
    'a number from 1 to 1024',
    'Partitions of `im.commands` and `im.events`, fixed for a generation',
    { fallbackText: '8 with the embedded Kafka, else 64' },
  ),
  kafka: setting(
    'KAFKA',
    list.refine((items) => items.length > 0 && items.every((item) => hostPort.test(item))),
    'host:port, or several separated by commas',
    'Kafka brokers',
    { fallbackText: 'embedded' },
  ),
  kafkaReplication: setting('KAFKA_REPLICATION', wholeNumber(1, 32), 'a number from 1 to 32', 'Replicas', {
    fallback: '1',
  }),
  kafkaMinInsync: setting(
    'KAFKA_MIN_INSYNC',
    wholeNumber(1, 32),
    'a number from 1 to 32',
    'Replicas that must have a record before it is acknowledged',
    { fallback: '1' },
  ),
  kafkaTls: setting('KAFKA_TLS', flag, 'true or false', 'Talk TLS to Kafka', { fallback: 'false' }),
  kafkaTlsCaFile: setting('KAFKA_TLS_CA_FILE', text, 'a PEM file', 'Authority of the brokers (implies TLS)'),
  kafkaSasl: setting(
    'KAFKA_SASL',
    z.enum(['plain', 'scram-sha-256', 'scram-sha-512']),
    'plain, scram-sha-256 or scram-sha-512',
    'How to log in to Kafka, when a user name is set',
    { fallback: 'scram-sha-512' },
  ),
  kafkaUsername: setting('KAFKA_USERNAME', text, 'a user name', 'User at Kafka'),
  kafkaPasswordFile: setting('KAFKA_PASSWORD_FILE', text, 'a file', 'File with the password at Kafka'),
  redis: setting(
    'REDIS',
    urlList(['redis:', 'rediss:']),
    'redis://host:port or rediss://host:port (several, separated by commas = Cluster); credentials have settings of their own',
    'Redis; several addresses = Redis Cluster; `rediss` = TLS',
    { fallbackText: 'embedded' },
  ),
  redisTlsCaFile: setting('REDIS_TLS_CA_FILE', text, 'a PEM file', 'Authority of Redis'),
  redisUsername: setting('REDIS_USERNAME', text, 'a user name', 'User at Redis (ACL)'),
  redisPasswordFile: setting('REDIS_PASSWORD_FILE', text, 'a file', 'File with the password at Redis'),
  clickhouse: setting(
    'CLICKHOUSE',
    text.refine((value) => isUrl(value, ['http:', 'https:'])),
    'http://host:port or https://host:port; credentials have settings of their own',
    'ClickHouse (HTTP interface)',
    { fallbackText: 'embedded' },
  ),
  clickhouseDatabase: setting(
    'CLICKHOUSE_DATABASE',
    z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,63}$/),
    'a name of letters, digits and _',
    'Database of the archive',
    { fallback: 'longwire' },
  ),
  clickhouseUser: setting('CLICKHOUSE_USER', text, 'a user name', 'User at ClickHouse', {
    fallback: 'default',
  }),
  clickhousePasswordFile: setting(
    'CLICKHOUSE_PASSWORD_FILE',
    text,
    'a file',
    'File with the password at ClickHouse',
  ),
  clickhouseCluster: setting(
    'CLICKHOUSE_CLUSTER',
    z.string().regex(/^[A-Za-z_][A-Za-z0-9_-]{0,63}$/),
    'the name of a cluster',
    'Tables are made on this cluster of ClickHouse: replicated, and distributed over its shards',
    { fallbackText: 'one server' },
  ),
  ledgerDays: setting(
    'LEDGER_DAYS',
    wholeNumber(0, 36_500),
    'days; 0 = for ever',
    'How long the delivery ledger is kept in ClickHouse',
    { fallback: '90' },
  ),
  loginDays: setting(
    'LOGIN_DAYS',
    wholeNumber(0, 36_500),
    'days; 0 = for ever',
    'The same for login records',
    {
      fallback: '0',
    },
  ),
  archiveColdDays: setting(
    'ARCHIVE_COLD_DAYS',
    wholeNumber(0, 36_500),
    'days, with LONGWIRE_ARCHIVE_STORAGE_POLICY; 0 = never',
    'When events and messages move to the volume `cold`. They are never deleted for their age',
    { fallback: '0' },
  ),
  archiveStoragePolicy: setting(
    'ARCHIVE_STORAGE_POLICY',
    z.string().regex(/^\w{1,64}$/),
    'the name of a storage policy of ClickHouse with a volume `cold`',
    'Where events and messages are stored',
    { fallbackText: "ClickHouse's default" },
  ),
  clickhouseTlsCaFile: setting('CLICKHOUSE_TLS_CA_FILE', text, 'a PEM file', 'Authority of ClickHouse'),
} as const

/** The table in Markdown, for the documentation. */
export function settingsMarkdown(): string {
  const rows = (Object.values(settings) as Setting[]).map((row) => {
    const fallback = row.fallback === undefined ? (row.fallbackText ?? 'unset') : `\`${row.fallback}\``
    return `| \`LONGWIRE_${row.name}\` | ${fallback} | ${row.description} (${row.expected}) |`
  })
  return ['| variable | default | what |', '|---|---|---|', ...rows].join('\n')
}
