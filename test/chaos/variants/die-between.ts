/** Projections that die, again and again, between what they write and the position behind it, in either store. */
import { patch } from '../broken/patch.ts'
import { diedMark } from './died-mark.ts'

/** Batches of Redis, and blocks of the archive, in one life. */
const livesLive = 120
const livesArchive = 6

// A process dies of one of them, as its id has it: else the store that is written to less often never saw a death.
const die = (store: string, count: number, dies: 'odd' | 'even'): string => `
  globalThis.chaosLives ??= {}
  globalThis.chaosLives.${store} ??= ${count} + ((process.pid >> 1) % ${Math.ceil(count / 3)})
  if (process.pid % 2 === ${dies === 'odd' ? 1 : 0} && --globalThis.chaosLives.${store} === 0) {
    process.stderr.write('${diedMark} ${store}\\n')
    process.kill(process.pid, 'SIGKILL')
  }
`

patch([
  {
    file: 'live/sink.ts',
    find: '      of.next = next\n',
    put: `${die('live', livesLive, 'even')}      of.next = next\n`,
  },
  {
    file: 'archive/sink.ts',
    find: '      await untilDone(table, () => clickhouse.insert(table, rows, { dedupToken }))\n',
    put: `      await untilDone(table, () => clickhouse.insert(table, rows, { dedupToken }))
      if (table === 'items') {${die('archive', livesArchive, 'odd')}}\n`,
  },
])
