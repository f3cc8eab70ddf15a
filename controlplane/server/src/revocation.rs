//! Taking all access away at once (45 CFR 164.308(a)(3)(ii)(C)).
//!
//! One order ends sessions, links, tokens and live peer connections of a user, a link's identity
//! or an API key. It is recorded before anything is done, and each part as it is confirmed: a
//! peer connection when the data plane says that it is closed.

mod api;
mod refused;

pub(crate) use api::{admin_routes, routes};
pub(crate) use refused::Refusals;

use crate::Error;
use crate::app::App;
use crate::clock::now_us;
use crate::limits::REVOCATION_CONFIRM;
use bedside_audit::{Action, Actor, Event, Fact, Object, Outcome, PolicyDecision, Purpose};
use bedside_ledger::Unwritable;
use bedside_protocol::{PeerId, Phi};
use bedside_rooms::Whose;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tokio::sync::{broadcast, mpsc};
use tokio::time::{Instant, timeout_at};

/// What a revocation is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountKind {
    /// Somebody of the workforce, by user id.
    User,
    /// A participant, by identity: a link's, a token's.
    Identity,
    /// An API key, by name: everything that was signed with it.
    ApiKey,
}

impl AccountKind {
    /// As it stands in the database and in records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Identity => "identity",
            Self::ApiKey => "api_key",
        }
    }
}

/// Something that was done, and confirmed. What the command prints, a line each.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RevocationStep {
    /// `order`, `tokens`, `sessions`, `links`, `turn`, `peer` or `done`.
    pub step: String,
    /// How many there were; of `peer`, one a line.
    pub count: u64,
    /// Milliseconds since the order.
    pub elapsed_ms: u64,
    /// False: it could not be confirmed in time.
    pub confirmed: bool,
    /// What else is to be said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remark: Option<String>,
}

