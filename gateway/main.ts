/** Role main: `node gateway/main.ts`. Any number may run, each with an id, ports and a public address of its own. */
import { randomBytes } from 'node:crypto'
import path from 'node:path'
import { clickHouseOptions } from '../infra/clickhouse/migrate.ts'
import { activeArchive } from '../infra/clickhouse/namespaces.ts'
import { openContentKeys } from '../infra/keys-secret.ts'
import { networksOf } from '../infra/networks.ts'
import { createRedis, redisOptions } from '../infra/redis/client.ts'
import { createRedisOnlineMap } from '../infra/redis/online-map.ts'
import { createRedisSignalBus } from '../infra/redis/signal-bus.ts'
import { checkTopics, runRole } from '../infra/role.ts'
import { startReport } from '../infra/role-report.ts'
import { followNamespaces } from '../projections/namespaces/follower.ts'
import { inActive } from '../projections/namespaces/redis.ts'
import { readModels } from '../projections/reads.ts'
import { limits } from '../schemas/limits.ts'
import { Fault } from '../schemas/ports.ts'
import { newBoot, startGateway } from './gateway.ts'
import { hookOf } from './login-setup.ts'
import { originsOf } from './origins.ts'
import { createRevocations } from './tokens/revocations.ts'
import { keysOf } from './tokens/setup.ts'
import { createVerifier } from './tokens/verifier.ts'
import { createAddresses } from './transports/addresses.ts'
import { openOmtpPort } from './transports/omtp.ts'
import { openPublicPort } from './transports/public-port.ts'

const PAGE_FOLDER = path.join(import.meta.dirname, '../web/dist')

await runRole('gateway', ['kafka', 'redis', 'clickhouse'], async (role) => {
  const { config, log, clock, metrics, name, steps } = role
  const { gatewayId, heartbeatMs, host, partitions, recallWindowMs, editWindowMs, devicePolicy } = config
  const revocations = createRevocations()
  const keys = keysOf(config, { clock, random: Math.random, log })
  const store = role.store('gateway')
  await checkTopics(store, config, role.schemas)
  const redis = createRedis(redisOptions(config, name), log)
  const namespaces = await followNamespaces({
    store: role.store('namespaces'),
    ...{ clock, logger: log, failed: role.failed },
  })
  const contentKeys = await openContentKeys(config, {
    store: role.store('keys'),
    // It opens what it pushes, and that was said just now.
    recentOnly: true,
    seals: true,
    ...{ clock, logger: log, by: name, failed: role.failed },
  })
  if (!contentKeys.keys) log.warn({}, 'contents are not sealed: LONGWIRE_KEYS_SECRET_FILE is not set')
  const clickhouse = activeArchive(clickHouseOptions(config), namespaces)
  const bus = createRedisSignalBus(redisOptions(config, name), redis, log)
  const boot = newBoot(clock.now(), Math.random)
  let fenced = false

  const gateway = await startGateway({
    gatewayId,
    boot,
    partitions,
    heartbeatMs,
    windows: { recallMs: recallWindowMs, editMs: editWindowMs },
    devicePolicy,
    ledger: config.ledger,
    store,
    online: createRedisOnlineMap(redis, namespaces),
    bus,
    reads: readModels({
      redis: inActive(redis, namespaces),
      clickhouse,
      partitions,
      generation: config.generation,
      clock,
      policies: { p2p: config.storeP2p, group: config.storeGroup },
    }),
    ...(contentKeys.keys ? { contentKeys: contentKeys.keys } : {}),
    tokens: createVerifier({
      keys,
      issuer: config.tokenIssuer,
      audience: config.tokenAudience,
      clock,
      revokedBefore: revocations.before,
      onRefused: (reason) => metrics.inc('longwire_gateway_token_refused_total', 1, { reason }),
    }),
    revocations,
    quotas: config,
    ...hookOf(config, { clock, log, metrics }),
    clock,
    log,
    metrics,
    random: Math.random,
    defer: setImmediate,
    failed: role.failed,
    fenced(newerBoot) {
      if (fenced) return
      fenced = true
      const line = `another process runs as gateway ${gatewayId} (boot ${newerBoot}): give each its own LONGWIRE_GATEWAY_ID`
      role.failed(new Fault('fenced', line, { retriable: false }))
    },
  })
  const trusted = networksOf(config.trustedProxies ?? [])
  const addresses = createAddresses(config.connectionsPerAddress, limits.loginsPendingPerAddressMax)
  const page = config.publicUrl === undefined ? [] : [config.publicUrl]
  const tls =
    config.tlsCertFile !== undefined && config.tlsKeyFile !== undefined
      ? { certFile: config.tlsCertFile, keyFile: config.tlsKeyFile }
      : null
  const publicPort = await openPublicPort({
    host,
    port: config.port,
    origins: config.origins === undefined ? null : originsOf([...config.origins, ...page]),
    staticFolder: PAGE_FOLDER,
    gatewayId,
    clock,
    tls,
    secretName: () => randomBytes(24).toString('base64url'),
    hub: gateway.hub,
    ready: gateway.ready,
    addresses,
    trusted,
    log,
  })
  const omtpPort = await openOmtpPort({
    host,
    port: config.omtpPort,
    tls,
    hub: gateway.hub,
    addresses,
    trusted,
    clock,
    log,
  })
  const stopAccepting = (): void => {
    publicPort.stopAccepting()
    omtpPort.stopAccepting()
  }
  const report = startReport({
    log,
    clock,
    metrics,
    failed: role.failed,
    host: config.apiHost,
    port: config.apiPort,
    counts: () => Object.fromEntries(Object.entries(gateway.counters).map(([k, v]) => [`gateway_${k}`, v])),
    levels: () => ({
      ...gateway.levels(),
      ...publicPort.levels(),
      gateway_token_keys_age_ms: keys.ageMs(),
    }),
    ready: gateway.ready,
    answer: gateway.onlineApi,
  })
  log.info({ gatewayId, boot, host, port: publicPort.port, omtpPort: omtpPort.port, heartbeatMs }, 'started')
  steps.push(
    {
      name: 'connections',
      async stop() {
        if (!fenced) await gateway.drain({ drainMs: config.drainMs, noticed: stopAccepting })
        stopAccepting()
      },
      deadlineMs: config.drainMs + 15_000,
    },
    {
      name: 'ports',
      async stop() {
        await publicPort.toldAll()
        publicPort.close()
        omtpPort.close()
      },
    },
    { name: 'gateway', stop: () => gateway.stop(!fenced) },
    { name: 'token keys', stop: () => keys.stop() },
    { name: 'report', stop: () => report.stop() },
    { name: 'signals', stop: () => bus.close() },
    { name: 'redis', stop: () => redis.close() },
    { name: 'clickhouse', stop: () => clickhouse.close() },
    { name: 'namespaces', stop: () => namespaces.stop() },
    { name: 'content keys', stop: () => contentKeys.stop() },
  )
})
