//! Every bound of the edges, with its reason and what happens when it is reached.

use std::time::Duration;

/// Open TCP connections, signalling included. Beyond it the listener stops accepting: the
/// kernel's backlog holds newcomers back without costing us memory. Ten times what one host's
/// media can serve.
pub const CONNECTIONS_MAX: usize = 10_000;

/// Time for a TLS handshake; then the connection is dropped. A handshake is two flights: this
/// allows for three losses with TCP's doubling time-outs.
pub const TLS_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Time for a request's header section, counted from the connection's last answer, so it is
/// also how long an idle connection is kept. The consult page polls the waiting room alone.
pub const HEADER_TIMEOUT: Duration = Duration::from_secs(30);

/// Request line and header section, bytes; more is answered with 431. A join request with an
/// offer of six media sections is about 20 KB and a token up to 8 KB.
pub const HEADER_BYTES_MAX: usize = 64 * 1024;

/// Header fields of a request; more is answered with 431.
pub const HEADERS_MAX: usize = 100;

/// From the end of a request's header section to its answer; then 408. Nothing that is served
/// waits for anything but the rooms' task and the database, but for the waiting room.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// How long the waiting room's questions are held before they are answered with "no change":
/// less than [`REQUEST_TIMEOUT`].
pub const WAIT_ANSWER: Duration = Duration::from_secs(20);

/// Somebody in the waiting room who has not asked for this long has left it: a question's time and
/// a slow network's.
pub const WAIT_PRESENT: Duration = Duration::from_secs(30);

/// How long a revocation waits for the data plane to say that transports are closed.
pub const REVOCATION_CONFIRM: Duration = Duration::from_secs(5);

/// Transports' ends that wait for whoever revokes; beyond it the revocation says that it could not
/// be confirmed. All transports of a full host.
pub const CLOSED_PEERS_WAITING_MAX: usize = 16_384;

/// Accounts in one answer.
pub const ACCOUNTS_MAX: u32 = 1_000;

/// Characters of the words in which somebody gives a reason.
pub const REASON_CHARACTERS_MAX: usize = 500;

/// From the click to the join, with time to choose a camera.
pub const JOIN_TOKEN_LIFETIME: Duration = Duration::from_secs(600);

/// Between attempts to end emergency entries while the database cannot be used.
pub const BREAK_GLASS_RETRY: Duration = Duration::from_secs(1);

/// Time for running requests when the server stops; then their connections are dropped.
pub const STOP_GRACE: Duration = Duration::from_secs(2);

/// A token, bytes; a longer one is answered with 401. LiveKit's servers carry metadata and
/// attributes in tokens.
pub const TOKEN_BYTES_MAX: usize = 16 * 1024;

/// A secret that signs tokens, bytes: the least that RFC 7518 §3.2 allows for HS256.
pub const SECRET_BYTES_MIN: usize = 32;

/// API keys in the file; more is refused at start.
pub const API_KEYS_MAX: usize = 1_000;

/// Clocks of the token's maker and ours may differ by this much, seconds.
pub const TOKEN_LEEWAY_S: u64 = 10;

/// Least lifetime of a refreshed token: LiveKit's clients get a new one every five minutes.
pub const REFRESHED_TOKEN_LIFETIME: Duration = Duration::from_secs(600);

/// A join request after decompression, bytes; more is answered with 400.
pub const JOIN_REQUEST_BYTES_MAX: usize = 1 << 20;

/// A WebSocket message, bytes; a client that sends more is disconnected. LiveKit's own bound.
pub const MESSAGE_BYTES_MAX: usize = 2 << 20;

/// Protobuf fields in a message, nested ones included; more is answered as a malformed message.
/// Two bytes on the wire can decode to 500 in memory, so bounding bytes alone does not bound
/// memory: this is about 30 MiB at worst. A resume with 500 published tracks has about 15,000;
/// a text of 128 KiB never has more, whatever is in it.
pub const MESSAGE_FIELDS_MAX: usize = 65_536;

/// Messages waiting for a client; one that is this far behind is disconnected and resumes.
pub const SESSION_MESSAGES_WAITING_MAX: usize = 1_024;

/// Bytes waiting for a client, counted before encoding to JSON. The first messages to a newcomer
/// in a full room (500 participants) are about 1 MiB.
pub const SESSION_BYTES_WAITING_MAX: usize = 8 << 20;

/// Between WebSocket pings to a client: keeps middleboxes from forgetting an idle connection.
pub const PING_INTERVAL: Duration = Duration::from_secs(10);

/// A client from which nothing came for this long, not even a pong, is disconnected.
pub const SILENCE_MAX: Duration = Duration::from_secs(30);

/// Time for one message to leave for a client that takes nothing, and for its answer to our
/// close frame; then TCP is dropped.
pub const SEND_TIMEOUT: Duration = Duration::from_secs(10);

