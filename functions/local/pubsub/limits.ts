/**
 * Every number that bounds something in the local Pub/Sub. The first group is Google's own, so
 * that what passes here passes there; the second is ours, for one machine.
 */
export const limits = {
  /** Data and attributes of one message. */
  messageBytesMax: 10_000_000,
  /** A publish request as it stands on the wire. */
  requestBytesMax: 10_485_760,
  messagesPerRequestMax: 1_000,
  attributesMax: 100,
  attributeKeyBytesMax: 256,
  attributeValueBytesMax: 1_024,
  orderingKeyBytesMax: 1_024,
  filterBytesMax: 256,
  ackDeadlineSecondsMin: 10,
  ackDeadlineSecondsMax: 600,
  retentionSecondsMin: 600,
  retentionSecondsMax: 2_678_400,
  expirationSecondsMin: 86_400,
  deliveryAttemptsMin: 5,
  deliveryAttemptsMax: 100,
  backoffSecondsMax: 600,
  pageSizeMax: 1_000,

  /**
   * Above Google's request limit, so that a request that is somewhat too large is answered with
   * Google's words instead of being cut off by the transport.
   */
  transportBytesMax: 33_554_432,
  /** Messages that one subscription holds ready in memory; the rest of a backlog is on disk. */
  windowMessagesMax: 2_000,
  /** The same in bytes: a flood of large messages must not fill the memory. */
  windowBytesMax: 16_777_216,
  /** One answer to a pull holds no more, unless a single message is larger. */
  responseBytesMax: 4_194_304,
  responseMessagesMax: 1_000,
  /** A pull that finds nothing answers after this; Google too waits "a bounded time". */
  pullWaitMsMax: 20_000,
  /**
   * Push requests at the same time to one endpoint. Google goes to thousands over many instances;
   * one function process on one machine does its best work with far fewer.
   */
  pushWindowMax: 16,
  /** How long a push endpoint that fails is left alone: from here, doubling … */
  pushPauseMsMin: 100,
  /** … up to here. Google waits up to 60 s; on one machine whatever died is up again in seconds. */
  pushPauseMsMax: 1_000,
  /** Acknowledgements may wait this long for a commit that happens anyway. */
  acknowledgementDelayMs: 200,
  /** … but no more than this many. */
  acknowledgementsPendingMax: 5_000,
  /** How often messages past their retention and subscriptions past their time are removed. */
  sweepIntervalMs: 60_000,
  /** Rows that one turn of a long deletion takes, so that the event loop stays free. */
  deletionRowsMax: 1_000,
} as const;
