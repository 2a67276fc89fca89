/** One's own messages count as unread. */
import { patch } from './patch.ts'

patch([
  {
    file: 'projections/inbox/unread.ts',
    find: '(own + recalled - ownRecalled)',
    put: 'recalled',
  },
])
