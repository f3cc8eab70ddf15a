//! The control plane's edges: what listens, reads, writes and stores, so that the rooms only
//! decide.
#![forbid(unsafe_code)]

mod config;
mod error;

pub use config::{Config, MediaConfig, RoomsConfig, TlsConfig, WebhooksConfig};
pub use error::{Blame, Error};
