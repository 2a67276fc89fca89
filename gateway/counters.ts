/** Plain numbers for the hot paths; they reach the metrics once a second. */
export interface Counters {
  framesIn: number
  framesUnreadable: number
  commandsAppended: number
  commandsFailed: number
  deliveries: number
  deliveriesUnreadable: number
  /** Their content was sealed under a key that was not read yet. */
  deliveriesWaitedForKey: number
  pushed: number
  pushesDropped: number
  resent: number
  acked: number
  committed: number
  rejected: number
  headHints: number
  resyncs: number
  deliveryGaps: number
  /** Deliveries to the members of a large group, and those of them that waited until these were known. */
  channelDeliveries: number
  channelEventsHeld: number
  /** How often the directory was asked for a user's large groups, for members of one, and for these again. */
  channelReads: number
  channelAsks: number
  channelAsksRepeated: number
  /** Receipts and changed profiles told. */
  signals: number
  typingShown: number
  typingDropped: number
  presenceTold: number
  presenceDropped: number
  /** To and from other gateways. */
  signalsSent: number
  signalsReceived: number
  signalsDropped: number
  /** Logins that a newer one ended: of another device, of the same one. */
  devicesKicked: number
  devicesReplaced: number
  /** Joins of live rooms, and reads of the store for them. */
  roomJoins: number
  roomReads: number
  /** Messages of rooms that came; those of them that came too fast to be shown, to everyone in the room here. */
  roomItems: number
  roomItemsDropped: number
  /** Frames to connections in rooms; those that a slow one was not sent. */
  roomFrames: number
  roomFramesSkipped: number
  roomCommandsRefused: number
  /** Login records, and those dropped for want of room. */
  activityWritten: number
  activityDropped: number
  /** Rows of the delivery ledger, and those dropped for want of room. */
  ledgerWritten: number
  ledgerDropped: number
  opened: number
  loggedIn: number
  /** Logins that were told to come again, as too many waited. */
  loginsTurnedAway: number
  socketsDropped: number
  /** Refused for the rate of their user or address. */
  commandsOverRate: number
  readsOverRate: number
  loginsOverRate: number
}

export const newCounters = (): Counters => ({
  framesIn: 0,
  framesUnreadable: 0,
  commandsAppended: 0,
  commandsFailed: 0,
  deliveries: 0,
  deliveriesUnreadable: 0,
  deliveriesWaitedForKey: 0,
  pushed: 0,
  pushesDropped: 0,
  resent: 0,
  acked: 0,
  committed: 0,
  rejected: 0,
  headHints: 0,
  resyncs: 0,
  deliveryGaps: 0,
  channelDeliveries: 0,
  channelEventsHeld: 0,
  channelReads: 0,
  channelAsks: 0,
  channelAsksRepeated: 0,
  signals: 0,
  typingShown: 0,
  typingDropped: 0,
  presenceTold: 0,
  presenceDropped: 0,
  signalsSent: 0,
  signalsReceived: 0,
  signalsDropped: 0,
  devicesKicked: 0,
  devicesReplaced: 0,
  roomJoins: 0,
  roomReads: 0,
  roomItems: 0,
  roomItemsDropped: 0,
  roomFrames: 0,
  roomFramesSkipped: 0,
  roomCommandsRefused: 0,
  activityWritten: 0,
  activityDropped: 0,
  ledgerWritten: 0,
  ledgerDropped: 0,
  opened: 0,
  loggedIn: 0,
  loginsTurnedAway: 0,
  socketsDropped: 0,
  commandsOverRate: 0,
  readsOverRate: 0,
  loginsOverRate: 0,
})
