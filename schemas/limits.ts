/** Every limit of the platform in one table; what is over is refused at the edge with a stated code. Units last in the name. */
export const limits = {
  idCharsMax: 64,
  displayNameBytesMax: 256,
  tokenBytesMax: 4_096,
  kidCharsMax: 256,
  jwksBytesMax: 65_536,
  jwksKeysMax: 100,
  jwksTimeoutMs: 3_000,
  jwksRefreshMs: 300_000,
  /** A key id that nobody knows makes the set be fetched again at most this often. */
  jwksUnknownKidMs: 30_000,
  /** Of a login, in answer to a challenge. */
  proofBytesMax: 4_096,
  challengeBytesMax: 4_096,
  loginHookBytesMax: 16_384,
  loginHookAtOnceMax: 256,
  loginHookWaitingMax: 4_096,
  frameBytesMax: 65_536,
  contentBytesMax: 32_768,
  contentDepthMax: 32,
  mentionsMax: 50,
  /** Members named in one command; a larger import is chunked. */
  membersPerCommandMax: 500,
  groupMembersMax: 100_000,
  /** A group that ever had more members is large, for ever: its messages go to gateways by channel, not by name. */
  groupNamedMembersMax: 250,
  groupAdminsMax: 50,
  joinRequestsPerGroupMax: 1_000,
  pinnedPerConversationMax: 50,
  observersPerConversationMax: 20,
  /** Longest a member can be muted at once. */
  muteMsMax: 2_592_000_000,
  noteBytesMax: 512,
  avatarBytesMax: 1_024,
  /** Of an address in a content. */
  urlCharsMax: 4_096,
  pixelsPerSideMax: 100_000,
  announcementBytesMax: 4_096,
  customBytesMax: 8_192,
  emojiBytesMax: 64,
  settingKeyBytesMax: 192,
  settingValueBytesMax: 8_192,
  settingsPerUserMax: 10_000,
  /** Keys and values together: all of them stand in one answer. */
  settingsBytesPerUserMax: 1_000_000,
  /** Recipients named in one delivery record; more are split over several. */
  recipientsPerDeliveryMax: 250,
  packIdAheadMsMax: 60_000,
  /** The deterministic backstop behind packIdAheadMsMax, compared with broker time. */
  packIdAheadBackstopMsMax: 300_000,
  dedupEntriesPerStreamMax: 4_096,
  /** Newest messages of which a stream's fold keeps author, ordinal and time. */
  recentMessagesMax: 1_000,
  /** Defaults of settings. */
  recallWindowMs: 120_000,
  editWindowMs: 900_000,
  windowMsMax: 2_592_000_000,
  pageMessagesDefault: 30,
  pageMessagesMax: 200,
  membersPageDefault: 100,
  membersPageMax: 500,
  readersPageDefault: 100,
  readersPageMax: 500,
  searchPageDefault: 20,
  searchPageMax: 100,
  searchQueryBytesMax: 256,
  profilesPerRequestMax: 200,
  relationsPerUserMax: 5_000,
  /** Newest pages in one overview. */
  overviewPagesDefault: 20,
  overviewPagesMax: 100,
  /** An overview's batch holds about this much before it is compressed. */
  packedBytesMax: 262_144,
  /** All of an overview's batches before compression; the pages that would be over it are left to be asked for. */
  overviewBytesMax: 2_097_152,
  overviewsAtOnceMax: 8,
  overviewsWaitingMax: 4_096,
  /** A page ends early, with `more`, where its contents would be over this; a list leaves previews out. */
  pageBytesMax: 1_048_576,
  cursorCharsMax: 256,
  reactionsPerConversationMax: 10_000,
  presenceSubscriptionsPerConnectionMax: 1_000,
  presencePerRequestMax: 200,
  /** Members of a group that typing is shown in. */
  typingMembersMax: 50,
  conversationsPageDefault: 50,
  conversationsPageMax: 500,
  headsPerAnswerMax: 10_000,
  rangesPerSyncMax: 100,
  changesPerSyncMax: 500,
  timelineMessagesPerConversationMax: 200,
  changeIndexEntriesMax: 1_000,
  /** Joins and leaves kept per user and group; older ones hide what lay before. */
  membershipFactsMax: 256,
  /** Unread mentions counted per user and conversation, and those of everyone per conversation; beyond it the newest. */
  mentionEntriesMax: 1_000,
  /** Newest messages of a conversation that name somebody and of which an edit or a recall takes back whom. */
  namingMessagesMax: 1_000,
  acksPerFrameMax: 256,
  /** A gateway keeps at most this much unacknowledged per connection, then closes it as slow. */
  unackedFramesPerConnectionMax: 4_096,
  unackedBytesPerConnectionMax: 8_388_608,
  socketBufferBytesMax: 4_194_304,
  /** Of a poll: its body, and frames in it. */
  pollBodyBytesMax: 262_144,
  /** Of one without a session, which is a login; and of all that have not come to their end, in one gateway. */
  pollLoginBodyBytesMax: 16_384,
  pollBodiesBytesMax: 67_108_864,
  pollFramesMax: 256,
  /** How long a poll hangs without news, where it does not say, and at most. */
  pollWaitMsDefault: 30_000,
  pollWaitMsMax: 60_000,
  /** Frames that wait for a poll to fetch or confirm them; a session over it is slow. */
  pollQueueFramesMax: 4_096,
  pollQueueBytesMax: 4_194_304,
  /** An answer to a poll; a single frame may be larger. */
  pollAnswerBytesMax: 1_048_576,
  /** How long a gateway that stops waits for polls that fetch its last frames. */
  pollDrainMsMax: 2_000,
  /** How long the answer to a login, or the last frames of a session, wait to be fetched. */
  pollLingerMs: 30_000,
  pollsPerSecondPerSessionMax: 200,
  pollsBurstPerSessionMax: 400,
  ackTimeoutMs: 10_000,
  resendsMax: 3,
  loginTimeoutMs: 5_000,
  /** Logins that a gateway is at work on at once, those that wait for it, and how long the rest is asked to stay away. */
  loginsAtOnceMax: 16,
  loginsWaitingMax: 4_000,
  loginsReturnMsMax: 5_000,
  /** A login that takes longer does not count any more. */
  loginTurnMsMax: 100,
  heartbeatMsMin: 10_000,
  heartbeatMsMax: 600_000,
  connectionsPerUserMax: 32,
  /** High, since a load balancer may stand for all of its clients. */
  connectionsPerAddressMax: 20_000,
  loginsPendingPerAddressMax: 5_000,
  loginsPerSecondPerAddress: 2_000,
  readsInFlightPerConnectionMax: 64,
  /** Events of a large group that a gateway holds back while it finds out who is in it. */
  channelEventsHeldMax: 64,
  /** Longest a login waits for its user's large groups; what is found later is told then. */
  channelsWaitMsMax: 500,
  /** Large groups of which a gateway remembers that nobody here is in them. */
  channelsEmptyMax: 10_000,
  /** Users whose presence a gateway reads in one round; more take their turn. */
  presencePerRoundMax: 5_000,
  /** Typing in one conversation is told at most this often per connection. */
  typingIntervalMs: 2_000,
  /** Conversations of which a connection's last typing is remembered. */
  typingConversationsMax: 16,
  /** Signals to other gateways on their way at once; more are dropped. */
  signalsInFlightMax: 1_000,
  signalBytesMax: 16_384,
  /** Streams of which a gateway remembers per connection what it pushed last. */
  streamsPerConnectionMax: 1_024,
  commandsPerSecondPerConnectionMax: 200,
  commandsBurstPerConnectionMax: 400,
  /** Over this, typing is dropped without an answer. */
  typingPerSecondPerConnectionMax: 2,
  typingBurstPerConnectionMax: 10,
  readsPerSecondPerConnectionMax: 50,
  readsBurstPerConnectionMax: 200,
  /** All connections of a user on a gateway together. */
  commandsPerSecondPerUserMax: 400,
  commandsBurstPerUserMax: 1_600,
  readsPerSecondPerUserMax: 200,
  readsBurstPerUserMax: 1_600,
  /** Users, and addresses, whose rate is remembered. */
  limitedKeysMax: 200_000,
  commandsInFlightPerConnectionMax: 1_024,
  /** Requests of one OMTP connection whose packIds wait for an answer. */
  omtpRequestsOpenMax: 256,
  /** Payloads from here on are compressed for a client that asked for it. */
  omtpDeflateFromBytes: 512,
  /** A frame that has begun must be there by then. */
  omtpFrameMsMax: 10_000,
  /** What a client whose connection is ended has not read by then is dropped. */
  omtpLingerMsMax: 2_000,
  appendBufferBytesMax: 67_108_864,
  appendTimeoutMs: 10_000,
  /** A gateway that does not know what was written onto im.keys until so long ago seals nothing: longer than an election of brokers. */
  keysAgeMsMax: 30_000,
  /** Events older than this are folded by fan-out, not pushed: their readers have long been told by heads. */
  pushAgeMsMax: 300_000,
  /** So long after a group became large every gateway is told, by broker time: those concerned register meanwhile. */
  becomingLargeMs: 60_000,
  /** Friends who are told at once that a profile has changed; more read it when they next look. */
  profileSignalsMax: 1_000,
  deliveryWriteMsMax: 2_000,
  gatewayHeartbeatMs: 2_000,
  gatewaySilenceMsMax: 8_000,
  /** A gateway rewrites its records in the online map this often; each is good for onlineExpiryMs. */
  onlineRefreshMs: 10_000,
  onlineExpiryMs: 30_000,
  /** What gateways that never came back left in the online map is looked for this often. */
  onlineSweepMs: 30_000,
  /** Users of a gateway whom an operator is shown at once. */
  onlineUsersPerAnswerMax: 1_000,
  /** What all clients are asked to do at once (resync, reconnect) is spread over at most this long. */
  spreadMsMax: 2_000,
  /** Login records that a gateway keeps while the log does not answer, and those in one record of im.activity. */
  activityBufferMax: 20_000,
  activityPerRecordMax: 500,
  /** Rows of the delivery ledger that a gateway keeps while the log does not answer, and those in one record of im.activity. */
  ledgerRowsMax: 100_000,
  ledgerPerRecordMax: 1_500,
  /** Rows a second of one gateway above which `auto` takes a sample, and what a sample is of at the most. */
  ledgerRowsPerSecondMax: 2_000,
  ledgerOneOfMax: 65_536,
  /** Sent messages whose answer the ledger waits for, and for how long. */
  ledgerSendsMax: 20_000,
  ledgerSendMsMax: 60_000,
  /** A gateway says at least this often that it lives, for the archive; one that is silent for three times this was lost. */
  activityAliveMs: 60_000,
  recordBytesMax: 1_000_000,
  /** Default of the setting. */
  drainMs: 10_000,
  drainMsMax: 600_000,
  /** Longest that a gateway which stops is open and says that it is not ready. */
  drainNoticeMsMax: 5_000,
  /** Messages with which a late joiner of a live room begins. */
  roomNewestDefault: 20,
  roomNewestMax: 50,
  roomContentBytesMax: 4_096,
  roomCommandsPerSecondPerConnectionMax: 5,
  roomCommandsBurstPerConnectionMax: 20,
  /** Into one room by one gateway. */
  roomCommandsPerSecondPerGatewayMax: 200,
  roomCommandsBurstPerGatewayMax: 400,
  /** Messages of a room that come closer together than this leave as one frame. */
  roomWindowMs: 25,
  /** The newest that one frame holds; the rest is skipped, and that is said. */
  roomItemsPerFrameMax: 50,
  roomFrameBytesMax: 65_536,
  /** A connection that has so much on the wire is shown no room until it has taken it. */
  roomSocketBufferBytesMax: 262_144,
} as const
