//! The deterministic simulator: whole rooms on virtual time, in one thread, from one seed.
//!
//! A [`Simulation`] holds a [`Forwarder`](bedside_core::forwarder::Forwarder) for each worker and
//! any number of scripted [`Endpoint`]s that publish and receive over seeded [`Link`]s with loss, bursts, delay,
//! jitter, duplication, rates, queues and gaps. Nothing in it reads a clock or a random source, so that a run is a function
//! of its seed: a failure prints the seed, and the seed replays it. What endpoints put on and
//! take off the wire is written here anew, in [`wire`], so that a mistake of the forwarder's own
//! parsers is not shared.
#![forbid(unsafe_code)]

mod endpoint;
mod link;
mod simulation;
pub mod wire;

pub use endpoint::{Endpoint, Figures, Heard, Shown, Video, Violation};
pub use link::{Impairment, Link, POLICER_BURST_BYTES, REORDER_DELAY};
pub use simulation::{Participant, Simulation};
