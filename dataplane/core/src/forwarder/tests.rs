//! Whole rooms in memory: scripted clients with their own SRTP, a forwarder between them, virtual
//! time.

mod harness;
mod media;

pub(in crate::forwarder) use harness::start;
