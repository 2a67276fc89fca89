import { kafkaStore } from '../../infra/kafka/store.ts'
import { realClock, silentLogger, startTestKafka } from '../support/kafka.ts'
import { logContract } from './log-contract.ts'

logContract('Kafka', async () => {
  const kafka = await startTestKafka()
  return {
    store: kafkaStore({ brokers: kafka.brokers, clientId: 'contract' }, silentLogger, realClock),
    close: kafka.stop,
  }
})
