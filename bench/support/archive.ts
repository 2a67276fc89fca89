/** Rows of a conversation in the archive, asked of ClickHouse itself and not through the platform. */
import { createClickHouse } from '../../infra/clickhouse/client.ts'

const POLL_MS = 250

/**
 * Counts the messages of a conversation until there are as many as `expected` or `deadlineMs` is over; answers the last
 * count. The archive trails the chat by its batches.
 */
export async function archivedMessages(
  clickhouse: { url: string; database: string },
  conversationId: string,
  expected: number,
  deadlineMs: number,
): Promise<number> {
  const client = createClickHouse(clickhouse)
  const until = Date.now() + deadlineMs
  try {
    for (;;) {
      // The key may be there twice until parts are merged: count what it stands for.
      const [row] = await client.query<{ n: string | number }>(
        'SELECT uniqExact(seq) AS n FROM messages WHERE conversation = {conversation:String}',
        { conversation: conversationId },
      )
      const count = Number(row?.n ?? 0)
      if (count >= expected || Date.now() > until) return count
      await new Promise((resolve) => setTimeout(resolve, POLL_MS))
    }
  } finally {
    await client.close()
  }
}
