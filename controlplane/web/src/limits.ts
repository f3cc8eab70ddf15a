/** Bounds of everything in the page that a peer, a person or the network can make grow. */

/** Characters of a display name. The server cuts at the same place; long names break tiles. */
export const NAME_LENGTH_MAX = 64;

/** Characters of one chat message that the page sends. */
export const CHAT_LENGTH_MAX = 2_000;

/** Bytes of one incoming text stream: CHAT_LENGTH_MAX of four-byte characters, twice over. */
export const CHAT_STREAM_BYTES_MAX = 16_000;

/** Chat messages kept; the oldest goes first. Memory and the time of a screen reader are finite. */
export const CHAT_MESSAGES_MAX = 500;

/** Tiles drawn at once. Past this, faces are too small to matter and decoders run out. */
export const TILES_MAX = 16;

/** Milliseconds until an API request counts as unanswered. */
export const API_TIMEOUT_MS = 10_000;

/** Milliseconds for the signalling WebSocket to open: a blocked port is usually silent. */
export const SIGNAL_TIMEOUT_MS = 10_000;

/** Milliseconds for ICE and DTLS. Browsers give a dead candidate pair up after about 15 s. */
export const MEDIA_TIMEOUT_MS = 15_000;

/** Milliseconds that the page keeps looking for the first sound of a remote track. */
export const FIRST_AUDIO_WATCH_MS = 60_000;

/** Characters of a consult's label. */
export const LABEL_LENGTH_MAX = 100;

/** Characters of the words in which somebody gives a reason; the server refuses more. */
export const REASON_LENGTH_MAX = 500;

/** Milliseconds between two reports that somebody is in front of the page. */
export const ACTIVITY_EVERY_MS = 30_000;

/** Milliseconds between two looks whether the session is locked; the server decides it. */
export const LOCK_CHECK_MS = 5_000;

/** Milliseconds between two looks at the consults and who waits for them. */
export const CLINIC_REFRESH_MS = 3_000;

/** Consults whose waiting rooms are looked at; a clinician has a few open at a time. */
export const LINKED_CONSULTS_MAX = 8;

/** Milliseconds between looks at the call's statistics: what the end of a page may lose. */
export const STATISTICS_SAMPLE_MS = 5_000;

/** Samples in one report to the server: one report in 10 s. */
export const STATISTICS_SAMPLES = 2;

/** Dictionaries in one report; the server refuses more. */
export const STATISTICS_ENTRIES_MAX = 64;

/** Milliseconds until a question to the waiting room counts as unanswered; the server holds 20 s. */
export const WAIT_TIMEOUT_MS = 28_000;

/** Milliseconds between a question to the waiting room that failed and the next. */
export const WAIT_RETRY_MS = 1_000;
