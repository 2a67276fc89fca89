/** Snapshots every few hundred records instead of many thousands, so that owners that take over in a short run restore from one. */
import { patch } from '../broken/patch.ts'

patch([
  {
    file: 'processors/sequencer/sequencer.ts',
    find: 'options.snapshotEvery ?? 20_000',
    put: 'options.snapshotEvery ?? 200',
  },
])
