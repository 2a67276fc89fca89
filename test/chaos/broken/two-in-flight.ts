/** Requests to one partition leave side by side, as kafkajs lets anyone do. */
import { patch } from './patch.ts'

patch([
  {
    file: 'infra/logstore/batcher.ts',
    find: 'return queue.inFlight === null && queue.head === queue.waiting.length',
    put: 'return queue.head === queue.waiting.length',
  },
  {
    file: 'infra/logstore/batcher.ts',
    find: 'return queue.inFlight === null && queue.head < queue.waiting.length',
    put: 'return queue.head < queue.waiting.length',
  },
  { file: 'infra/logstore/batcher.ts', find: 'if (queue.inFlight !== null) return null', put: '' },
])
