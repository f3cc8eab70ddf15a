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
