/** Role main: `node processors/main.ts [all|sequencer|fanout]`. Any number of each may run; Kafka shares the partitions out. */

import { createRedis, redisOptions } from '../infra/redis/client.ts'
import { createRedisOnlineMap } from '../infra/redis/online-map.ts'
import { startOnlineSweeper } from '../infra/redis/online-sweeper.ts'
import { checkTopics, runRole } from '../infra/role.ts'
import { startReport } from '../infra/role-report.ts'
import { followNamespaces } from '../projections/namespaces/follower.ts'
import { decideWith } from './decide.ts'
import { startFanout } from './fanout/fanout.ts'
import { startSequencer } from './sequencer/sequencer.ts'

const wanted = process.argv[2] ?? 'all'
if (!['all', 'sequencer', 'fanout'].includes(wanted)) {
  process.stderr.write(`usage: node processors/main.ts [all|sequencer|fanout]; there is no '${wanted}'\n`)
  process.exit(2)
}

await runRole(wanted === 'all' ? 'processors' : wanted, ['kafka', 'redis'], async (role) => {
  const { config, log, clock, steps, failed, name } = role
  await checkTopics(role.store('setup'), config, role.schemas)
  const redis = createRedis(redisOptions(config, name), log)
  const { generation } = config
  const decide = decideWith({ recallMs: config.recallWindowMs, editMs: config.editWindowMs })
  const common = { clock, logger: log, name, failed }
  const sequencer =
    wanted === 'fanout'
      ? null
      : await startSequencer({ ...common, store: role.store('sequencer'), generation, decide })
  const namespaces =
    wanted === 'sequencer'
      ? null
      : await followNamespaces({ store: role.store('namespaces'), clock, logger: log, failed })
  const online = createRedisOnlineMap(redis, namespaces ?? undefined)
  const fanout =
    wanted === 'sequencer' ? null : await startFanout({ ...common, store: role.store('fanout'), map: online })
  const sweeper = fanout && startOnlineSweeper({ online, live: fanout.live, clock, log })
  const report = startReport({
    log,
    clock,
    metrics: role.metrics,
    failed: role.failed,
    host: config.apiHost,
    port: config.metricsPort,
    counts: () => ({
      ...prefixed('sequencer', sequencer?.stats),
      ...prefixed('fanout', fanout?.stats),
      online_records_swept: sweeper?.swept() ?? 0,
    }),
    levels: () => ({ ...prefixed('sequencer', sequencer?.owned()), ...prefixed('fanout', fanout?.owned()) }),
    ready: () => {
      const owned = sequencer?.owned()
      return owned === undefined || owned.owning === owned.assigned
    },
  })
  log.info({ roles: wanted, generation, partitions: config.partitions }, 'started')
  steps.push(
    { name: 'sequencer', stop: () => sequencer?.stop() },
    { name: 'online sweeper', stop: () => sweeper?.stop() },
    { name: 'fan-out', stop: () => fanout?.stop() },
    { name: 'report', stop: () => report.stop() },
    { name: 'redis', stop: () => redis.close() },
    { name: 'namespaces', stop: () => namespaces?.stop() },
  )
})

/** Numbers of an object of counts, one level of nesting flattened, under `prefix_`. */
function prefixed(prefix: string, counts: object | undefined): Record<string, number> {
  const flat: Record<string, number> = {}
  for (const [name, value] of Object.entries(counts ?? {})) {
    if (typeof value === 'number') flat[`${prefix}_${name}`] = value
    else if (typeof value === 'object') Object.assign(flat, prefixed(`${prefix}_${name}`, value))
  }
  return flat
}
