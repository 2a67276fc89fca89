/**
 * Not a broken build but another version of `decide`, for one of the two sequencers of every run: it refuses some messages that
 * the other takes. The fence between owners only matters where they may decide differently; with one version, a test of it is void.
 */
import { patch } from '../broken/patch.ts'

patch([
  {
    file: 'processors/decide.ts',
    find: "if (state.broken) return reject('stream_broken')",
    put: `if (state.broken) return reject('stream_broken')
  if (payload.type === 'SendMessage' && command.packId[15] % 16 === 0) return reject('not_allowed')`,
  },
])
