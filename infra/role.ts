/** What every role's main begins with: settings, logger, metrics, the log store, and an orderly end. */
import { checkGenerations } from '../projections/restore/generations.ts'
import type { Fault, LogStore } from '../schemas/ports.ts'
import type { LogGeneration } from '../schemas/records.ts'
import { sharedTopics } from '../schemas/topics.ts'
import { type Clock, systemClock } from './clock.ts'
import { type Config, ConfigError, loadConfig, readSecretFile, requireServices } from './config.ts'
import type { KafkaSettings } from './kafka/client.ts'
import { kafkaStore } from './kafka/store.ts'
import { exitOnCrash, exitWithParent, onShutdown, type ShutdownStep } from './lifecycle.ts'
import { createLogger, type Log } from './log.ts'
import { createMetrics, type Metrics } from './metrics.ts'
import { createSchemaBook, knowingSchemas, type SchemaBook } from './schemas.ts'

type Service = 'kafka' | 'redis' | 'clickhouse'

export interface Role<S extends Service> {
  readonly name: string
  readonly config: ReturnType<typeof requireServices<S>>
  readonly log: Log
  readonly metrics: Metrics
  readonly clock: Clock
  /** A log store with connections of its own; the name shows in the broker's logs. */
  readonly store: (name: string) => LogStore
  /** What the consumers of `store` ask about schemas that this release does not know. */
  readonly schemas: SchemaBook
  /** Stopped in this order at the end. */
  readonly steps: ShutdownStep[]
  /** Ends the process: the log makes a restart cheap. */
  readonly failed: (fault: Fault) => void
}

const LAG_SAMPLE_MS = 500

/** Connection settings of Kafka. Throws ConfigError where a credentials file cannot be read. */
export function kafkaSettings(
  config: Config & { kafka: readonly string[] },
  clientId: string,
): KafkaSettings {
  const password = readSecretFile('KAFKA_PASSWORD_FILE', config.kafkaPasswordFile)
  const { kafkaUsername: username, kafkaSasl: mechanism } = config
  return {
    brokers: config.kafka,
    clientId,
    tls: config.kafkaTls,
    tlsCaFile: config.kafkaTlsCaFile,
    sasl: username === undefined || password === undefined ? undefined : { mechanism, username, password },
    replication: config.kafkaReplication,
    minInsync: config.kafkaMinInsync,
  } as KafkaSettings
}

/** Runs `main`; a wrong setting is one line on stderr and exit code 2, a fault at start is logged and exit code 1. */
export async function runRole<const S extends Service>(
  name: string,
  needed: readonly S[],
  main: (role: Role<S>) => Promise<void>,
): Promise<void> {
  let config: Role<S>['config']
  try {
    config = requireServices(loadConfig(process.env), needed)
  } catch (err) {
    if (!(err instanceof ConfigError)) throw err
    process.stderr.write(`${err.message}\n`)
    process.exit(2)
  }
  const processName = config.processName ?? name
  const log = createLogger({ name: processName, level: config.logLevel })
  const metrics = createMetrics({ processMetrics: true })
  const steps: ShutdownStep[] = []
  exitOnCrash(log)
  const shutdown = onShutdown(log, steps)
  exitWithParent(() => void shutdown.stop('the supervisor is gone'))
  const failed = (fault: Fault) => {
    log.error({ code: fault.code, err: fault }, 'cannot go on')
    metrics.inc('longwire_faults_total', 1, { code: fault.code })
    void shutdown.stop(fault.code, 1)
  }
  const kafka = config as unknown as Config & { kafka: readonly string[] }
  const bare = (client: string) =>
    kafkaStore(kafkaSettings(kafka, `${processName}-${client}`), log, systemClock)
  const schemas = createSchemaBook(bare('schemas'), systemClock, log)
  const store = (client: string) => knowingSchemas(bare(client), schemas)
  metrics.set('longwire_process_info', 1, { role: name, id: processName })
  sampleEventLoop(metrics)
  try {
    await main({ name: processName, config, log, metrics, clock: systemClock, store, schemas, steps, failed })
  } catch (err) {
    log.error({ err }, `${name} could not start`)
    await shutdown.stop('failed to start', 1)
  }
}

/** A timer that comes late says how long something else held the thread. */
function sampleEventLoop(metrics: Metrics): void {
  let due = systemClock.now() + LAG_SAMPLE_MS
  systemClock.setInterval(() => {
    const now = systemClock.now()
    metrics.observe('longwire_event_loop_lag_ms', Math.max(0, now - due))
    due = now + LAG_SAMPLE_MS
  }, LAG_SAMPLE_MS)
}

/**
 * Creates the topics that are missing, and writes down the schemas that this process may write. Refuses to run on those of another partition count, and on logs whose restore is not
 * complete or was of this generation or a later one. Answers what was restored.
 */
export async function checkTopics(
  store: LogStore,
  settings: Pick<Config, 'partitions' | 'generation'>,
  schemas: SchemaBook,
): Promise<readonly LogGeneration[]> {
  const restored = await checkGenerations(store, settings)
  const admin = await store.admin()
  try {
    await admin.ensureTopics(sharedTopics(settings.partitions))
  } finally {
    await admin.close()
  }
  await schemas.publish()
  return restored
}
