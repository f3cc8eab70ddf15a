//! WebRTC participants by the thousand, for load that is true to life and measured where it
//! arrives.
//!
//! A [`scenario`] says who joins, what they send and how bad their networks are. Participants are
//! **full** (str0m: ICE, DTLS, SRTP, RTCP and signalling, against any server that speaks LiveKit's
//! protocol, WHIP or WHEP) or **light** (a real handshake, then SRTP of our own, so that one core
//! saturates a worker). Sending is open-loop: what is due is sent when it is due or as soon after
//! as can be, and every latency counts from when it was due.
//!
//! Nothing here is shared with the media code that it measures.
#![forbid(unsafe_code)]

pub mod capacity;
pub mod dataplane;
pub mod full;
pub mod kernel;
pub mod light;
pub mod measure;
pub mod media;
pub mod pacing;
pub mod report;
pub mod run;
pub mod scenario;
pub mod signalling;

use bedside_protocol::Secret;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What is put under load, and how participants get in.
#[derive(Clone, Debug)]
pub enum Target {
    /// A server that speaks LiveKit's signalling protocol.
    Livekit {
        /// `ws://`, `wss://`, `http://` or `https://`, without the path.
        url: String,
        /// Issuer of the participants' tokens.
        api_key: String,
        /// Signs the participants' tokens (HS256).
        api_secret: Secret<String>,
        /// PEM file of certificates to trust beside the public ones.
        ca: Option<PathBuf>,
    },
    /// A server that speaks WHIP (RFC 9725) and WHEP. Who publishes is a WHIP session; who
    /// receives, a WHEP session. The tokens are LiveKit's.
    Whip {
        /// `http://` or `https://`, without the path: `/whip` and `/whep` follow.
        url: String,
        /// Issuer of the participants' tokens.
        api_key: String,
        /// Signs the participants' tokens (HS256).
        api_secret: Secret<String>,
        /// PEM file of certificates to trust beside the public ones.
        ca: Option<PathBuf>,
    },
    /// A data plane driven over its Unix socket, the generator standing where the control plane
    /// stands.
    Dataplane {
        /// Its socket.
        socket: PathBuf,
        /// Local address that its workers receive media on.
        listen: IpAddr,
        /// How many workers; 0: one for each core that the data plane may run on.
        workers: u16,
        /// Whether it pins each worker to a core.
        pin: bool,
    },
}

/// Says that a run is to end: shared by whoever may end it and every thread that takes part.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// One that has not been said yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends the run.
    pub fn stop(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the run is to end.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
