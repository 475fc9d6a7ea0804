/**
 * Every limit of driftline, in one frozen table. docs/limits.md repeats it, and the tests hold each
 * entry at the limit and one past it.
 */
export const limits = Object.freeze({
  /** Bytes of a request body, as it arrives. Beyond: 413. */
  bodyBytesMax: 4 * 1024 * 1024,
  /** Changes of one change set. Beyond: 413. */
  changesMax: 5_000,
  /** Bytes of one change, as compact UTF-8 JSON. Beyond: the change is rejected `too_large`. */
  changeBytesMax: 1024 * 1024,
  /** Rows of one page, over all scopes and tables. Outside 1 to this: 400. */
  pageRowsMax: 5_000,
  /**
   * Rows of a page when the request names no limit; also the rows between two cursor lines of a
   * stream.
   */
  pageRowsDefault: 1_000,
  /**
   * Bytes that the text columns of one page and scope hold before the page ends early with `more:
   * true`.
   */
  pageBytesMax: 4 * 1024 * 1024,
  /**
   * Lines of an import that are applied together, and the text in them: for so long phones of the
   * same scope wait.
   */
  importLinesMax: 2_000,
  importTextMax: 1024 * 1024,
  /**
   * How many times its size a compressed import may inflate to, beyond the bytes that are free.
   * Beyond: 413.
   */
  importInflationMax: 100,
  /**
   * Inflated without being measured: a small body of repeated lines may well be a hundredth of
   * them.
   */
  importInflationFreeBytes: 4 * 1024 * 1024,
  /** Rejected lines that the answer to an import names; further ones are counted by their code. */
  importRejectedMax: 1_000,
  /**
   * How long a body may stand still. What moves may take any time. Beyond: 408. A setting:
   * `BODY_IDLE_MS_MAX`.
   */
  bodyIdleMsMax: 60_000,
  /** How long the head of a request may take, in Node. Beyond: 408. A setting: `HEADERS_MS_MAX`. */
  headersMsMax: 60_000,
  /**
   * How long an idle connection is kept, in Node: longer than load balancers do. A setting:
   * `KEEP_ALIVE_MS`.
   */
  keepAliveMs: 75_000,
  /**
   * Streams of one subject that are under way, in a process. Beyond: 429. A setting: `STREAMS_MAX`.
   */
  streamsMax: 20,
  /** How long nobody may read a stream before it is cut. A setting: `STREAM_IDLE_MS_MAX`. */
  streamIdleMsMax: 60_000,
  /**
   * Changes of one subject within a minute, in a process. Beyond: 429, and an import waits. A
   * setting: `CHANGES_PER_MINUTE_MAX`.
   */
  changesPerMinuteMax: 1_000_000,
  /**
   * Deletes of one subject within an hour, of ids that were never seen. Beyond: `quota_exceeded`. A
   * setting: `UNSEEN_DELETES_PER_HOUR_MAX`.
   */
  unseenDeletesPerHourMax: 10_000,
  /**
   * Bytes of the rows that the verdicts of a push repeat, over all scopes, where there is more than
   * one. Beyond: 413.
   */
  answerBytesMax: 8 * 1024 * 1024,
  /** Characters (code points) of an id. */
  idLengthMax: 128,
  /** Characters (code points) of a scope. */
  scopeLengthMax: 128,
  /** Characters of a client name. */
  clientLengthMax: 64,
  /** Levels of arrays and objects inside a `json` value. */
  jsonDepthMax: 100,
  /**
   * Digits of a `decimal` value, before and behind its point. Postgres would take some more.
   * Beyond: the change is rejected.
   */
  decimalDigitsMax: 1_000,
  /** The least stamp, in microseconds: 2000-01-01T00:00:00Z. */
  stampMin: 946_684_800_000_000,
  /** How far a stamp may lie ahead of the server's clock. A setting: `CLOCK_DRIFT_MS_MAX`. */
  clockDriftMsMax: 5 * 60_000,
  /**
   * How often parts of a change set are tried, to find out what the database refuses; and batches
   * for it, where a store has nothing else.
   */
  refusalTriesMax: 24,
  refusalBatchesMax: 100,
  /**
   * For how long they are tried: half of what clients and proxies wait for an answer. Beyond
   * either: `send_fewer`.
   */
  refusalMsMax: 15_000,
  /** For how long an issuer's keys go on being good while they cannot be fetched again. */
  keysKeptMsMax: 24 * 3_600_000,
  /** How long one round trip to the database may take before it is given up with a 503. */
  databaseMsMax: 10_000,
  /** How long `/health` waits for the databases before it answers with a 503. */
  healthMsMax: 3_000,
  /** The same for one migration, which may rewrite a large table. */
  migrationMsMax: 60 * 60_000,
  /**
   * Databases that are held open where each scope has its own. A file has two connections, of three
   * descriptors each.
   */
  databasesOpenMax: 100,
  /** Scopes whose shard is remembered; others are looked up again. */
  homesMax: 100_000,
  /** Scopes that are read side by side for one request. */
  scopesAtOnceMax: 6,
  /** Scopes of one database that are written by one batch. */
  scopesTogetherMax: 100,
  /**
   * For how long it is remembered at the least which adds to counters were counted: as long as
   * tombstones are kept, where that is longer. Beyond: the add may be rejected `add_expired`.
   */
  addsMs: 14 * 24 * 3_600_000,
  /** For how long the ids of webhooks are kept: longer than a sender tries again. */
  inboxMs: 14 * 24 * 3_600_000,
  /**
   * How far the time that a webhook was signed at may lie from now. A setting:
   * `WEBHOOK_AGE_MS_MAX`.
   */
  webhookAgeMsMax: 5 * 60_000,
  /**
   * Sockets and event streams of one subject, in a process or Durable Object. Beyond: 429. A
   * setting: `LIVE_SOCKETS_MAX`.
   */
  liveSocketsMax: 100,
  /**
   * Scopes that one socket is told of. A token that grants more names some with `?scope=`. Beyond:
   * 400.
   */
  liveScopesMax: 100,
  /** A scope's pokes within this time become one. */
  livePokeMs: 50,
  /** How often a socket is pinged. Whoever has not answered by the next one is gone. */
  livePingMs: 30_000,
  /** Bytes of a message to the server, which reads none. Beyond: the socket is closed with 1009. */
  liveMessageBytesMax: 1024,
  /** Bytes that wait for a client which does not read. Beyond: it is dropped. */
  liveBufferedBytesMax: 64 * 1024,
  /** Endpoints of outgoing webhooks. Each that matches a scope is a statement of its pushes. */
  endpointsMax: 20,
  /** How long one delivery may take in all, from the name of the host to the head of the answer. */
  deliveryMsMax: 10_000,
  /** Rows that one delivery may carry, and about so many bytes of text in them. */
  deliveryRowsMax: 1_000,
  deliveryBytesMax: 1024 * 1024,
  /** How long a delivery is kept that nobody takes. */
  deliveryKeptMsMax: 30 * 24 * 3_600_000,
  /** Tables of a schema, and columns of a table. */
  tablesMax: 100,
  columnsMax: 200,
})

export type Limits = typeof limits
