/** Every number that bounds a piece of fetching, with the reason for it. */

/** Pages of one call before what they covered is noted: what a kill repeats is at most this. */
export const PAGES_A_STEP = 8;

/** Values of ids, authors or kinds in one filter: the strictest large relays take 500. */
export const PART_VALUES_MAX = 500;
/** Values of one tag in one filter: some relays take 256. */
export const PART_TAG_VALUES_MAX = 250;
/** A filter in bytes: far below the 128 KiB of strfry's messages, with room for 500 authors. */
export const PART_BYTES_MAX = 49_152;
/** Whatever an upstream says of its messages: a filter for each author would never come to an end. */
export const PART_BYTES_MIN = 1_024;
/** The share of an upstream's longest message that a filter may take; the rest is for NIP-77. */
export const PART_MESSAGE_SHARE = 0.75;

/**
 * Parts of one source: a few visits' requests. Lists multiply each other, and a relay may claim to
 * take very short messages; then parts are longer than it says.
 */
export const PARTS_MAX = 5_000;

/** A new filter's part begins with this much of its newest past, and the older past waits its turn. */
export const NEWS_SECONDS = 604_800;

/**
 * Parts that are refused before the one that is taken most likely is tried: with none taken, and
 * that one refused, too, the visit ends. Each costs a request.
 */
export const REFUSALS_MAX = 10;
/** Refused one after the other where some were taken: the relay may have had enough of us. */
export const REFUSALS_IN_ROW_MAX = 100;

/** Parts of one filter that a measurement looks at, chosen by chance where there are more. */
export const MEASURED_PARTS_MAX = 12;

/** What NIP-77 needs of an upstream's messages: its first one holds a filter and 31 ids in hex. */
export const NIP77_MESSAGE_BYTES_MIN = 16_384;

/** How long a login waits for the challenge: some relays send it only after the first REQ. */
export const CHALLENGE_WAIT_MS = 3_000;

/** Where an upstream says nothing of its own: what the strict ones among the large relays take. */
export const FOLLOWED_SUBSCRIPTIONS = 10;
export const FOLLOWED_FILTERS = 10;
/** A REQ with several filters, in bytes. */
export const FOLLOWED_REQ_BYTES_MAX = 49_152;

/**
 * Ids asked for in one REQ, and in the ones that ask again for what did not come: the strictest of
 * the large relays take filters of a few hundred, others cut them silently.
 */
export const LOTS_OF_IDS = [200, 20, 2] as const;

/** Ids that one reconciliation tells us to fetch before it ends: about a third of a visit's work. */
export const NEEDED_IDS_MAX = 20_000;

/** How many the next range is chosen for, by what the last one held. */
export const NEEDED_IDS_WANTED = 10_000;

/** How many times longer than the last one a range may be at most. */
export const GROWTH_MAX = 16;

/** Ids that a visit remembers as delivered though no range of theirs was covered yet. */
export const DELIVERED_IDS_MAX = 200_000;

/** Differences, both ways, after which one reconciliation ends with what is known by then. */
export const DIFFERING_IDS_MAX = 60_000;

/** Above this share of announced ids that are withheld, a range does not count as whole. */
export const WITHHELD_SHARE_MAX = 0.01;

/** The first range that is reconciled: an hourly visit in one, and of the largest relays not too much. */
export const RECONCILED_SECONDS_FIRST = 7_200;

/** An empty answer for more than this is doubted: a relay may just be starting. */
export const EMPTY_DOUBTED_SECONDS = 86_400;

/** Events of ours that are read and sent to another relay at a time, before it is noted. */
export const SENT_AT_A_TIME = 200;

/** Of the ids that a measurement finds missing, so many are looked at: some are not wanted here. */
export const MISSING_LOOKED_AT = 400;

/** Ids of our side of a reconciliation; a range that holds more is cut. About 40 bytes each. */
export const RECONCILED_IDS_MAX = 500_000;

/** Rounds of one reconciliation: each narrows what differs about sixteenfold. */
export const ROUNDS_MAX = 200;

/** Frames of NIP-77 that we send, in bytes before hex: relays take messages of 128 KiB and more. */
export const FRAME_BYTES_MAX = 49_152;

/** Events that are gathered before they are delivered. */
export const BATCH_EVENTS_MAX = 500;
/** The same in bytes: all pieces of an instance share a publisher that holds 64 MiB. */
export const BATCH_BYTES_MAX = 4 * 1_048_576;

/** A source with fewer events than this behind it is not judged by its invalid ones. */
export const INVALID_JUDGED_FROM = 20;

/** Above this share of invalid events a source is quarantined: broken relays send a few percent. */
export const INVALID_SHARE_MAX = 0.1;

/** What is left of a piece's time goes to filters in turn, and none gets less than this. */
export const FILTER_MS_MIN = 1_000;

/** Windows that a coverage figure is sampled from where the upstream has no NIP-77. */
export const SAMPLES = 24;

/** Missing events of a sample by which is seen whether they stay here once they are brought. */
export const WITNESSES_A_SAMPLE = 20;

/** When it is looked whether they have come: sixteen seconds in all, for Pub/Sub and the store. */
export const STORED_LOOKS_MS = [250, 500, 1_000, 2_000, 4_000, 8_000] as const;

/** Ids of a range of the past that is sent; one that holds more is cut. */
export const SENT_IDS_MAX = 5_000;

/** Visits that one event may stop with an error or silence; hourly ones, so about half a day. */
export const SENT_TRIES_MAX = 10;

/** Sources that one call of the scheduler hands out. */
export const PLANNED_MAX = 200;

/** Authors whose relay lists are read with one query, and for one call in all. */
export const OUTBOX_AUTHORS_A_QUERY = 500;
export const OUTBOX_AUTHORS_MAX = 10_000;

/** Relays that are taken from one author's list; NIP-65 asks authors to keep it at two to four. */
export const RELAYS_AN_AUTHOR = 4;

/** Relay lists of anybody, the newest ones, that one call looks for candidates in. */
export const RELAY_LISTS_READ = 500;

/** Candidates of one origin that one call takes, and that wait for an operator at most. */
export const CANDIDATES_A_CALL = 3;
export const CANDIDATES_MAX = 200;

/** Probes that one call hands out. */
export const PROBED_A_CALL = 10;

/** Events that a probe asks for, how long each of its steps may be silent, and all of it take. */
export const PROBE_EVENTS = 5;
export const PROBE_TIMEOUT_MS = 8_000;
export const PROBE_MS_MAX = 30_000;

/** Sources that one worker follows live: each is a socket and its buffers of up to 8 MiB. */
export const FOLLOWED_MAX = 100;

/** How often the worker looks for sources that were added, paused or removed. */
export const FOLLOW_REFRESH_MS = 30_000;

/** Events of all followed sources that wait for Pub/Sub at once. */
export const FOLLOW_PENDING_BYTES_MAX = 67_108_864;
