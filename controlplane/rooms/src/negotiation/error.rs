//! Why an SDP is refused.

/// Why an SDP is not accepted. Nothing has changed when one of these is returned. The text says
/// what was wrong with the SDP and quotes nothing from it.
///
/// All are the client's doing, except [`NoOffer`](Self::NoOffer) and
/// [`WrongRole`](Self::WrongRole), which are the caller's.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SdpError {
    /// A bound of `limits.rs` is exceeded; says which.
    #[error("the SDP has too many or too long {0}")]
    TooLarge(&'static str),
    /// Not SDP (RFC 8866), or an attribute that is needed is not what it should be; says which.
    #[error("the SDP is malformed: {0}")]
    Malformed(&'static str),
    /// `a=crypto`: SRTP keys in the signalling (RFC 4568), which RFC 8827 §6.5 forbids.
    #[error("SDES keys (a=crypto) are not accepted: use DTLS-SRTP")]
    Sdes,
    /// A profile without DTLS or without feedback (RFC 8834 §4.3, RFC 5764).
    #[error("only the profile UDP/TLS/RTP/SAVPF is accepted, not {0}")]
    Profile(&'static str),
    /// No `a=fingerprint` (RFC 8122).
    #[error("no certificate fingerprint is offered")]
    NoFingerprint,
    /// Fingerprints, but none with SHA-256; says with what.
    #[error("a certificate fingerprint with sha-256 is needed, not only {0}")]
    FingerprintHash(&'static str),
    /// Another certificate than before: that would be another peer.
    #[error("the certificate fingerprint must not change within a connection")]
    FingerprintChanged,
    /// No `a=ice-ufrag` or no `a=ice-pwd` (RFC 8839 §5.4).
    #[error("ICE credentials are missing")]
    NoIceCredentials,
    /// ICE credentials of too few or too many characters (RFC 8839 §5.4).
    #[error("an ICE user name fragment has 4 to 256 characters and a password 22 to 256")]
    IceCredentials,
    /// `a=setup` that would make us the DTLS client; we are always the server.
    #[error("a=setup must be actpass or active in an offer and active in an answer")]
    Setup,
    /// No `a=group:BUNDLE`: everything goes over one transport (RFC 8843).
    #[error("a=group:BUNDLE is needed")]
    NoBundle,
    /// A section without `a=rtcp-mux` (RFC 5761, RFC 8858).
    #[error("a=rtcp-mux is needed in each media section")]
    NoRtcpMux,
    /// One payload type or header extension id means two things in the bundle (RFC 8843 §10.1.2,
    /// RFC 8285 §5); says which.
    #[error("one {0} stands for different things within the bundle")]
    BundleConflict(&'static str),
    /// Sections were removed, reordered or changed in kind (RFC 8829 §5.2.2).
    #[error("media sections must keep their order, their mid and their kind")]
    SectionsChanged,
    /// Nothing in a first offer can be accepted: no data channel, no codec that we forward.
    #[error("the offer has no media section that can be accepted")]
    NothingAcceptable,
    /// An answer that does not fit our offer, or to no offer.
    #[error("the answer does not fit the offer: {0}")]
    AnswerMismatch(&'static str),
    /// An answer was wanted before there was an offer.
    #[error("there is no offer to answer")]
    NoOffer,
    /// A client's offer on our offering side or the reverse.
    #[error("offer and answer come from the wrong sides")]
    WrongRole,
}

impl SdpError {
    /// A short constant name, for counters.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::TooLarge(_) => "too_large",
            Self::Malformed(_) => "malformed",
            Self::Sdes => "sdes",
            Self::Profile(_) => "profile",
            Self::NoFingerprint => "no_fingerprint",
            Self::FingerprintHash(_) => "fingerprint_hash",
            Self::FingerprintChanged => "fingerprint_changed",
            Self::NoIceCredentials => "no_ice_credentials",
            Self::IceCredentials => "ice_credentials",
            Self::Setup => "setup",
            Self::NoBundle => "no_bundle",
            Self::NoRtcpMux => "no_rtcp_mux",
            Self::BundleConflict(_) => "bundle_conflict",
            Self::SectionsChanged => "sections_changed",
            Self::NothingAcceptable => "nothing_acceptable",
            Self::AnswerMismatch(_) => "answer_mismatch",
            Self::NoOffer => "no_offer",
            Self::WrongRole => "wrong_role",
        }
    }
}
