//! What is measured: latency, loss, reordering, joins, frozen time.
//!
//! Every generator thread has a [`Recorder`] of its own and takes no lock to write into it; once a
//! second the recorder adds what it has to the shared [`Board`]. A [`StreamReceiver`] follows one
//! received SSRC and turns what arrives into figures.
//!
//! Latency is counted from when a packet was **due**, not from when it was sent: a generator or a
//! server that stalls delays everything that was due meanwhile, and each of those packets is a
//! sample of its own. A closed loop, or a count from the moment of sending, would leave exactly
//! those samples out (coordinated omission).
//!
//! Times are nanoseconds of the host's monotonic clock ([`crate::pacing::Clock`]), so that those of
//! different processes on one host compare.

mod board;
mod histogram;
mod measurements;
mod recorder;
mod stream_receiver;

pub use board::Board;
pub use histogram::Histogram;
pub use measurements::{Measurements, Second};
pub use recorder::Recorder;
pub use stream_receiver::{Arrival, Outcome, StreamReceiver};

#[cfg(test)]
mod tests;
