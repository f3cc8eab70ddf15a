//! The control plane's edges: what listens, reads, writes and stores, so that the rooms only
//! decide.
//!
//! [`serve`] runs a whole control plane from a [`Config`]. Inside, one task owns the rooms
//! (`rooms`); everything else talks to it: the TLS listener and its routes (`listener`, `http`,
//! `signal`, `page`, `health`), the data plane's socket (`dataplane`), the database (`store`).
#![forbid(unsafe_code)]

pub mod admin;
mod app;
mod authorize;
pub mod baa;
mod breakglass;
mod changes;
mod clock;
mod config;
mod dataplane;
mod error;
mod evidence;
mod files;
mod health;
mod http;
mod identity;
pub mod inventory;
mod keys;
pub mod limits;
mod links;
mod listener;
mod metrics;
mod outgoing;
mod page;
mod records;
mod revocation;
mod rooms;
mod server;
mod signal;
mod statistics;
mod store;
mod telemetry;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod tls;
mod token;
mod twirp;
mod waiting;
mod watch;
mod webhooks;
mod whip;

pub use config::{
    AuditConfig, Config, ConsentRule, Endpoint, IdentityConfig, MediaConfig, PolicyConfig, Profile,
    Provider, RecordingConfig, Refusal, Refusals, RetentionConfig, RoomsConfig, Rule,
    TelemetryConfig, TlsConfig, WebhooksConfig, WitnessConfig,
};
pub use error::{Blame, Error};
pub use evidence::ledger_config;
pub use records::{EvidenceRequest, PurgeReport, PurgeRequest};
pub use server::{Running, serve, start};
pub use tls::certificate_expiry;
