/** One's own messages count as unread. */
import { patch } from './patch.ts'

patch([
  {
    file: 'projections/inbox/unread.ts',
    find: 'for (const ordinals of [of.own, of.recalled])',
    put: 'for (const ordinals of [of.recalled])',
  },
])
