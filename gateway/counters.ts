/** Plain numbers for the hot paths; they reach the metrics once a second. */
export interface Counters {
  framesIn: number
  framesUnreadable: number
  commandsAppended: number
  commandsFailed: number
  deliveries: number
  deliveriesUnreadable: number
  pushed: number
  pushesDropped: number
  resent: number
  acked: number
  committed: number
  rejected: number
  headHints: number
  resyncs: number
  deliveryGaps: number
  opened: number
  loggedIn: number
  socketsDropped: number
}

export const newCounters = (): Counters => ({
  framesIn: 0,
  framesUnreadable: 0,
  commandsAppended: 0,
  commandsFailed: 0,
  deliveries: 0,
  deliveriesUnreadable: 0,
  pushed: 0,
  pushesDropped: 0,
  resent: 0,
  acked: 0,
  committed: 0,
  rejected: 0,
  headHints: 0,
  resyncs: 0,
  deliveryGaps: 0,
  opened: 0,
  loggedIn: 0,
  socketsDropped: 0,
})
