//! Every bound of the forwarder, with its reason. What fills is dropped and counted, or refused
//! with an event; nothing grows with what a peer sends.

use std::time::Duration;

/// Datagrams that are opened before the first one is written on. A wake-up that brought more is
/// taken in parts, so that a part always fits into the smallest packet cache that has seen load.
pub(crate) const BATCH_DATAGRAMS_MAX: usize = 256;

/// How long a cache tries to keep a packet for retransmission: several round trips to a far
/// client.
pub(crate) const CACHE_RETENTION: Duration = Duration::from_millis(1_000);

/// Packets that the cache of one layer starts with; doubled while packets younger than
/// [`CACHE_RETENTION`] would be lost.
pub(crate) const CACHE_PACKETS_MIN: usize = 64;

/// Packets in the cache of one layer, at most: a second of 10 Mbit/s in packets of 1,200 bytes.
pub(crate) const CACHE_PACKETS_MAX: usize = 1_024;

/// Bytes that the cache of one layer starts with.
pub(crate) const CACHE_BYTES_MIN: usize = 16 << 10;

/// Bytes in the cache of one layer, at most: [`CACHE_PACKETS_MAX`] full packets.
pub(crate) const CACHE_BYTES_MAX: usize = 2 << 20;

/// Runs of consecutive numbering that a subscription remembers. A layer switch, a pause and a
/// packet left out on purpose each begin one; what lies before the oldest is no longer
/// retransmitted. Where each picture has a layer that is left out, it is a second of 60 frames.
pub(crate) const SEQUENCE_RUNS_MAX: usize = 64;

/// Changes of a subscription's layers of which the time is remembered, for packets that come
/// late. Up and down and up again within a second.
pub(crate) const LAYER_CHANGES_REMEMBERED: usize = 8;

/// Pictures left out of a subscription that are remembered, for their packets that come late: a
/// second of 30 frames of which every other is left out.
pub(crate) const PICTURES_LEFT_OUT_REMEMBERED: usize = 16;

/// Empty packets sent in the place of something left out that are remembered, so that a
/// retransmission is empty too.
pub(crate) const BLANKS_REMEMBERED: usize = 8;

/// A publisher's sequence numbers that jump further than this within a layer begin anew, like a
/// switch, instead of leaving a gap: no retransmission can fill it.
pub(crate) const SEQUENCE_JUMP_MAX: u64 = 1_000;

/// Packets missing on one layer that are asked for. A larger gap is an outage: it takes a key
/// frame instead.
pub(crate) const MISSING_PACKETS_MAX: usize = 256;

/// How long a missing packet may merely be late: packets that overtook each other on the way are
/// not worth a request.
pub(crate) const REORDER_TOLERANCE: Duration = Duration::from_millis(10);

/// Requests for one missing packet.
pub(crate) const NACK_TRIES_MAX: u8 = 10;

/// Shortest time between two requests for one packet, whatever the round-trip time.
pub(crate) const NACK_RETRY_MIN: Duration = Duration::from_millis(20);

/// Round-trip time that is assumed before one was measured.
pub(crate) const ROUND_TRIP_ASSUMED: Duration = Duration::from_millis(100);

/// How long a missing packet is asked for: a subscriber's decoder waits no longer, and publishers
/// keep about a second.
pub(crate) const MISSING_AGE_MAX: Duration = Duration::from_millis(2_000);

/// Requests on one layer after which nothing of it has arrived: more would only wait in a queue
/// that takes nothing. They go on with the next arrival.
pub(crate) const NACK_UNHEARD_MAX: u8 = 3;

/// Longest time between two requests for one packet, in retry intervals: they back off, because a
/// round trip that has grown is learnt only from answers.
pub(crate) const NACK_BACKOFF_MAX: u32 = 4;

/// For how long a subscriber's report of loss is believed: browsers report on audio every five
/// seconds, and one report may be lost.
pub(crate) const LOSS_REPORT_AGE_MAX: Duration = Duration::from_millis(12_000);

/// Time between two key frame requests on one layer: a key frame costs a publisher ten times a
/// delta frame, and a room of subscribers must not make it send nothing else.
pub(crate) const KEY_FRAME_REQUEST_INTERVAL: Duration = Duration::from_millis(500);

