//! Whole rooms in memory: scripted clients with their own SRTP, a forwarder between them, virtual
//! time.

mod allocation;
mod control;
mod decodable;
mod feedback;
mod harness;
mod hostile;
mod layers;
mod media;
mod pacing;
mod relay;
mod repair;
mod reports;
mod scalable;

pub(in crate::forwarder) use harness::start;