/// Who orders, and what of.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) account: Phi<String>,
    pub(crate) actor: Actor,
    pub(crate) policy: PolicyDecision,
}

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Store(#[from] Error),
    #[error("the audit log cannot be written, and nothing is revoked without a record: {0}")]
    Log(#[from] Unwritable),
}

/// What the account is.
///
/// # Errors
/// [`Error::Database`].
pub(crate) async fn kind_of(app: &App, account: &str) -> Result<AccountKind, Error> {
    Ok(if app.store.user(account).await?.is_some() {
        AccountKind::User
    } else if app.tokens.has_key(account) {
        AccountKind::ApiKey
    } else {
        AccountKind::Identity
    })
}

/// Takes all access of an account away. Returns once the order is recorded; the steps arrive as
/// they are confirmed, `done` last.
///
/// # Errors
/// [`Failure`]: nothing was done.
pub(crate) async fn revoke(
    app: &App,
    order: Order,
) -> Result<mpsc::Receiver<RevocationStep>, Failure> {
    let kind = kind_of(app, order.account.expose()).await?;
    let run = Run {
        app: app.clone(),
        order,
        kind,
        started: Instant::now(),
    };
    let recorded = run.event("order", 0, true);
    app.ledger.record(recorded).await?;
    let (sender, receiver) = mpsc::channel(STEPS_WAITING);
    // Whoever ordered may hang up: it is done all the same.
    tokio::spawn(run.carry_out(sender));
    Ok(receiver)
}

struct Run {
    app: App,
    order: Order,
    kind: AccountKind,
    started: Instant,
}

impl Run {
    async fn carry_out(self, steps: mpsc::Sender<RevocationStep>) {
        self.tell(&steps, "order", 0, true, None).await;
        let closed = self.app.rooms.closed_peers();
        // The ways back in first, then who is in.
        if let Err(error) = self.close_doors(&steps).await {
            tracing::error!(%error, "a revocation could not be written to the database");
            let remark = "the database cannot be written; order it again";
            self.note("doors", 0, false);
            self.tell(&steps, "doors", 0, false, Some(remark)).await;
        }
        self.remove_peers(&steps, closed).await;
        self.tell(&steps, "done", 0, true, None).await;
    }

    async fn close_doors(&self, steps: &mpsc::Sender<RevocationStep>) -> Result<(), Error> {
        let store = &self.app.store;
        let account = self.order.account.expose();
        // In memory first: what the database cannot keep is refused at least until the next start.
        self.app.tokens.refusals().revoke(account);
        store.revoke(account, self.kind.name()).await?;
        self.confirm(steps, "tokens", 1, None).await;
        if self.kind == AccountKind::User {
            store.set_user_revoked(account, true).await?;
            let sessions = store.end_sessions_of_user(account).await?;
            self.confirm(steps, "sessions", sessions, None).await;
        }
        if self.kind != AccountKind::ApiKey {
            let links = store.end_every_link_of(account).await?;
            self.app.waiting.changed();
            self.confirm(steps, "links", links, None).await;
        }
        let remark = "this release serves no TURN: there are no credentials to end";
        self.confirm(steps, "turn", 0, Some(remark)).await;
        Ok(())
    }

    /// Sends everyone away whom the account let in, and waits until the data plane has closed
    /// their transports.
    async fn remove_peers(
        &self,
        steps: &mpsc::Sender<RevocationStep>,
        mut closed: broadcast::Receiver<PeerId>,
    ) {
        let account = self.order.account.expose().clone();
        let whose = if self.kind == AccountKind::ApiKey {
            Whose::ApiKey(account)
        } else {
            Whose::Identity(account)
        };
        let removal = self
            .app
            .rooms
            .call(move |rooms, now| rooms.remove_everywhere(now, &whose));
        let Ok(removed) = removal.await else {
            self.note("peer", 0, false);
            let remark = "the server is stopping";
            return self.tell(steps, "peer", 0, false, Some(remark)).await;
        };
        let mut waiting: BTreeMap<PeerId, &str> = removed
            .iter()
            .flat_map(|one| {
                let sid = one.participant_sid.as_str();
                one.peers.iter().map(move |&peer| (peer, sid))
            })
            .collect();
        if waiting.is_empty() {
            return self
                .confirm(steps, "peer", 0, Some("no live connection"))
                .await;
        }
        let until = self.started + REVOCATION_CONFIRM;
        while !waiting.is_empty() {
            match timeout_at(until, closed.recv()).await {
                Ok(Ok(peer)) => {
                    let Some(participant) = waiting.remove(&peer) else {
                        continue;
                    };
                    let mut event = self.event("peer", 1, true);
                    event.object = Some(Object {
                        kind: "participant",
                        id: participant.to_owned(),
                    });
                    self.app.ledger.note(event);
                    self.tell(steps, "peer", 1, true, None).await;
                }
                Ok(Err(broadcast::error::RecvError::Lagged(_))) => {}
                Ok(Err(broadcast::error::RecvError::Closed)) | Err(_) => break,
            }
        }
        if !waiting.is_empty() {
            let count = u64::try_from(waiting.len()).unwrap_or(u64::MAX);
            self.note("peer", count, false);
            let remark = "the data plane has not confirmed; it closes them as soon as it answers, \
                          see `bedside status`";
            self.tell(steps, "peer", count, false, Some(remark)).await;
        }
    }

    async fn confirm(
        &self,
        steps: &mpsc::Sender<RevocationStep>,
        step: &'static str,
        count: u64,
        remark: Option<&str>,
    ) {
        self.note(step, count, true);
        self.tell(steps, step, count, true, remark).await;
    }

    fn note(&self, step: &'static str, count: u64, confirmed: bool) {
        self.app.ledger.note(self.event(step, count, confirmed));
    }

    /// Whoever ordered may have hung up.
    async fn tell(
        &self,
        steps: &mpsc::Sender<RevocationStep>,
        step: &'static str,
        count: u64,
        confirmed: bool,
        remark: Option<&str>,
    ) {
        let step = RevocationStep {
            step: step.to_owned(),
            count,
            elapsed_ms: self.elapsed_ms(),
            confirmed,
            remark: remark.map(str::to_owned),
        };
        drop(steps.send(step).await);
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn event(&self, step: &'static str, count: u64, confirmed: bool) -> Event {
        let mut event = Event::new(now_us(), Action::UserRevoke, self.order.actor.clone());
        event.purpose = Purpose::Operations;
        if !confirmed {
            event.outcome = Outcome::Failed;
            event.reason = Some("not_confirmed");
        }
        event.policy = Some(self.order.policy.clone());
        event.object = (self.kind == AccountKind::User).then(|| Object {
            kind: "user",
            id: self.order.account.expose().clone(),
        });
        event.facts.insert("step", step.into());
        event.facts.insert("kind", self.kind.name().into());
        event.facts.insert("count", Fact::Number(count));
        event
            .facts
            .insert("elapsed_ms", Fact::Number(self.elapsed_ms()));
        event.detail.insert("account", self.order.account.clone());
        event
    }
}

/// Gives access back. Tokens and sessions from before stay refused.
///
/// # Errors
/// [`Failure`]: nothing was done.
pub(crate) async fn restore(app: &App, order: Order) -> Result<bool, Failure> {
    let account = order.account.expose().clone();
    let kind = kind_of(app, &account).await?;
    let run = Run {
        app: app.clone(),
        order,
        kind,
        started: Instant::now(),
    };
    app.ledger.record(run.event("restore", 0, true)).await?;
    let restored = app.store.restore(&account).await?;
    if kind == AccountKind::User {
        app.store.set_user_revoked(&account, false).await?;
    }
    app.tokens.refusals().restore(&account);
    Ok(restored)
}

/// Steps that wait for whoever reads them; the run waits then, and is no slower to act: doors
/// and removals come before the first step that can be many.
const STEPS_WAITING: usize = 1_024;
