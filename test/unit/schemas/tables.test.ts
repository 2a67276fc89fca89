import { describe, expect, test } from 'vitest'
import { codes, isCode } from '../../../schemas/codes.ts'
import { isId } from '../../../schemas/ids.ts'
import { limits } from '../../../schemas/limits.ts'
import { sharedTopics, topics } from '../../../schemas/topics.ts'

describe('limits agree with each other', () => {
  test('what fits one fits what carries it', () => {
    expect(limits.contentBytesMax).toBeLessThan(limits.frameBytesMax)
    expect(limits.frameBytesMax).toBeLessThan(limits.recordBytesMax)
    expect(limits.membersPerCommandMax * (limits.idCharsMax + 1)).toBeLessThan(limits.frameBytesMax)
    expect(limits.membersPerCommandMax * (limits.idCharsMax + 2)).toBeLessThan(limits.recordBytesMax)
    expect(limits.recipientsPerDeliveryMax * (limits.idCharsMax + 2) + limits.frameBytesMax).toBeLessThan(
      limits.recordBytesMax,
    )
    expect(limits.membersPerCommandMax).toBeLessThanOrEqual(limits.groupMembersMax)
  })

  test('defaults lie within their maxima, and the edge is stricter than the backstop', () => {
    expect(limits.pageMessagesDefault).toBeLessThanOrEqual(limits.pageMessagesMax)
    expect(limits.conversationsPageDefault).toBeLessThanOrEqual(limits.conversationsPageMax)
    expect(limits.heartbeatMsMin).toBeLessThan(limits.heartbeatMsMax)
    expect(limits.packIdAheadMsMax).toBeLessThan(limits.packIdAheadBackstopMsMax)
    expect(limits.gatewayHeartbeatMs * 2).toBeLessThan(limits.gatewaySilenceMsMax)
    expect(limits.onlineRefreshMs * 2).toBeLessThan(limits.onlineExpiryMs)
  })

  test('all are positive integers', () => {
    for (const [name, value] of Object.entries(limits)) {
      expect(Number.isSafeInteger(value), name).toBe(true)
      expect(value, name).toBeGreaterThan(0)
    }
  })
})

describe('codes', () => {
  test('each says what it means in a sentence', () => {
    for (const [name, { text }] of Object.entries(codes)) {
      expect(name).toMatch(/^[a-z_]+$/)
      expect(text, name).toMatch(/^[A-Za-z].*\.$/)
    }
  })

  test('what every object has is no code', () => {
    expect(isCode('constructor')).toBe(false)
    expect(isCode('__proto__')).toBe(false)
    expect(isCode('not_member')).toBe(true)
  })
})

describe('topics', () => {
  test('commands and events are stamped by the broker, and events are kept for ever', () => {
    const byName = new Map(sharedTopics(8).map((topic) => [topic.name, topic]))
    for (const name of [topics.commands, topics.events])
      expect(byName.get(name)?.config['message.timestamp.type']).toBe('LogAppendTime')
    expect(byName.get(topics.events)?.config['retention.ms']).toBe('-1')
    expect(byName.get(topics.events)?.config['cleanup.policy']).toBeUndefined()
  })

  test('commands, events and snapshots are partitioned alike; none elects an unclean leader', () => {
    const specs = sharedTopics(8)
    for (const name of [topics.commands, topics.events, topics.snapshots])
      expect(specs.find((topic) => topic.name === name)?.partitions).toBe(8)
    for (const { config } of specs) expect(config['unclean.leader.election.enable']).toBe('false')
  })

  test('a gateway’s own topic is named by its id', () => {
    expect(isId('g-1')).toBe(true)
    expect(topics.deliveries('g-1')).toBe('im.deliveries.g-1')
  })
})