/// A layer that was silent for this long while others sent frames has stopped.
pub(crate) const LAYER_SILENCE: Duration = Duration::from_millis(300);

/// Frames of another layer that a silent layer must miss, so that a low frame rate is not taken
/// for silence.
pub(crate) const LAYER_SILENCE_FRAMES: u8 = 3;

/// A track without any packet for this long has fallen silent. Beyond Opus's DTX interval of
/// 400 ms and the slowest screen share.
pub(crate) const TRACK_SILENCE: Duration = Duration::from_millis(3_000);

/// Time between sender and receiver reports to one peer. What browsers do for video.
pub(crate) const REPORT_INTERVAL: Duration = Duration::from_millis(1_000);

/// Time from a packet's arrival to the transport-wide feedback about it, at most. Browsers'
/// estimators expect 50 to 250 ms.
pub(crate) const TRANSPORT_FEEDBACK_INTERVAL: Duration = Duration::from_millis(50);

/// Packets that transport-wide feedback remembers; a power of two. 500 packets in 50 ms are
/// 100 Mbit/s from one publisher.
pub(crate) const TRANSPORT_FEEDBACK_PACKETS: usize = 512;

/// Window over which speakers are told from silence, as LiveKit's clients know it.
pub(crate) const SPEAKER_INTERVAL: Duration = Duration::from_millis(400);

/// Audio levels kept in one [`SPEAKER_INTERVAL`]: packets of 10 ms and some burst.
pub(crate) const SPEAKER_SAMPLES_MAX: usize = 64;

/// Bytes per second that may be retransmitted to one peer whose path is not estimated: 4 Mbit/s
/// repairs 10 % of eight layers, and bounds what a forged or broken stream of requests costs.
pub(crate) const RESEND_BYTES_PER_SECOND: u64 = 500_000;

/// Bytes per second that may be retransmitted whatever the estimate: audio's.
pub(crate) const RESEND_BYTES_PER_SECOND_MIN: u64 = 12_500;

/// Bytes that may be retransmitted to one peer at once: a lost key frame. Never more than a second
/// of its rate.
pub(crate) const RESEND_BYTES_BURST: u64 = 250_000;

/// What a path is believed to take until feedback says more, bits per second: audio and a small
/// picture.
pub(crate) const ESTIMATE_START_BPS: u64 = 500_000;

/// Time's worth of packets that may leave at once. Less than the audio packet behind them would
/// mind; enough for a segmented message.
pub(crate) const PACER_BURST: Duration = Duration::from_millis(5);

/// Bytes that may leave at once however slow the path is: a packet, and what it is over by.
pub(crate) const PACER_BURST_BYTES_MIN: i64 = 1_200;

/// Debt of the pacer, in time. Audio is sent at any debt; video would wait for the rest of the
/// call if it never ended.
pub(crate) const PACER_DEBT_MAX: Duration = Duration::from_millis(250);

/// What may wait for one peer, in time: older video is of no use in a conversation. It is then
/// dropped, and goes on with a key frame.
pub(crate) const PACER_QUEUE_MAX: Duration = Duration::from_millis(250);

/// The same after a key frame, which may be as large as a second of what follows: were it dropped,
/// the next would be no smaller. Holds for twice as long.
pub(crate) const PACER_QUEUE_KEY_FRAME_MAX: Duration = Duration::from_millis(1_000);

/// Packets that may wait for one peer after a batch, which adds [`BATCH_DATAGRAMS_MAX`] at most.
/// Each is a hundred bytes: the packets themselves stay in the cache.
pub(crate) const PACER_PACKETS_MAX: usize = 1_024;

/// Retransmissions that may wait for one peer: as many as one batch may bring.
pub(crate) const PACER_RESENDS_MAX: usize = RESENDS_PER_BATCH_MAX;

/// Over how long it is found whether there is less to send than may be.
pub(crate) const APPLICATION_LIMIT_WINDOW: Duration = Duration::from_millis(200);

/// Newest packets of a stream that a probe repeats in turn. With more it would repeat what has left
/// the cache.
pub(crate) const PROBE_REPEATS: u64 = 16;

/// Shortest time between two retransmissions of one packet, whatever the round-trip time: several
/// requests for it in one compound or close together are answered once.
pub(crate) const RESEND_INTERVAL_MIN: Duration = Duration::from_millis(10);

