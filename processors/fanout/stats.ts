/** Running counts of one fan-out process, for metrics and summaries. */
export interface FanoutStats {
  accepted: number
  deliveries: number
  deliveriesDropped: number
  /** Batches that were sent everywhere because the online map could not be read. */
  broadcasts: number
  headsHeld: number
  deadLetters: number
  missedClaims: number
  holes: number
  stale: number
}

export const newFanoutStats = (): FanoutStats => ({
  accepted: 0,
  deliveries: 0,
  deliveriesDropped: 0,
  broadcasts: 0,
  headsHeld: 0,
  deadLetters: 0,
  missedClaims: 0,
  holes: 0,
  stale: 0,
})
