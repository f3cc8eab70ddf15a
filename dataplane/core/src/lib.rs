//! The media plane without I/O: datagrams and commands in, datagrams and events out.
//!
//! `Core` is one worker's state. It never reads a clock, a socket, a file or a random source:
//! time is an argument, randomness a seed, and what it wants to say is an event. It joins two
//! state machines that exchange only packets, keys and events:
//!
//! - `transport`: ICE-lite, and one str0m instance a peer for DTLS and SCTP. It authenticates the
//!   client and hands over SRTP keys; it never sees RTP.
//! - [`forwarder`]: RTP and RTCP. Publishers, subscribers, layer selection, rewriting,
//!   retransmission and reports, on keys that it was given.
//!
//! A packet's way: the `ring` hands `Core::handle_batch` what one wake-up brought;
//! `demultiplex` sorts by RFC 7983; media is opened in place by its publisher's transport keys,
//! then written and sealed once for each subscriber, straight into the [`PacketSink`].
#![forbid(unsafe_code)]

pub mod bandwidth;
pub mod forwarder;
pub mod rtcp;
pub mod rtp;

mod clock;
mod core;
mod demultiplex;
mod error;
mod limits;
mod sink;
mod transport;

pub use clock::Clock;
pub use core::{Core, CoreConfig, CoreStatistics};
pub use error::Error;
pub use sink::{Datagram, PacketSink, Path};
pub use transport::{Certificate, TransportStatistics};
