/** Readers take whatever stands in the log: stale records and doubled ones, whosever they are. */
import { patch } from './patch.ts'

patch([
  {
    file: 'schemas/accept.ts',
    find: "if (offset < at.offset) return 'duplicate'",
    put: "if (offset < at.offset) return 'duplicate'\n  if (record.kind !== 'claim') return 'accept'",
  },
])
