/** Projections that die, again and again, between what they write and the position behind it, in either store. */
import { patch } from '../broken/patch.ts'
import { diedMark } from './died-mark.ts'

/** Batches of Redis, and blocks of the archive, in one life. */
const livesLive = 120
const livesArchive = 8

// Each in its turn, the first one sooner or later by the process: else no store would see the second death.
const die = (store: string, count: number): string => `
  globalThis.chaosLives ??= { live: ${count} + (process.pid % 40), archive: ${count} + (process.pid % 5) }
  if (--globalThis.chaosLives.${store} === 0) {
    process.stderr.write('${diedMark} ${store}\\n')
    process.kill(process.pid, 'SIGKILL')
  }
`

patch([
  {
    file: 'live/sink.ts',
    find: '      of.next = next\n',
    put: `${die('live', livesLive)}      of.next = next\n`,
  },
  {
    file: 'archive/sink.ts',
    find: '      await untilDone(table, () => clickhouse.insert(table, rows, { dedupToken }))\n',
    put: `      await untilDone(table, () => clickhouse.insert(table, rows, { dedupToken }))
      if (table === 'items') {${die('archive', livesArchive)}}\n`,
  },
])
