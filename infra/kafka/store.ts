import type { Clock, Logger, LogStore } from '../../schemas/ports.ts'
import { createLogAdmin } from './admin.ts'
import { createAppender } from './appender.ts'
import type { KafkaSettings } from './client.ts'
import { createGroupConsumer } from './consumer.ts'

/** The log on Kafka. Every appender, consumer and admin has connections of its own. */
export function kafkaStore(settings: KafkaSettings, logger: Logger, clock: Clock): LogStore {
  const named = (name: string): KafkaSettings => ({ ...settings, clientId: `${settings.clientId}-${name}` })
  return {
    appender: async (name, options) => createAppender(named(name), logger, clock, options),
    consumer: (options) => createGroupConsumer(named(options.group), logger, clock, options),
    admin: () => createLogAdmin(named('admin'), logger, clock),
  }
}
