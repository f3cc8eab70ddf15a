//! Light participants: a real handshake, then SRTP of our own.
//!
//! A participant does ICE and DTLS with str0m; the keys that the handshake made are taken out
//! (`dtls`), and from then on it seals and opens its packets itself ([`srtp`]). str0m stays for ICE's
//! consent checks. A [`Fleet`] is any number of participants on one thread: one socket each, one
//! poll for all, frames sent as one message (GSO), messages received in batches (GRO).
//!
//! # What a sink is
//! [`Sinks::Read`] receivers read everything: every packet is counted by its header, one in N is
//! opened for its stamp. [`Sinks::DropInKernel`] receivers let the kernel drop all but a random
//! sample; how packets are counted then is explained in `filter`.
//!
//! # Limits
//! Frames are sent at once, not paced out over the frame interval as libwebrtc does: the server
//! sees the burstiest sender that there can be. There is no congestion control. Only AEAD profiles
//! are spoken. Retransmission is asked for on bad networks only, and comes without RTX.

mod dtls;
mod filter;
mod fleet;
mod network;
mod participant;
mod repair;
mod rtcp;
mod run;
mod socket;
pub mod srtp;
mod timer;
mod transport;
mod workplace;

pub use fleet::{
    Delivered, Fleet, FleetConfig, Joined, ParticipantId, Publication, Reception, Sinks,
};
pub use run::{run, run_with};
pub use srtp::{Keys, MasterKey, Profile};

use crate::{dataplane, media};

/// A fleet cannot do what it is asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(clippy::error_impl_error, reason = "read as light::Error")]
pub enum Error {
    /// The host refused.
    #[error("the host refused while {doing}")]
    Host {
        /// What was tried.
        doing: &'static str,
        /// Why not.
        source: std::io::Error,
    },
    /// The keys cannot be used.
    #[error("the SRTP keys cannot be used")]
    Srtp(#[from] srtp::Error),
    /// A recording cannot be played.
    #[error("a track cannot be published")]
    Media(#[from] media::Error),
    /// The data plane failed.
    #[error("the data plane failed")]
    Dataplane(#[from] dataplane::Error),
    /// Light participants join over a data plane's socket only.
    #[error("light participants load a data plane over its socket, nothing else")]
    NotADataplane,
    /// The data plane has no address that this host can reach.
    #[error("the data plane listens on no address")]
    NoAddress,
    /// The cryptographic module or str0m refused to begin a handshake.
    #[error("a handshake cannot begin: {0}")]
    Handshake(&'static str),
    /// A handshake did not lead to media in time.
    #[error("a participant did not connect: {0}")]
    NotConnected(&'static str),
}
