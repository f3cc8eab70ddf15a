//! `[audit]`: where the audit log is kept, and who else vouches for it (45 CFR 164.312(b)).

use super::refusal::Refusals;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Where the audit log is kept, and who else vouches for it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuditConfig {
    /// File with one line, the URL of a PostgreSQL database:
    /// `postgres://user:password@host/database?sslmode=verify-full`. The log is in
    /// `audit.sqlite` in the data directory when absent.
    pub postgres_url_file: Option<PathBuf>,
    /// Witnesses that cosign checkpoints (C2SP tlog-witness), at most 8.
    pub witnesses: Vec<WitnessConfig>,
    /// Files to which every checkpoint is appended, at most 8: best on another machine's mount,
    /// where this one cannot take them back.
    pub mirrors: Vec<PathBuf>,
    /// Whether a log that is not what was written is set aside and a new one begun: `bedside serve
    /// --accept-fork`, for one start, and never in a file.
    #[serde(skip)]
    pub accept_fork: bool,
}

/// A witness.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessConfig {
    /// Its base address, without `/add-checkpoint`: `https://`; `http://` only to this machine.
    pub url: String,
    /// Its verification key, `name+hash+key` (C2SP signed-note).
    pub vkey: String,
    /// PEM of authorities that its certificate is checked against instead of the public ones.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
}

impl AuditConfig {
    pub(super) fn check(&self, refusals: &mut Refusals) {
        if self.witnesses.len() > WITNESSES_MAX {
            refusals.cannot("audit.witnesses", "are more than 8", "name fewer");
        }
        if self.mirrors.len() > WITNESSES_MAX {
            refusals.cannot("audit.mirrors", "are more than 8", "name fewer");
        }
        for witness in &self.witnesses {
            let parts: Vec<_> = witness.vkey.splitn(3, '+').collect();
            if parts.len() != 3 || parts.iter().any(|part| part.is_empty()) {
                refusals.cannot(
                    "audit.witnesses",
                    format!("`vkey` {} is not name+hash+key", witness.vkey),
                    "copy the line that the witness publishes",
                );
            }
        }
    }
}

/// Each is told of every checkpoint, ten a second.
const WITNESSES_MAX: usize = 8;
