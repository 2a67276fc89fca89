import { AssignerProtocol, type PartitionAssigner } from 'kafkajs'
import { assignPartitions, type GroupMember } from '../logstore/assigner.ts'

/** What a member knows about itself when it joins. */
export interface Membership {
  readonly memberId: string | null
  readonly partitions: readonly number[]
}

const protocolName = 'longwire-sticky'
const protocolVersion = 1
const claimBytesMax = 65_536

/**
 * Our assignment, spoken through kafkajs. `onJoinAttempt` is called for each JoinGroup request and returns the claim that goes
 * with it: exactly one attempt between two assignments, under one member id, means that no generation was missed.
 */
export function createGroupProtocol(onJoinAttempt: () => Membership): PartitionAssigner {
  return ({ cluster }) => ({
    name: protocolName,
    version: protocolVersion,
    protocol: ({ topics }) => ({
      name: protocolName,
      metadata: AssignerProtocol.MemberMetadata.encode({
        version: protocolVersion,
        topics,
        userData: Buffer.from(JSON.stringify(onJoinAttempt())),
      }),
    }),
    assign: async ({ members, topics }) => {
      const counts = new Map(topics.map((topic) => [topic, cluster.findTopicPartitionMetadata(topic).length]))
      const parsed = members.map(({ memberId, memberMetadata }) => parseMember(memberId, memberMetadata))
      const assignment = assignPartitions(parsed, Math.max(0, ...counts.values()))
      return [...assignment].map(([memberId, partitions]) => ({
        memberId,
        memberAssignment: AssignerProtocol.MemberAssignment.encode({
          version: protocolVersion,
          assignment: Object.fromEntries(
            [...counts].map(([topic, count]) => [topic, partitions.filter((partition) => partition < count)]),
          ),
          userData: Buffer.alloc(0),
        }),
      }))
    },
  })
}

/** Another version's or a broken claim counts as none. */
function parseMember(memberId: string, metadata: Buffer): GroupMember {
  const none: GroupMember = { memberId, claims: [], current: false }
  try {
    const userData = AssignerProtocol.MemberMetadata.decode(metadata)?.userData
    if (userData === undefined || userData.length === 0 || userData.length > claimBytesMax) return none
    const claim: unknown = JSON.parse(userData.toString('utf8'))
    if (typeof claim !== 'object' || claim === null || !('partitions' in claim)) return none
    if (!Array.isArray(claim.partitions)) return none
    const claims = claim.partitions.filter((one): one is number => Number.isInteger(one))
    return { memberId, claims, current: 'memberId' in claim && claim.memberId === memberId }
  } catch {
    return none
  }
}
