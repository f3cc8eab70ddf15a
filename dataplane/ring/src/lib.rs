//! UDP for one thread, over io_uring or, where a host denies that, over epoll: sockets and packet
//! memory.
//!
//! One [`Ring`] serves one worker. [`Ring::wait`] sends what was written, waits, and says what it
//! brought; [`Ring::split`] then gives the received datagrams, to be decrypted where they lie, and
//! the place to write packets to. Receives coalesce datagrams (UDP_GRO); sends put many packets to one
//! receiver into one message (UDP_SEGMENT), and many messages into one system call.
//!
//! This crate knows nothing of RTP, and is the only one with `unsafe`.
//!
//! ```no_run
//! # fn main() -> Result<(), bedside_ring::RingError> {
//! let config = bedside_ring::Config::new(vec!["127.0.0.1:0".parse().expect("an address")]);
//! let mut ring = bedside_ring::Ring::new(&config)?;
//! loop {
//!     ring.wait(None)?;
//!     let (batch, mut outgoing) = ring.split();
//!     for datagram in batch {
//!         let length = datagram.payload.len();
//!         if let Some(room) = outgoing.reserve(datagram.local, datagram.source, length) {
//!             room.copy_from_slice(datagram.payload);
//!             outgoing.commit(length);
//!         }
//!     }
//! }
//! # }
//! ```
#![expect(
    unsafe_code,
    reason = "the kernel is given addresses, and gives some back"
)]

mod address;
mod batch;
mod buffers;
mod datagram;
mod engine;
mod error;
mod flight;
mod host;
pub mod limits;
mod memory;
mod message;
mod outgoing;
mod probe;
mod ring;
mod slabs;
mod socket;
mod statistics;
mod waker;
mod zero_copy;

pub use batch::{Batch, Datagram};
pub use engine::Engine;
pub use error::{Blame, RingError};
pub use host::Obstacle;
pub use outgoing::Outgoing;
pub use probe::{Check, Choice, Outcome, Report, probe};
pub use ring::{Config, Ring, Wakeup};
pub use socket::SocketBuffers;
pub use statistics::{ReceiveDrops, SendDrops, Statistics};
pub use waker::Waker;
