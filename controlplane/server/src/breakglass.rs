//! Break-glass: a clinician enters a consult in an emergency without an invitation
//! (45 CFR 164.312(a)(2)(ii)).
//!
//! The policies ask for two factors of the last minutes and a reason. The entry is recorded before
//! the token is given, runs out by itself, is shown to everyone in the consult (the participant
//! attribute `bedside.emergency`), and stays open until somebody else has reviewed it.

mod api;

pub(crate) use api::{admin_routes, routes, token};

use crate::Error;
use crate::app::App;
use crate::clock::{now_s, now_us};
use crate::limits::BREAK_GLASS_RETRY;
use crate::store::breakglass::Entry;
use bedside_audit::{Action, Actor, Event, Fact, Object, PolicyDecision, Purpose};
use bedside_protocol::Phi;
use livekit_protocol as proto;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

/// Wakes the task that ends entries. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Entries {
    changed: Arc<Notify>,
    /// How long an entry lasts, seconds.
    limit_s: u32,
}

impl Entries {
    pub(crate) fn new(limit_s: u32) -> Self {
        Self {
            changed: Arc::default(),
            limit_s,
        }
    }
}

/// What somebody declares.
pub(crate) struct Declaration {
    pub(crate) user: String,
    pub(crate) room: String,
    pub(crate) reason: &'static str,
    pub(crate) words: Phi<String>,
    pub(crate) actor: Actor,
    pub(crate) policy: PolicyDecision,
}

/// Records an emergency entry and opens the consult to the user until it runs out.
///
/// # Errors
/// The log's, the database's: nothing is opened.
pub(crate) async fn enter(app: &App, declared: Declaration) -> Result<Entry, Error> {
    let mut random = [0; 12];
    getrandom::fill(&mut random).map_err(Error::Random)?;
    let id = random.iter().fold("BG_".to_owned(), |mut id, byte| {
        id.push_str(&format!("{byte:02x}"));
        id
    });
    let started_s = now_s();
    let entry = Entry {
        id,
        user: declared.user,
        room: declared.room,
        reason: declared.reason.to_owned(),
        started_s,
        ends_s: started_s.saturating_add(i64::from(app.emergencies.limit_s)),
        ended_s: None,
        reviewed_s: None,
        finding: None,
    };
    let mut event = event(Action::BreakGlass, declared.actor, &entry);
    event.reason = Some(declared.reason);
    event.policy = Some(declared.policy);
    event.facts.insert("step", "entered".into());
    event
        .facts
        .insert("limit_s", Fact::Number(u64::from(app.emergencies.limit_s)));
    event.detail.insert("words", declared.words);
    app.ledger.record(event).await?;
    app.store.break_glass(&entry).await?;
    tracing::warn!(
        entry = entry.id,
        reason = entry.reason,
        "a clinician entered a consult in an emergency: review it with `bedside breakglass review`"
    );
    app.emergencies.changed.notify_one();
    Ok(entry)
}

/// Ends entries when they run out, those of earlier starts included.
pub(crate) async fn run(app: App) {
    loop {
        let wait = match end_those_over(&app).await {
            Ok(next) => next,
            Err(error) => {
                tracing::error!(%error, "emergency entries could not be ended; trying again");
                sleep(BREAK_GLASS_RETRY).await;
                continue;
            }
        };
        // Whichever comes first, we look again.
        drop(timeout(wait, app.emergencies.changed.notified()).await);
    }
}

/// Ends what has run out; how long until the next does.
async fn end_those_over(app: &App) -> Result<Duration, Error> {
    while let Some(entry) = app.store.next_entry_to_end().await? {
        let left_s = entry.ends_s.saturating_sub(now_s());
        if left_s > 0 {
            return Ok(Duration::from_secs(u64::try_from(left_s).unwrap_or(0)));
        }
        end(app, &entry).await?;
    }
    Ok(NOTHING_TO_END)
}

async fn end(app: &App, entry: &Entry) -> Result<(), Error> {
    app.tokens.refusals().end_in_room(&entry.user, &entry.room);
    let request = proto::RoomParticipantIdentity {
        room: entry.room.clone(),
        identity: entry.user.clone(),
        ..Default::default()
    };
    let removed = app
        .rooms
        .call(move |rooms, now| rooms.remove_participant(now, &request).is_ok())
        .await
        .unwrap_or(false);
    app.store.end_entry(&entry.id).await?;
    let mut event = event(Action::BreakGlass, Actor::SYSTEM, entry);
    event.reason = Some("time_over");
    event.facts.insert("step", "ended".into());
    event.facts.insert("was_connected", Fact::Flag(removed));
    app.ledger.note(event);
    Ok(())
}

/// Refuses what earlier starts' entries left behind: tokens live for minutes after an end.
///
/// # Errors
/// [`Error::Database`].
pub(crate) async fn refuse_ended(app: &App) -> Result<(), Error> {
    let ended = app.store.entries_ended_since(now_s() - TOKENS_OUTLIVE_S);
    for entry in ended.await? {
        app.tokens.refusals().end_in_room(&entry.user, &entry.room);
    }
    Ok(())
}

/// What a record of an entry says in any case.
fn event(action: Action, actor: Actor, entry: &Entry) -> Event {
    let mut event = Event::new(now_us(), action, actor);
    event.purpose = Purpose::EmergencyTreatment;
    event.room = Some(Phi::new(entry.room.clone()));
    event.object = Some(Object {
        kind: "break_glass",
        id: entry.id.clone(),
    });
    event
}

/// Until an entry is made, which wakes us.
const NOTHING_TO_END: Duration = Duration::from_secs(3_600);

/// Longer than any token of ours lives.
const TOKENS_OUTLIVE_S: i64 = 3_600;
