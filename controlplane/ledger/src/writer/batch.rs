//! One batch: from what waits to durable, or back.

use super::{Caller, Outage, Uncertain, Waiting, Writer};
use crate::handle::Recorded;
use crate::limits::{APPEND_TIMEOUT, BATCH_EVENTS_MAX, RETRY, TIME_STEP_MIN};
use crate::sealing::Sealed;
use crate::{Error, Unwritable};
use bedside_audit::{Action, Actor, Event, LogKey, Outcome};
use std::collections::HashMap;
use std::sync::atomic::Ordering;
use tokio::time::{Instant, timeout};

/// Whether a batch that failed was applied after all.
enum Applied {
    Yes,
    No,
    /// The log went on without us, or back.
    Elsewhere(Error),
    /// The database does not say.
    Unknown,
}

impl Writer {
    /// Commits up to a batch of what waits, and what the log has to say of itself.
    pub(super) async fn commit(&mut self) {
        self.commit_signed_by(None).await;
    }

    /// As [`commit`](Self::commit), the checkpoint signed by `next` too.
    pub(super) async fn commit_signed_by(&mut self, next: Option<&LogKey>) {
        if self.uncertain.is_some() && !self.resolve().await {
            return;
        }
        if let Some(moved_us) = self.steps.look(&*self.clock, TIME_STEP_MIN) {
            self.stepped_us += moved_us;
        }
        let now_us = self.clock.wall_us();
        let lost = self.counters.notes_lost.load(Ordering::Relaxed);
        let own = self.own_events(now_us, lost);
        let count = self.waiting.len().min(BATCH_EVENTS_MAX);
        if own.is_empty() && count == 0 {
            return;
        }
        let mut taken: Vec<Waiting> = self.waiting.drain(..count).collect();
        let mut sealed = match self.seal(&own, &mut taken, now_us, next).await {
            Ok(Some(sealed)) => sealed,
            Ok(None) => return,
            Err(error) => {
                self.refuse(taken, &error, now_us);
                return;
            }
        };
        let failed = match timeout(APPEND_TIMEOUT, self.storage.append(&sealed.batch)).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error),
            Err(_) => Some(Error::Away("it took too long to append".to_owned())),
        };
        let Some(error) = failed else {
            self.applied(&mut sealed, own.len(), taken, lost);
            return;
        };
        match self.was_applied(&sealed).await {
            Applied::Yes => self.applied(&mut sealed, own.len(), taken, lost),
            Applied::No => self.refuse(taken, &error, now_us),
            Applied::Elsewhere(error) => self.refuse(taken, &error, now_us),
            Applied::Unknown => {
                let (callers, notes): (Vec<_>, Vec<_>) = taken
                    .into_iter()
                    .partition(|waiting| waiting.caller.is_some());
                let told = callers.len() as u64;
                self.refuse(callers, &error, now_us);
                self.uncertain = Some(Uncertain {
                    sealed,
                    notes,
                    told,
                });
            }
        }
    }

    /// What the log has to say of itself before anything else.
    fn own_events(&self, now_us: u64, lost: u64) -> Vec<Event> {
        let mut own = Vec::new();
        let event = |action, outcome, reason| Event {
            outcome,
            reason: Some(reason),
            ..Event::new(now_us, action, Actor::SYSTEM)
        };
        if self.stepped_us != 0 {
            let reason = if self.stepped_us > 0 {
                "forward"
            } else {
                "back"
            };
            let mut step = event(Action::TimeStep, Outcome::Success, reason);
            let milliseconds = self.stepped_us.unsigned_abs() / 1_000;
            let milliseconds = u64::try_from(milliseconds).unwrap_or(u64::MAX);
            step.facts.insert("milliseconds", milliseconds.into());
            own.push(step);
        }
        if let Some(outage) = &self.outage {
            let mut gap = event(Action::AuditGap, Outcome::Failed, outage.problem.code());
            gap.facts.insert("since_us", outage.since_us.into());
            gap.facts.insert("until_us", now_us.into());
            gap.facts.insert("records_refused", outage.refused.into());
            own.push(gap);
        }
        if lost > 0 {
            let mut gap = event(Action::AuditGap, Outcome::Failed, "notes_lost");
            gap.facts.insert("notes_lost", lost.into());
            own.push(gap);
        }
        if let Some((count, first)) = self.unacknowledged {
            let mut gap = event(Action::AuditGap, Outcome::Failed, "not_acknowledged");
            gap.facts.insert("records", count.into());
            gap.facts.insert("first_sequence", first.into());
            own.push(gap);
        }
        own
    }

    /// Seals; an event that cannot be sealed is refused or lost, and the others go on. None if
    /// nothing is left.
    async fn seal(
        &mut self,
        own: &[Event],
        taken: &mut Vec<Waiting>,
        now_us: u64,
        next: Option<&LogKey>,
    ) -> Result<Option<Sealed>, Error> {
        let events = own
            .iter()
            .chain(taken.iter().map(|waiting| &*waiting.event));
        let fetched = self.sealing.fetch(events, &*self.storage);
        timeout(APPEND_TIMEOUT, fetched)
            .await
            .map_err(|_| Error::Away("it took too long to read".to_owned()))??;
        let mut fresh = HashMap::new();
        let mut entries = Vec::with_capacity(own.len() + taken.len());
        for event in own {
            entries.push(self.sealing.seal(event, now_us, &mut fresh)?);
        }
        let mut kept = Vec::with_capacity(taken.len());
        for waiting in taken.drain(..) {
            match self.sealing.seal(&waiting.event, now_us, &mut fresh) {
                Ok(entry) => {
                    entries.push(entry);
                    kept.push(waiting);
                }
                Err(error) => {
                    tracing::error!(%error, action = waiting.event.action.name(), "an event was lost");
                    self.unsealable(waiting, &error);
                }
            }
        }
        *taken = kept;
        if entries.is_empty() {
            return Ok(None);
        }
        let keys: Vec<&LogKey> = std::iter::once(&self.key).chain(next).collect();
        let sealing = &self.sealing;
        sealing
            .batch(&entries, fresh, &self.grown, now_us, &self.origin, &keys)
            .map(Some)
    }

    fn unsealable(&self, waiting: Waiting, error: &Error) {
        match waiting.caller {
            Some(Caller { reply, .. }) => {
                self.counters.refused.fetch_add(1, Ordering::Relaxed);
                reply.send(Err(error.into())).unwrap_or_default();
            }
            None => {
                self.counters.notes_waiting.fetch_sub(1, Ordering::Relaxed);
                self.counters.notes_lost.fetch_add(1, Ordering::Relaxed);
                self.counters.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// The batch is durable: the first `own` entries are the log's, then come those of `taken`.
    fn applied(&mut self, sealed: &mut Sealed, own: usize, taken: Vec<Waiting>, lost: u64) {
        let first = self.grown.tree.size();
        self.advance(sealed);
        self.stepped_us = 0;
        self.unacknowledged = None;
        self.counters.notes_lost.fetch_sub(lost, Ordering::Relaxed);
        if let Some(outage) = self.outage.take() {
            tracing::info!(
                refused = outage.refused,
                "the audit log can be written again"
            );
        }
        let checkpoint = sealed.batch.checkpoint.size;
        let places = (first..).zip(sealed.ids.drain(..)).skip(own);
        let mut notes = 0;
        for (waiting, (sequence, id)) in taken.into_iter().zip(places) {
            match waiting.caller {
                None => notes += 1,
                Some(Caller { reply, .. }) => {
                    let recorded = Recorded {
                        sequence,
                        id,
                        checkpoint,
                    };
                    reply.send(Ok(recorded)).unwrap_or_default();
                }
            }
        }
        self.counters
            .notes_waiting
            .fetch_sub(notes, Ordering::Relaxed);
        self.publish_health();
    }

    fn advance(&mut self, sealed: &mut Sealed) {
        self.sealing.stored(sealed);
        self.grown = sealed.grown.clone();
    }

    /// The batch is not in the log: records are refused, notes go back to the front.
    fn refuse(&mut self, taken: Vec<Waiting>, error: &Error, now_us: u64) {
        let problem = Unwritable::from(error);
        if self.outage.is_none() {
            tracing::error!(%error, "the audit log cannot be written: nobody is let in until it can");
        }
        let mut refused = 0;
        let mut notes = Vec::new();
        for waiting in taken {
            match waiting.caller {
                Some(Caller { reply, .. }) => {
                    refused += 1;
                    reply.send(Err(problem.clone())).unwrap_or_default();
                }
                None => notes.push(waiting),
            }
        }
        for waiting in notes.into_iter().rev() {
            self.waiting.push_front(waiting);
        }
        // Records behind them do not wait for a database that has just refused.
        let (callers, notes) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition::<Vec<_>, _>(|waiting| waiting.caller.is_some());
        self.waiting = notes.into();
        for waiting in callers {
            if let Some(Caller { reply, .. }) = waiting.caller {
                refused += 1;
                reply.send(Err(problem.clone())).unwrap_or_default();
            }
        }
        self.counters.refused.fetch_add(refused, Ordering::Relaxed);
        let before = self.outage.take();
        self.outage = Some(Outage {
            problem,
            since_us: before.as_ref().map_or(now_us, |outage| outage.since_us),
            refused: before.map_or(0, |outage| outage.refused) + refused,
            is_final: !error.is_passing(),
            retry: Instant::now() + RETRY,
        });
        self.publish_health();
    }

    /// Looks whether a batch that failed was applied after all.
    async fn was_applied(&self, sealed: &Sealed) -> Applied {
        let Ok(Ok(head)) = timeout(APPEND_TIMEOUT, self.storage.head()).await else {
            return Applied::Unknown;
        };
        let before = self.grown.tree.size();
        let after = sealed.grown.tree.size();
        let last = sealed.batch.entries.last().map(|entry| entry.leaf);
        if head.size == before {
            Applied::No
        } else if head.size == after && head.leaf == last {
            Applied::Yes
        } else if head.size < before {
            let what = format!("it ends at {} entries, and had {before}", head.size);
            Applied::Elsewhere(Error::fork(what, Some(head.size), "this control plane"))
        } else {
            Applied::Elsewhere(Error::Conflict)
        }
    }

    /// Finds out what became of a batch that failed; false as long as nobody can say.
    async fn resolve(&mut self) -> bool {
        let Some(mut uncertain) = self.uncertain.take() else {
            return true;
        };
        let now_us = self.clock.wall_us();
        match self.was_applied(&uncertain.sealed).await {
            Applied::Yes => {
                if uncertain.told > 0 {
                    self.unacknowledged = Some((uncertain.told, self.grown.tree.size()));
                }
                self.advance(&mut uncertain.sealed);
                let notes = uncertain.notes.len();
                self.counters
                    .notes_waiting
                    .fetch_sub(notes, Ordering::Relaxed);
                true
            }
            Applied::No => {
                for waiting in uncertain.notes.into_iter().rev() {
                    self.waiting.push_front(waiting);
                }
                true
            }
            Applied::Elsewhere(error) => {
                self.refuse(uncertain.notes, &error, now_us);
                false
            }
            Applied::Unknown => {
                self.uncertain = Some(uncertain);
                if let Some(outage) = &mut self.outage {
                    outage.retry = Instant::now() + RETRY;
                }
                false
            }
        }
    }
}
