//! ICE-lite, DTLS and SCTP, one str0m instance a peer.