/// Requests waiting for the task that owns the rooms. Senders wait: each connection has at most
/// one in here, so that none can crowd out the others.
pub const MAILBOX_MAX: usize = 1_024;

/// Bytes waiting for the data plane; beyond it the connection is made anew and everything wanted
/// is sent again, which is shorter than the way there. A room of 1,000 that all receive each
/// other needs about a third of it.
pub const DATAPLANE_BYTES_WAITING_MAX: usize = 256 << 20;

/// Between attempts to reach the data plane: doubles from the first to the last.
pub const DATAPLANE_RETRY: (Duration, Duration) =
    (Duration::from_millis(50), Duration::from_secs(2));

/// Time for the data plane's answer to our hello; starting its workers and rings takes well
/// under a second.
pub const DATAPLANE_WELCOME_TIMEOUT: Duration = Duration::from_secs(10);

/// A room's snapshot is on disk at most this long, plus one transaction, after it changed; longer
/// only where [`SNAPSHOT_SHARE`] says so.
pub const SNAPSHOT_DELAY: Duration = Duration::from_millis(50);

/// Copying snapshots takes at most one part in this many of the time of the task that owns the
/// rooms.
pub const SNAPSHOT_SHARE: u32 = 20;

/// Between attempts to write to a database that refused (disk full).
pub const STORE_RETRY: Duration = Duration::from_secs(1);

/// Between looks at the certificate, key and API-key files.
pub const FILE_CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// Connections to the admin socket at once; more are closed at once. One command uses one.
pub const ADMIN_CONNECTIONS_MAX: usize = 32;

/// Connections to the metrics listener at once; more are closed at once. A scraper uses one.
pub const METRICS_CONNECTIONS_MAX: usize = 16;

/// Time for a scrape's header section, counted from the connection's last answer: longer than the
/// usual interval between scrapes, so that one connection serves them all.
pub const METRICS_HEADER_TIMEOUT: Duration = Duration::from_secs(90);

/// Body of the consult page's requests, bytes: a token and a name.
pub const API_BODY_BYTES_MAX: usize = 4 * 1024;

/// Characters of a display name; the rest is cut off. It has to fit on a tile.
pub const DISPLAY_NAME_CHARACTERS_MAX: usize = 100;

/// Questions about links that one address (IPv6: one /64) may ask in a row, and a minute. A clinic
/// behind one address opens a few links a minute.
pub const LINK_REQUESTS_BURST: u32 = 60;
/// See [`LINK_REQUESTS_BURST`].
pub const LINK_REQUESTS_PER_MINUTE: u32 = 60;

/// Addresses whose questions are counted; when so many ask within a minute, further ones wait.
pub const LINK_SOURCES_MAX: usize = 100_000;

/// Time for one answer of the identity provider, from the look-up of its address to the end of the
/// answer: a person waits for two or three of them.
pub const PROVIDER_TIMEOUT: Duration = Duration::from_secs(10);

/// An answer of the identity provider, bytes; a longer one is none. A key set of 100 RSA keys with
/// certificate chains is about 500 KB.
pub const PROVIDER_ANSWER_BYTES_MAX: usize = 1 << 20;

/// How long the provider's keys and addresses are used before they are asked for again.
pub const PROVIDER_KEYS_LIFETIME: Duration = Duration::from_secs(900);

/// Between two questions that a token with an unknown key makes us ask: anybody can send one.
pub const PROVIDER_REFRESH_MIN: Duration = Duration::from_secs(5);

/// From the start of a login to its end: a person types a password and looks for a second factor.
pub const LOGIN_LIFETIME: Duration = Duration::from_secs(600);

/// Logins under way; when so many are, the oldest gives way. 1 KiB each.
pub const LOGINS_MAX: usize = 10_000;

/// How long a start waits for the control plane before it to let go of the audit log.
pub const LEDGER_HANDOVER: Duration = Duration::from_secs(5);

/// Between attempts meanwhile.
pub const LEDGER_RETRY: Duration = Duration::from_millis(50);

/// Consults that the clinic page lists; a clinician has a few open at a time.
pub const CONSULTS_LISTED_MAX: u32 = 100;

/// How long an invitation of the clinic page may be used, seconds: sent the day before.
pub const INVITATION_LIFETIME_S: u64 = 172_800;

/// Longest overlap of a rotated API key and its successor, seconds.
pub const API_KEY_OVERLAP_S_MAX: u64 = 90 * 86_400;

/// Age of a logout token, seconds.
pub const LOGOUT_TOKEN_LIFETIME_S: u64 = 120;

/// Sessions of one person; the oldest gives way. A few browsers on a few machines.
pub const SESSIONS_PER_USER_MAX: u32 = 16;

/// Between looks for sessions whose time is over.
pub const SESSION_CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// How old a proof of more than one factor may be for what needs a fresh one, seconds.
pub const STEP_UP_S_MAX: i64 = 300;