/// Packets of one subscription of which the last retransmission is remembered; a power of two.
pub(crate) const RESENDS_REMEMBERED: usize = 64;

/// Retransmissions to one peer in one batch.
pub(crate) const RESENDS_PER_BATCH_MAX: usize = 512;

/// Bytes of a packet, relative to the longest one of a run, from which it is padded up to it, in
/// percent. Of 96 a run costs at most 4 % more bytes and becomes one segmented message. Packets
/// of one video frame differ by a few bytes, as encoders split frames evenly.
pub(crate) const EQUALISE_PERCENT_MIN: usize = 96;

/// Longest RTCP compound that is written, bytes; with the sealing overhead below any path's MTU.
pub(crate) const COMPOUND_BYTES_MAX: usize = 1_160;

/// SSRCs that one transport ever sends with. None is used twice under one key, so that each has
/// to be remembered.
pub(crate) const SPENT_SSRCS_MAX: usize = 16_384;

/// Batches for one other worker that it has not given back: as many wake-ups as it may sleep
/// through, at least 5 ms and usually some tens. With [`RELAY_BATCH_BYTES_MAX`] it is 16 MiB, for
/// each ordered pair of workers that a room spans and only after such a stall.
pub(crate) const RELAY_BATCHES_MAX: usize = 256;

/// Bytes of packets in one batch, which then holds about fifty full packets: what is larger goes
/// into the next.
pub(crate) const RELAY_BATCH_BYTES_MAX: usize = 64 << 10;

/// Messages in one batch: less than [`BATCH_DATAGRAMS_MAX`], for the same reason.
pub(crate) const RELAY_BATCH_MESSAGES_MAX: usize = 128;

/// Sender reports of a subscription that a receiver report may refer to.
pub(crate) const SENDER_REPORTS_REMEMBERED: usize = 4;

/// Sent packets that a bandwidth estimator remembers at first; a power of two. Two seconds of audio.
pub(crate) const SENT_PACKETS_MIN: usize = 128;

/// Sent packets that a bandwidth estimator remembers, at most; a power of two. Two seconds of
/// 20 Mbit/s in full packets, 160 KiB. What is overwritten is neither lost nor delivered.
pub(crate) const SENT_PACKETS_MAX: usize = 4_096;

/// Arrivals that the delivered rate is measured over, at most.
pub(crate) const ARRIVALS_MAX: usize = 256;

/// Over which the rates of layers are measured: some pictures of a slow screen share, and short
/// enough that a layer is known by the time that somebody could be sent it.
pub(crate) const LAYER_RATE_WINDOW: Duration = Duration::from_millis(1_000);

/// What a packet is sent with beside its payload, bytes: RTP header, usual extensions, tag.
pub(crate) const PACKET_OVERHEAD_BYTES: u64 = 42;

/// Temporal layers that are told apart; WebRTC's encoders make up to three.
pub(crate) const TEMPORAL_LAYERS_MAX: usize = 4;

/// How long a path is tried before a picture is paused for what it is believed to take: estimates begin
/// low and reach what a path takes within two seconds, and a client without RTX cannot be probed, so
/// that a picture that was paused at once would never come.
pub(crate) const PATH_TRIAL: Duration = Duration::from_secs(3);

/// Time between two allocations of a peer whose estimate falls by less than what it is sent.
pub(crate) const ALLOCATION_INTERVAL: Duration = Duration::from_millis(100);

/// What an upgrade leaves free of the estimate, percent of all that is sent then: estimates wobble
/// by 15 %.
pub(crate) const UPGRADE_HEADROOM_PERCENT: u64 = 20;

/// How long an upgrade must have fitted before it is made; doubled after one that did not last.
pub(crate) const UPGRADE_HOLD_MIN: Duration = Duration::from_millis(1_000);

/// How long at most: what failed often is still tried four times a minute.
pub(crate) const UPGRADE_HOLD_MAX: Duration = Duration::from_millis(16_000);

/// An upgrade that is taken back within this time has failed: the queue that it filled shows in
/// the estimate after some seconds.
pub(crate) const UPGRADE_TRIAL: Duration = Duration::from_millis(10_000);
