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
pub mod scenario;
pub mod signalling;
