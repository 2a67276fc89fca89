/** How far the other sides of single chats have read. */
import type { Conversation, Receipt } from './api.ts'

export interface Receipts {
  /** From the server's hint. */
  heard(receipt: Receipt): void
  /** From a list: what is further than heard is told. */
  listed(conversations: readonly Conversation[]): void
  /** Something may have been missed that someone listens for. */
  worthAsking(): boolean
}

export interface ReceiptsDeps {
  readonly listens: () => boolean
  readonly tell: (receipt: Receipt) => void
}

export function createReceipts({ listens, tell }: ReceiptsDeps): Receipts {
  const known = new Map<string, number>()

  function heard(receipt: Receipt): void {
    const { conversationId, seq } = receipt
    if (seq <= (known.get(conversationId) ?? 0)) return
    known.set(conversationId, seq)
    tell(receipt)
  }

  return {
    heard,
    listed(conversations) {
      for (const { conversationId, peerId, peerReadSeq } of conversations) {
        if (peerId === null) continue
        if (known.has(conversationId)) heard({ conversationId, userId: peerId, seq: peerReadSeq })
        else known.set(conversationId, peerReadSeq)
      }
    },
    worthAsking: () => known.size > 0 && listens(),
  }
}
