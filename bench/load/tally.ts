/** Counts of one run: every message once at its receiver, in order. Pure: times come in. */
import { createSamples } from '../support/samples.ts'
import type { RunTally } from './protocol.ts'

export interface Tally {
  sent(n: number, lateMs: number): void
  committed(n: number, latencyMs: number): void
  refused(n: number): void
  /** `receiver` tells the directions apart; the numbers of one direction grow. */
  received(receiver: number, n: number, latencyMs: number): void
  /** Nothing is open any more. */
  isSettled(): boolean
  /** Changes whenever something arrives. */
  progress(): number
  result(extras: { resends: number; reconnects: number }): RunTally
}

/** For messages 0 to `due` − 1 between `clients` clients. */
export function createTally(due: number, clients: number): Tally {
  const isCommitted = new Uint8Array(due)
  const got = new Uint8Array(due)
  const last = new Int32Array(clients).fill(-1)
  const committedMs = createSamples()
  const receivedMs = createSamples()
  const counts = { sent: 0, committed: 0, refused: 0, received: 0, doubled: 0, outOfOrder: 0 }
  let sendLateMsMax = 0
  return {
    sent(_n, lateMs) {
      counts.sent += 1
      if (lateMs > sendLateMsMax) sendLateMsMax = lateMs
    },
    committed(n, latencyMs) {
      counts.committed += 1
      isCommitted[n] = 1
      committedMs.add(latencyMs)
    },
    refused() {
      counts.refused += 1
    },
    received(receiver, n, latencyMs) {
      if (got[n] === 1) {
        counts.doubled += 1
        return
      }
      got[n] = 1
      counts.received += 1
      if (n < (last[receiver] ?? -1)) counts.outOfOrder += 1
      last[receiver] = n
      receivedMs.add(latencyMs)
    },
    isSettled: () => counts.committed + counts.refused >= counts.sent && counts.received >= counts.committed,
    progress: () => counts.committed + counts.refused + counts.received,
    result({ resends, reconnects }) {
      let lost = 0
      for (let n = 0; n < due; n++) if (isCommitted[n] === 1 && got[n] === 0) lost += 1
      return {
        ...counts,
        due,
        lost,
        unanswered: counts.sent - counts.committed - counts.refused,
        resends,
        reconnects,
        committedMs: committedMs.values(),
        receivedMs: receivedMs.values(),
        sendLateMsMax,
      }
    },
  }
}
