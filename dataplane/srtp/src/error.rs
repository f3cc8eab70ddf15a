//! Why a packet was not sealed or opened, and who has to do something about it.

/// Whose doing an error is, which decides whether to count it or to wake somebody.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Blame {
    /// The other end of the connection, or the network between: count it, drop the packet.
    Peer,
    /// The configuration of this server.
    Operator,
    /// The operating system or the machine.
    Kernel,
    /// This software: someone should be told.
    Bug,
}

/// Why a packet was not sealed or opened, or a key not accepted.
///
/// The packet buffer of a refused call holds nothing useful any more and must be dropped; state is
/// as it was before the call. No variant carries packet contents, keys or addresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(
    clippy::error_impl_error,
    reason = "the crate's one error, read as bedside_srtp::Error"
)]
pub enum Error {
    /// The packet is shorter than its header and its tag: not SRTP, drop it.
    #[error("the packet is too short to be SRTP")]
    Truncated,
    /// The tag does not fit the packet: forged, damaged, sealed with another key, or its roll-over
    /// counter was guessed wrong after a gap of 2^15 packets. Drop it.
    #[error("the packet is not authentic")]
    NotAuthentic,
    /// An authentic packet with this index was opened before (RFC 3711 §3.3.2). Networks
    /// duplicate packets, so one by itself is no attack.
    #[error("the packet was already received")]
    Replayed,
    /// The packet is older than its replay window, so that it cannot be told from a replay.
    #[error("the packet is older than the replay window")]
    TooOld,
    /// The SRTCP packet has its E flag clear: authenticated but not encrypted. No profile of
    /// RFC 5764 §4.1.2 sends that, and reports about a consult are not for bystanders.
    #[error("the SRTCP packet is not encrypted")]
    NotEncrypted,
    /// The peer has used [`SOURCES_MAX`](crate::limits::SOURCES_MAX) SSRCs in this DTLS session.
    #[error("the peer uses too many sources")]
    TooManySources,
    /// The next index would be past what one key may protect (RFC 3711 §9.2): the transport needs
    /// a new DTLS handshake.
    #[error("the key has protected as many packets as it may")]
    KeyExhausted,
    /// A packet came so late that sealing it could repeat a nonce: more than
    /// [`SEAL_WINDOW_PACKETS`](crate::limits::SEAL_WINDOW_PACKETS) behind its stream. Drop it; the
    /// receiver asks for it again and gets it on the retransmission stream.
    #[error("the packet comes too late to be sealed safely")]
    SealTooLate,
    /// This SSRC and index were sealed before. Sealing them again would repeat a nonce, which for
    /// GCM gives away the authentication key.
    #[error("the packet index was already used for this source")]
    IndexReused,
    /// The SSRC, the sequence number or the P bit in the packet's header contradicts the
    /// arguments.
    #[error("the packet header contradicts the arguments")]
    HeaderMismatch,
    /// The buffer has no room for header, payload, padding and tag.
    #[error("the buffer is too small for the sealed packet")]
    NoRoom,
    /// More padding was asked for than its count byte can say.
    #[error("too much padding")]
    PaddingTooLong,
    /// A key, a salt or keying material of the wrong length for the profile, or a master key made
    /// for another profile.
    #[error("the key does not fit the profile")]
    KeyMismatch,
    /// The cryptographic module refused an operation whose arguments were checked.
    #[error("the cryptographic module refused")]
    ModuleRefused,
}

impl Error {
    /// Whose doing it is.
    #[must_use]
    pub fn blame(self) -> Blame {
        match self {
            Self::Truncated
            | Self::NotAuthentic
            | Self::Replayed
            | Self::TooOld
            | Self::NotEncrypted
            | Self::TooManySources
            | Self::SealTooLate => Blame::Peer,
            Self::KeyExhausted
            | Self::IndexReused
            | Self::HeaderMismatch
            | Self::NoRoom
            | Self::PaddingTooLong
            | Self::KeyMismatch
            | Self::ModuleRefused => Blame::Bug,
        }
    }
}
