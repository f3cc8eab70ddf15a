//! ICE-lite, DTLS and SCTP, one str0m instance a peer.

mod certificate;
mod dtls;

pub use certificate::Certificate;
