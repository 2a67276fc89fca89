/** The archive's position is written at once, what it stands for a moment later. */
import { patch } from './patch.ts'

patch([
  {
    file: 'projections/archive/sink.ts',
    find: 'for (const [table, rows] of block.tables()) {\n',
    put: `for (const [table, rows] of block.tables().toSorted(([a], [b]) => Number(b === 'events') - Number(a === 'events'))) {
      if (table !== 'events') await new Promise((resolve) => setTimeout(resolve, 1_000))\n`,
  },
])
