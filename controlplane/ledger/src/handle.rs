//! The one way in.

use crate::archive::Archive;
use crate::check::{self, Opened};
use crate::clock::{Clock, SystemClock};
use crate::config::LedgerConfig;
use crate::limits::{FOLLOW_WAIT, NOTES_WAITING_MAX, RECORDS_WAITING_MAX};
use crate::publish::Publisher;
use crate::tally::Tally;
use crate::witness::{WitnessState, Witnessing};
use crate::writer::{Message, Order, Writer};
use crate::{Answer, Error, Health, LiveReport, Question, Unwritable};
use bedside_audit::{Action, Event, Outcome, Pseudonym};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use tokio::sync::{Mutex, Semaphore, mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// The log, open to be written. Cheap to clone; the last one that is dropped without
/// [`close`](Self::close) loses the notes that wait.
#[derive(Clone)]
pub struct Ledger {
    shared: Arc<Shared>,
}

struct Shared {
    messages: mpsc::UnboundedSender<Message>,
    counters: Arc<Counters>,
    records: Arc<Semaphore>,
    health: watch::Receiver<Health>,
    witnesses: watch::Receiver<Vec<WitnessState>>,
    /// How many make a checkpoint witnessed.
    quorum: usize,
    mirrors: Vec<PathBuf>,
    archive: Archive,
    /// The writer, then what ends after it.
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

/// What callers and the writer both count.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Notes that are not durable yet.
    pub(crate) notes_waiting: AtomicUsize,
    /// Notes that found no place and stand in no `audit.gap` yet.
    pub(crate) notes_lost: AtomicU64,
    /// The same, since the start.
    pub(crate) lost: AtomicU64,
    /// Records refused since the start.
    pub(crate) refused: AtomicU64,
    /// Records that are durable and notes that were taken, by kind.
    tally: Tally,
}

/// Where an event is in the log.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Recorded {
    /// Its place, from 0.
    pub sequence: u64,
    /// Its id, as the entry carries it.
    pub id: String,
    /// The size of the checkpoint that covers it, durable with it.
    pub checkpoint: u64,
}

impl Ledger {
    /// Opens the log, makes it at the first start, checks it, and starts the task that appends.
    ///
    /// # Errors
    /// [`Error::Fork`] or [`Error::Corrupt`] if the log is not what was written (unless
    /// `accept_fork`), and whatever else keeps it from being opened; each text says what to do.
    pub async fn open(config: &LedgerConfig) -> Result<Self, Error> {
        Self::open_with(config, Arc::new(SystemClock::new())).await
    }