/// Longest life of a link or token that the admin socket makes, seconds; more is refused.
pub const ADMIN_VALIDITY_S_MAX: u64 = 366 * 86_400;

/// Body of a `RoomService` call, bytes; more is answered as malformed. The longest are a room's or
/// participant's metadata and attributes (64 KiB each, up to twice that in JSON) and base64 of
/// the longest data packet.
pub const TWIRP_BODY_BYTES_MAX: usize = 512 * 1024;

/// Body of a WHIP or WHEP request, bytes; more is answered with 413. The longest SDP that the
/// rooms read.
pub const SDP_BYTES_MAX: usize = bedside_rooms::negotiation::limits::SDP_BYTES_MAX;

/// Entity tags in an `If-Match` field that are looked at; a session has one.
pub const ENTITY_TAGS_MAX: usize = 8;

/// Webhook events waiting for one receiver, bytes of their JSON; beyond it new ones are dropped,
/// and that is logged. An event is about 1 KiB: 65,000 of them.
pub const WEBHOOK_BYTES_WAITING_MAX: usize = 64 << 20;

/// How often an event is sent before it is given up, and that is logged.
pub const WEBHOOK_ATTEMPTS_MAX: u32 = 6;

/// Between attempts to deliver an event: doubles from the first to the last. With
/// [`WEBHOOK_ATTEMPTS_MAX`] a receiver may be away for about 15 s, a restart's time.
pub const WEBHOOK_RETRY: (Duration, Duration) =
    (Duration::from_millis(500), Duration::from_secs(8));

/// Time for one attempt, from the look-up of the receiver's address to its answer.
pub const WEBHOOK_TIMEOUT: Duration = Duration::from_secs(10);

/// Body of the answer to a post of ours, bytes: it is read, so that the connection can be used
/// again, and dropped. A longer one costs the connection.
pub const OUTGOING_ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Lifetime of the token that signs a delivery: LiveKit's.
pub const WEBHOOK_TOKEN_LIFETIME: Duration = Duration::from_secs(300);

/// Body of a statistics report, bytes; more is answered with 400. Ten streams and their members
/// are about 3 KB.
pub const STATISTICS_BODY_BYTES_MAX: usize = 16 * 1024;

/// Dictionaries in a report; more is answered with 400. The page draws 16 tiles: a picture and a
/// sound each, both ways.
pub const STATISTICS_ENTRIES_MAX: usize = 64;

/// Reports a minute from one credential; more is answered with 429. The page sends six, and one
/// more when it ends.
pub const STATISTICS_PER_REPORTER_MINUTE: u32 = 12;

/// Reports a minute from one address; more is answered with 429. A clinic of 100 consults behind
/// one address sends 600.
pub const STATISTICS_PER_ADDRESS_MINUTE: u32 = 1_200;

/// Credentials that are counted within a minute; further ones are answered with 429.
pub const STATISTICS_REPORTERS_MAX: usize = 20_000;

/// Addresses that are counted within a minute; further ones are answered with 429.
pub const STATISTICS_ADDRESSES_MAX: usize = 20_000;

/// Spans waiting for the collector of traces; further ones are dropped and counted. A span is
/// about 500 bytes; this is ten seconds of 400 requests a second.
pub const SPANS_WAITING_MAX: usize = 4_096;

/// Spans in one post to the collector: about 100 KB.
pub const SPANS_PER_POST_MAX: usize = 512;

/// How long a span waits for others to be posted with.
pub const SPANS_DELAY: Duration = Duration::from_secs(1);

/// Time for one post to the collector; then its spans are dropped and counted.
pub const SPANS_POST_TIMEOUT: Duration = Duration::from_secs(5);

/// Events of the data plane that wait for the log; a log that cannot be written for hours fills it.
/// More of them stay in the data plane, which is asked for them again.
pub const EVIDENCE_WAITING_MAX: usize = 16_384;

/// Events of the data plane that are handed to the ledger together: what it commits together.
pub const EVIDENCE_PER_BATCH_MAX: usize = 256;

/// Entries at the log's end that are looked through at start for evidence that the data plane may
/// offer again: more than all workers of a host keep unacknowledged in memory.
pub const KNOWN_ENTRIES_MAX: u32 = 16_384;

/// Records a minute of each thing that callers without a name try from one network (IPv4: /24, IPv6:
/// /48); further ones are counted in one. Somebody who mistypes tries less often.
pub const STRANGER_RECORDS_PER_MINUTE: u32 = 10;

/// Things tried, by network, that are counted within a minute; further networks are counted
/// together. With [`STRANGER_RECORDS_PER_MINUTE`] at most 43 records a second, 20 KB.
pub const STRANGERS_MAX: usize = 256;

/// Runs and workers of data planes whose last evidence is remembered: sixteen runs of the largest.
pub const NUMBERS_MAX: usize = 4_096;
