/** Running counts of one fan-out process, for metrics and summaries. */
export interface FanoutStats {
  accepted: number
  /** Records written to gateways; those of them that went to all members of a large group there; those with a signal. */
  deliveries: number
  channelDeliveries: number
  signals: number
  /** Profiles whose friends were not told. */
  signalsDropped: number
  deliveriesDropped: number
  /** Batches that were sent everywhere because the online map could not be read. */
  broadcasts: number
  headsHeld: number
  /** Keys written and read in the store, and how often it was asked which gateways have members of a large group. */
  storeWrites: number
  storeReads: number
  interestLookups: number
  deadLetters: number
  missedClaims: number
  holes: number
  stale: number
}

export const newFanoutStats = (): FanoutStats => ({
  accepted: 0,
  deliveries: 0,
  channelDeliveries: 0,
  signals: 0,
  signalsDropped: 0,
  deliveriesDropped: 0,
  broadcasts: 0,
  headsHeld: 0,
  storeWrites: 0,
  storeReads: 0,
  interestLookups: 0,
  deadLetters: 0,
  missedClaims: 0,
  holes: 0,
  stale: 0,
})
