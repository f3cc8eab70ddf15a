//! The real process, spoken to over its socket as a control plane does.
#![forbid(unsafe_code)]
#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something is not as expected"
)]

mod client;
mod control;
mod dataplane;
mod evidence;
mod media;
