//! Counters of a worker's forwarder, for metrics.

/// Counters since the start. All count packets unless they say otherwise.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct ForwarderStatistics {
    /// RTP that was opened.
    pub received_rtp: u64,
    /// RTCP compounds that were opened.
    pub received_rtcp: u64,
    /// Dropped: of a peer that is not known or has no keys yet.
    pub dropped_unknown_peer: u64,
    /// Dropped: not authentic, replayed, or older than the replay window.
    pub dropped_unauthentic: u64,
    /// Dropped: no RTP, or with padding longer than itself; compounds with a malformed packet
    /// count too, though what stands before it is used.
    pub dropped_malformed: u64,
    /// Dropped: of no stream that was negotiated.
    pub dropped_unmatched: u64,
    /// Dropped: received before, or too old for the packet cache.
    pub dropped_duplicate: u64,
    /// Restored from a retransmission.
    pub recovered: u64,
    /// Media packets sent to subscribers for the first time.
    pub forwarded: u64,
    /// Sent again to subscribers that asked.
    pub retransmitted: u64,
    /// Asked for by subscribers and not sent: no longer cached, not known, or beyond the bounds.
    pub resend_refused: u64,
    /// Not sent: outgoing memory was used up.
    pub dropped_no_memory: u64,
    /// Not sent: the sealer refused. Later than its window, which is a peer's doing; anything
    /// else is a bug.
    pub seal_refused: u64,
    /// Bytes of padding that made packets equally long.
    pub padding_bytes: u64,
    /// Media packets that waited for their turn before they were sent or dropped.
    pub paced: u64,
    /// Dropped: they would have waited too long for their turn, or their stream was stopped.
    pub pacer_shed: u64,
    /// Dropped: gone from the packet cache before their turn.
    pub pacer_lost: u64,
    /// Packets sent for no other reason than to see what a path takes.
    pub probed: u64,
    /// RTCP compounds sent.
    pub sent_rtcp: u64,
    /// Key frame requests sent to publishers.
    pub key_frame_requests: u64,
    /// Packets asked for again of publishers.
    pub nacked: u64,
    /// Commands ignored: from a control plane that has been replaced.
    pub stale_commands: u64,
    /// Handed to another worker, once for each.
    pub relayed: u64,
    /// Not handed to another worker: it has not taken what it was handed before.
    pub relay_dropped: u64,
    /// Taken from other workers.
    pub received_relayed: u64,
    /// Messages of other workers about tracks that are not, or no longer, relayed.
    pub relay_unknown: u64,
    /// Transports whose keys the cryptographic module did not take.
    pub keys_refused: u64,
}
