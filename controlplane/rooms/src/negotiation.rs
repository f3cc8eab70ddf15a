//! SDP of one peer connection: what a client's offer means, what we answer, what we offer to the
//! second connection of LiveKit's older clients, and what is left of it as numbers for the data
//! plane.
//!
//! A [`Connection`] knows no participants, rooms or signalling messages, reads no clock and no
//! randomness, and can be serialised at any time between two calls. We are always the ICE-lite
//! agent and the DTLS server, and everything is bundled on one transport.
//!
//! The client offers ([`Role::Single`], [`Role::Publisher`]): [`Connection::accept_offer`], match
//! [`Connection::receivers`] with what was announced, [`Connection::set_publication`], then
//! [`Connection::answer`]. We offer ([`Role::Subscriber`]): [`Connection::offer`], then
//! [`Connection::accept_answer`].

mod answer;
mod attributes;
mod codec;
mod connection;
mod description;
mod direction;
mod error;
mod extension;
mod fragment;
pub mod limits;
mod offer;
mod section;
mod shared;
mod simulcast;
mod transport;
mod writer;

pub use connection::{Connection, Host, IceChange, Quirks, Role};
pub use error::SdpError;
pub use fragment::{Fragment, check_candidate, parse_fragment};
pub use section::{BoundSender, Publication, ReceivedCodec, Receiver, Sender};

#[cfg(test)]
mod tests;
