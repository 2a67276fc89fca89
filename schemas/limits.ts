/** Every limit of the platform in one table; what is over is refused at the edge with a stated code. Units last in the name. */
export const limits = {
  idCharsMax: 64,
  displayNameBytesMax: 256,
  tokenBytesMax: 4_096,
  frameBytesMax: 65_536,
  contentBytesMax: 32_768,
  contentDepthMax: 32,
  mentionsMax: 50,
  /** Members named in one command; a larger import is chunked. */
  membersPerCommandMax: 500,
  groupMembersMax: 5_000,
  /** Recipients named in one delivery record; more are split over several. */
  recipientsPerDeliveryMax: 250,
  packIdAheadMsMax: 60_000,
  /** The deterministic backstop behind packIdAheadMsMax, compared with broker time. */
  packIdAheadBackstopMsMax: 300_000,
  dedupEntriesPerStreamMax: 4_096,
  /** Newest messages of which a stream's fold keeps author, ordinal and time. */
  recentMessagesMax: 1_000,
  recallWindowMs: 120_000,
  editWindowMs: 900_000,
  pageMessagesDefault: 30,
  pageMessagesMax: 200,
  conversationsPageDefault: 50,
  conversationsPageMax: 500,
  headsPerAnswerMax: 10_000,
  rangesPerSyncMax: 100,
  changesPerSyncMax: 500,
  timelineMessagesPerConversationMax: 200,
  changeIndexEntriesMax: 1_000,
  /** Joins and leaves kept per user and group; older ones hide what lay before. */
  membershipFactsMax: 256,
  /** Newest mentions kept per conversation. */
  mentionEntriesMax: 1_000,
  acksPerFrameMax: 256,
  /** A gateway keeps at most this much unacknowledged per connection, then closes it as slow. */
  unackedFramesPerConnectionMax: 4_096,
  unackedBytesPerConnectionMax: 8_388_608,
  socketBufferBytesMax: 4_194_304,
  ackTimeoutMs: 10_000,
  resendsMax: 3,
  loginTimeoutMs: 5_000,
  heartbeatMsMin: 10_000,
  heartbeatMsMax: 600_000,
  connectionsPerUserMax: 32,
  /** High, since a load balancer may stand for all of its clients. */
  connectionsPerAddressMax: 20_000,
  loginsPendingPerAddressMax: 5_000,
  readsInFlightPerConnectionMax: 64,
  /** Streams of which a gateway remembers per connection what it pushed last. */
  streamsPerConnectionMax: 1_024,
  commandsPerSecondPerConnectionMax: 200,
  commandsBurstPerConnectionMax: 400,
  readsPerSecondPerConnectionMax: 50,
  readsBurstPerConnectionMax: 200,
  commandsInFlightPerConnectionMax: 1_024,
  appendBufferBytesMax: 67_108_864,
  appendTimeoutMs: 10_000,
  /** Events older than this are folded by fan-out, not pushed: their readers have long been told by heads. */
  pushAgeMsMax: 300_000,
  deliveryWriteMsMax: 2_000,
  gatewayHeartbeatMs: 2_000,
  gatewaySilenceMsMax: 8_000,
  /** A gateway rewrites its records in the online map this often; each is good for onlineExpiryMs. */
  onlineRefreshMs: 10_000,
  onlineExpiryMs: 30_000,
  /** What all clients are asked to do at once (resync, reconnect) is spread over at most this long. */
  spreadMsMax: 2_000,
  recordBytesMax: 1_000_000,
} as const
