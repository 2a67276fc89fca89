/** Who belongs where: membership facts, member lists, group names, and the conversations of each user. */
import { parseStream } from '../../schemas/ids.ts'
import type { Accepted, Projection } from '../projection.ts'
import type { Fact } from './membership.ts'

export type DirectoryWrite =
  | {
      readonly kind: 'membership'
      readonly conversationId: string
      readonly users: readonly string[]
      readonly fact: Fact
    }
  | { readonly kind: 'group'; readonly conversationId: string; readonly name: string }
  | { readonly kind: 'listed'; readonly conversationId: string; readonly users: readonly string[] }

export const directory: Projection<DirectoryWrite> = {
  name: 'directory',
  project({ envelope, payload }: Accepted) {
    if (envelope.kind !== 'event') return []
    const { stream: conversationId, seq, ordinal } = envelope
    if (seq === 1) {
      const ref = parseStream(conversationId)
      if (ref?.kind === 'p2p') return [{ kind: 'listed', conversationId, users: [...new Set(ref.users)] }]
    }
    const membership = (joined: boolean, users: readonly string[]): DirectoryWrite => ({
      kind: 'membership',
      conversationId,
      users,
      fact: { joined, seq, ordinal },
    })
    switch (payload?.type) {
      case 'GroupCreated':
        return [membership(true, payload.members), { kind: 'group', conversationId, name: payload.name }]
      case 'MembersAdded':
        return [membership(true, payload.members)]
      case 'MembersRemoved':
        return [membership(false, payload.members)]
      default:
        return []
    }
  },
}