    /// As [`open`](Self::open), by a clock of the caller's.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn open_with(config: &LedgerConfig, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let mut opened = check::open(config, &*clock).await?;
        let Opened { archive, .. } = &opened;
        let archive = archive.clone();
        let counters = Arc::new(Counters::default());
        let (messages, queue) = mpsc::unbounded_channel();
        let (health, watch_health) = watch::channel(Health {
            size: opened.grown.tree.size(),
            ..Health::default()
        });
        let publisher = Publisher {
            storage: Arc::clone(&opened.storage),
            files: opened.files.clone(),
            mirrors: config.mirrors.clone(),
            interval: config.publish_interval,
            health: watch_health.clone(),
        };
        let (witnessed, witnesses) = watch::channel(Vec::new());
        let witnessing = Witnessing {
            archive: archive.clone(),
            witnesses: std::mem::take(&mut opened.witnesses),
            interval: config.publish_interval,
            health: watch_health.clone(),
            states: witnessed,
            messages: messages.downgrade(),
            clock: Arc::clone(&clock),
        };
        let quorum = match config.quorum {
            0 => config.witnesses.len(),
            some => some,
        };
        let writer = Writer::new(opened, Arc::clone(&counters), queue, health, clock);
        let tasks = vec![
            tokio::spawn(writer.run()),
            tokio::spawn(publisher.run()),
            tokio::spawn(witnessing.run()),
        ];
        Ok(Self {
            shared: Arc::new(Shared {
                messages,
                counters,
                records: Arc::new(Semaphore::new(RECORDS_WAITING_MAX)),
                health: watch_health,
                witnesses,
                quorum,
                mirrors: config.mirrors.clone(),
                archive,
                tasks: Mutex::new(tasks),
            }),
        })
    }

    /// Records an event for everything that grants: it has its place among the events as soon as
    /// this is called, and is durable, covered by a signed checkpoint, once the future is ready.
    ///
    /// # Errors
    /// [`Unwritable`]: what it was for must not happen.
    pub fn record(
        &self,
        event: Event,
    ) -> impl Future<Output = Result<Recorded, Unwritable>> + Send + use<> {
        let kind = (event.action, event.outcome);
        let place = Arc::clone(&self.shared.records).try_acquire_owned();
        let waiting = place
            .map_err(|_| Unwritable::Busy(RECORDS_WAITING_MAX))
            .and_then(|place| {
                let (reply, answer) = oneshot::channel();
                let message = Message::Record(Box::new(event), reply, place);
                let sent = self.shared.messages.send(message);
                sent.map(|()| answer).map_err(|_| Unwritable::Closed)
            });
        if let Err(Unwritable::Busy(_)) = &waiting {
            self.shared.counters.refused.fetch_add(1, Ordering::Relaxed);
        }
        let counters = Arc::clone(&self.shared.counters);
        async move {
            let recorded = waiting?.await.unwrap_or(Err(Unwritable::Closed))?;
            counters.tally.count(kind.0, kind.1);
            Ok(recorded)
        }
    }

    /// Notes an event that has already happened. Returns at once; it is durable in one of the next
    /// batches, in order with what is recorded. While the log cannot be written notes wait; one
    /// that finds no place any more is counted, and the count becomes an `audit.gap`.
    pub fn note(&self, event: Event) {
        let counters = &self.shared.counters;
        let kind = (event.action, event.outcome);
        let place =
            counters
                .notes_waiting
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |waiting| {
                    (waiting < NOTES_WAITING_MAX).then_some(waiting + 1)
                });
        let taken = place.is_ok()
            && self
                .shared
                .messages
                .send(Message::Note(Box::new(event)))
                .is_ok();
        if taken {
            counters.tally.count(kind.0, kind.1);
        } else {
            counters.notes_lost.fetch_add(1, Ordering::Relaxed);
            counters.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whether records are taken, as of the last attempt.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        self.shared.health.borrow().is_writable()
    }

    /// How the log is, and every change of it; the size changes with each batch, so that this also
    /// tells whoever follows the log that there is more to read.
    #[must_use]
    pub fn health(&self) -> watch::Receiver<Health> {
        self.shared.health.clone()
    }

    /// How many events of each action and outcome were recorded or noted since the start.
    pub fn counts(&self) -> impl Iterator<Item = (Action, Outcome, u64)> {
        self.shared.counters.tally.counts()
    }

    /// How each witness is.
    #[must_use]
    pub fn witnesses(&self) -> Vec<WitnessState> {
        self.shared.witnesses.borrow().clone()
    }

    /// Entries that too few witnesses have seen yet (`audit_unwitnessed_entries`); none where
    /// nobody is asked.
    #[must_use]
    pub fn unwitnessed(&self) -> Option<u64> {
        let mut sizes: Vec<u64> = self.witnesses().iter().map(|state| state.size).collect();
        if sizes.is_empty() {
            return None;
        }
        sizes.sort_unstable_by(|a, b| b.cmp(a));
        let quorum = self.shared.quorum.max(1);
        let witnessed = sizes.get(quorum - 1).copied().unwrap_or(0);
        Some(self.shared.health.borrow().size.saturating_sub(witnessed))
    }

    /// To read the log.
    #[must_use]
    pub fn archive(&self) -> &Archive {
        &self.shared.archive
    }

    /// Answers a question of the command line's.
    ///
    /// # Errors
    /// As [`Archive::answer`].
    pub async fn answer(&self, question: Question) -> Result<Answer, Error> {
        if let Question::Entries {
            from: Some(from),
            follow: true,
            ..
        } = question
        {
            let mut health = self.health();
            let more = health.wait_for(|health| health.size > from);
            // Nothing new: the answer is empty, and the next question waits again.
            timeout(FOLLOW_WAIT, more)
                .await
                .map(drop)
                .unwrap_or_default();
        }
        let mirrors = self.shared.mirrors.clone();
        let mut answer = self.shared.archive.answer(question, mirrors).await?;
        if let Answer::Status(status) = &mut answer {
            let health = self.shared.health.borrow().clone();
            status.live = Some(LiveReport {
                problem: health.problem.map(|problem| problem.to_string()),
                refused: health.refused,
                lost: health.lost,
                unwitnessed: self.unwitnessed(),
                witnesses: self.witnesses(),
            });
        }
        Ok(answer)
    }

    /// Destroys the keys of details of the years before `year`, of one subject or of all: their
    /// details cannot be read any more, and every proof still holds. Returns how many keys. The
    /// caller records it.
    ///
    /// # Errors
    /// [`Unwritable`].
    pub async fn destroy_detail_keys(
        &self,
        subject: Option<&Pseudonym>,
        year: u16,
    ) -> Result<u64, Unwritable> {
        let (reply, answer) = oneshot::channel();
        let subject = subject.map(ToString::to_string);
        self.order(Order::DestroyDetailKeys {
            subject,
            year,
            reply,
        })?;
        answer.await.unwrap_or(Err(Unwritable::Closed))
    }

    /// Takes a new key for checkpoints into use, by a checkpoint that both have signed, and returns
    /// its verifier key. `event` records who ordered it.
    ///
    /// # Errors
    /// [`Unwritable`]: the old key stays in use.
    pub async fn rotate_key(&self, event: Event) -> Result<String, Unwritable> {
        let (reply, answer) = oneshot::channel();
        self.order(Order::RotateKey {
            event: Box::new(event),
            reply,
        })?;
        answer.await.unwrap_or(Err(Unwritable::Closed))
    }

    fn order(&self, order: Order) -> Result<(), Unwritable> {
        let sent = self.shared.messages.send(Message::Order(order));
        sent.map_err(|_| Unwritable::Closed)
    }

    /// Writes what waits, if the database takes it, and closes the log. Records that come later
    /// are refused.
    pub async fn close(&self) {
        // If it cannot be sent, the writer has ended already.
        self.order(Order::Close).unwrap_or_default();
        let mut tasks = self.shared.tasks.lock().await;
        if tasks.is_empty() {
            return;
        }
        for task in tasks.drain(..) {
            if let Err(error) = task.await {
                tracing::error!(%error, "a task of the audit log ended by a defect of bedside");
            }
        }
        self.shared.archive.close().await;
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger").finish_non_exhaustive()
    }
}
