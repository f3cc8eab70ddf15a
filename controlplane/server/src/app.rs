//! What every request handler gets.

use crate::breakglass::Entries;
use crate::dataplane::DataplaneStatus;
use crate::evidence::strangers::Strangers;
use crate::identity::Identity;
use crate::metrics::Metrics;
use crate::rooms::RoomsHandle;
use crate::store::Store;
use crate::telemetry::Telemetry;
use crate::token::Tokens;
use crate::waiting::WaitingRoom;
use bedside_ledger::Ledger;
use bedside_policy::Policies;
use bedside_rooms::Refusal;
use std::sync::Arc;
use tokio::sync::watch;

/// Handles to everything; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct App {
    pub(crate) rooms: RoomsHandle,
    pub(crate) tokens: Tokens,
    pub(crate) store: Store,
    pub(crate) ledger: Ledger,
    pub(crate) identity: Arc<Identity>,
    pub(crate) dataplane: watch::Receiver<DataplaneStatus>,
    pub(crate) metrics: Metrics,
    pub(crate) telemetry: Telemetry,
    /// Whether the page's reports are taken.
    pub(crate) client_statistics: bool,
    pub(crate) policies: Arc<Policies>,
    pub(crate) waiting: WaitingRoom,
    pub(crate) emergencies: Entries,
    pub(crate) strangers: Strangers,
    /// The workforce logs in with an identity provider.
    pub(crate) workforce_login: bool,
}

/// The task that owns the rooms is gone: the server is stopping.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Stopped;

impl From<Stopped> for Refusal {
    fn from(Stopped: Stopped) -> Self {
        Self {
            status: 503,
            reason: "the server is stopping; try again in a moment".to_owned(),
        }
    }
}
