/** The catalogue of topics; nothing else names one. */
import type { TopicSpec } from './ports.ts'

const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE

export const topics = {
  commands: 'im.commands',
  events: 'im.events',
  snapshots: 'im.snapshots',
  gateways: 'im.gateways',
  revocations: 'im.revocations',
  generations: 'im.generations',
  activity: 'im.activity',
  keys: 'im.keys',
  readings: 'im.readings',
  projections: 'im.projections',
  schemas: 'im.schemas',
  deadLetters: 'im.dead-letters',
  deliveries: (gatewayId: string): string => `im.deliveries.${gatewayId}`,
} as const

const base = { 'unclean.leader.election.enable': 'false', 'max.message.bytes': '1048576' }
/** What a newer record has replaced, a key that was destroyed above all, leaves the broker's disk within minutes. */
const forgetful = {
  'segment.ms': String(10 * MINUTE),
  'max.compaction.lag.ms': String(10 * MINUTE),
  'min.cleanable.dirty.ratio': '0.01',
}
const appendTime = { 'message.timestamp.type': 'LogAppendTime' }

/** Specifications of the shared topics. `partitions` holds for commands, events and snapshots alike: they are co-partitioned. */
export function sharedTopics(partitions: number): TopicSpec[] {
  const keep = (ms: number) => ({ ...base, 'retention.ms': String(ms) })
  const compacted = { ...base, 'cleanup.policy': 'compact', 'segment.ms': String(60 * MINUTE) }
  return [
    { name: topics.commands, partitions, config: { ...keep(7 * DAY), ...appendTime } },
    { name: topics.events, partitions, config: { ...keep(-1), ...appendTime } },
    { name: topics.snapshots, partitions, config: compacted },
    { name: topics.gateways, partitions: 1, config: { ...compacted, ...appendTime } },
    { name: topics.revocations, partitions: 1, config: { ...compacted, ...appendTime } },
    { name: topics.projections, partitions: 1, config: { ...compacted, ...appendTime } },
    { name: topics.schemas, partitions: 1, config: { ...compacted, ...appendTime } },
    { name: topics.generations, partitions: 1, config: { ...compacted, ...appendTime } },
    { name: topics.keys, partitions: 1, config: { ...compacted, ...forgetful, ...appendTime } },
    { name: topics.readings, partitions: 1, config: { ...keep(-1), ...appendTime } },
    { name: topics.activity, partitions: 1, config: { ...keep(7 * DAY), ...appendTime } },
    { name: topics.deadLetters, partitions: 1, config: keep(28 * DAY) },
  ]
}

/** Specification of one gateway's own topic. */
export const deliveriesTopic = (gatewayId: string): TopicSpec => ({
  name: topics.deliveries(gatewayId),
  partitions: 1,
  config: { ...base, 'retention.ms': String(10 * MINUTE), 'segment.ms': String(10 * MINUTE) },
})
