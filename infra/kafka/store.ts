import type { Clock, Logger, LogStore } from '../../schemas/ports.ts'
import { createAppender } from '../logstore/appender.ts'
import { createPacer } from '../logstore/pacer.ts'
import { createLogAdmin } from './admin.ts'
import type { KafkaSettings } from './client.ts'
import { createGroupConsumer } from './consumer.ts'
import { createLane } from './lane.ts'

/** Of one appender: several hundred appends a second never wait, at thousands each request carries several. */
const requestPace = { perSecondMax: 800, perSecondMin: 240, recordsFew: 1_200, burst: 60 }

/** The log on Kafka. Every appender, consumer and admin has connections of its own. */
export function kafkaStore(settings: KafkaSettings, logger: Logger, clock: Clock): LogStore {
  const named = (name: string): KafkaSettings => ({ ...settings, clientId: `${settings.clientId}-${name}` })
  return {
    appender: async (name, options) =>
      createAppender(
        {
          logger,
          clock,
          createLane: (lane) => createLane(named(name), logger, clock, lane),
          // After the current round of I/O callbacks: everything that one round brings leaves as one request.
          defer: setImmediate,
          pacer: createPacer(requestPace),
        },
        options,
      ),
    consumer: (options) => createGroupConsumer(named(options.group), logger, clock, options),
    admin: () => createLogAdmin(named('admin'), logger, clock),
  }
}
