//! Light participants: a real handshake, then SRTP of our own.
