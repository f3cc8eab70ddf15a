//! SRTP and SRTCP for a forwarder: one plaintext, one ciphertext write for each receiver.
//!
//! A transport's DTLS handshake yields keying material; [`MasterKey::from_keying_material`] splits
//! it by direction. The key of our own direction makes a [`Sealer`], the peer's makes an
//! [`Opener`]. Both derive their session keys once, keep every key schedule, and allocate nothing
//! for a packet of a source that they know.
//!
//! What this crate promises:
//!
//! - **All cryptography is aws-lc-rs.** Built with its `fips` feature, SRTP runs inside the
//!   validated module; nothing here implements a cipher, a hash or a comparison.
//! - **Nothing unauthenticated changes state.** Roll-over counters, replay windows and the table
//!   of sources move only after a packet's tag was verified.
//! - **No packet of a peer panics.** Every length is checked; hostile input ends in an [`Error`]
//!   whose [`Error::blame`] is [`Blame::Peer`].
//! - **A nonce is used once.** The caller numbers RTP packets, [`Sealer`] numbers RTCP packets,
//!   and both refuse a number twice (see [`Sealer`] for how far that reaches).
//!
//! What it does not do: parse RTP beyond the two header fields that enter the nonce, encrypt
//! header extensions (RFC 6904, RFC 9335), re-key, carry an MKI, or read a clock.
#![forbid(unsafe_code)]

mod cipher;
mod error;
mod header;
mod index;
mod key;
pub mod limits;
mod opener;
mod profile;
mod sealer;
mod window;

pub use error::{Blame, Error};
pub use key::MasterKey;
pub use opener::{OpenedRtp, Opener};
pub use profile::Profile;
pub use sealer::Sealer;

#[cfg(test)]
mod vectors;
