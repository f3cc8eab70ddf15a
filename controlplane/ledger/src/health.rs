//! How the log is.

use crate::Unwritable;

/// How the log is, for `/healthz`, metrics and whoever decides whether to let somebody in.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Health {
    /// Why records are refused; none while they are taken.
    pub problem: Option<Unwritable>,
    /// Since when, microseconds since the Unix epoch.
    pub since_us: Option<u64>,
    /// Entries.
    pub size: u64,
    /// Records refused since the start.
    pub refused: u64,
    /// Notes lost since the start: each stands in an `audit.gap`, or will.
    pub lost: u64,
}

impl Health {
    /// Whether records are taken.
    #[must_use]
    pub const fn is_writable(&self) -> bool {
        self.problem.is_none()
    }
}
