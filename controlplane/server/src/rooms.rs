//! The task that owns the rooms.
//!
//! Everything that concerns a room goes through its mailbox, one thing after the other; what the
//! rooms answer with is handed on at once. The task never waits for a client, a disk or the data
//! plane: each of them has a bounded queue, and each bound says what happens when it is reached.

use crate::app::Stopped;
use crate::clock::Clock;
use crate::dataplane::Outbox;
use crate::evidence::{Evidence, Item};
use crate::limits::{
    CLOSED_PEERS_WAITING_MAX, MAILBOX_MAX, NUMBERS_MAX, REFRESHED_TOKEN_LIFETIME, SNAPSHOT_DELAY,
    SNAPSHOT_SHARE,
};
use crate::metrics::{Metrics, Tally};
use crate::signal::queue::{Lost, Outgoing, Sender};
use crate::store::SnapshotChanges;
use crate::telemetry::{Step, step};
use crate::token::Tokens;
use crate::webhooks::Webhooks;
use bedside_audit::{Action, Actor, Event, Outcome};
use bedside_protocol::{
    Acknowledge, BootId, Event as PlaneEvent, EventFrame, PeerId, RoomId, Welcome, WorkerId,
};
use bedside_rooms::{DataplaneInput, Input, Join, Output, Rooms, SessionId, Time};
use livekit_protocol as proto;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

/// The way to the rooms, for everybody else. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct RoomsHandle {
    mailbox: mpsc::Sender<Mail>,
    sessions: Arc<AtomicU64>,
    closed: broadcast::Sender<PeerId>,
}

/// What the task works on.
enum Mail {
    #[expect(
        clippy::type_complexity,
        reason = "said once, and clearer than a name for it"
    )]
    Call(Box<dyn FnOnce(&mut Rooms, Time) + Send>),
    Join(Box<Join>, Sender),
    Input(Input),
    DataplaneConnected(Welcome, Outbox),
    DataplaneSpooled(BootId, Box<EventFrame>, Outbox),
    Stop,
}

/// What the task hands outputs to.
pub(crate) struct Outlets {
    /// Signs refreshed tokens.
    pub(crate) tokens: Tokens,
    /// Writes snapshots.
    pub(crate) snapshots: mpsc::Sender<SnapshotChanges>,
    /// Delivers webhooks.
    pub(crate) webhooks: Webhooks,
    /// Counts what the data plane reports.
    pub(crate) metrics: Metrics,
    /// Keeps records.
    pub(crate) evidence: Evidence,
}

impl RoomsHandle {
    /// Runs `f` on the rooms and returns what it returns.
    ///
    /// # Errors
    /// [`Stopped`]: the server is stopping.
    pub(crate) async fn call<T: Send + 'static>(
        &self,
        f: impl FnOnce(&mut Rooms, Time) -> T + Send + 'static,
    ) -> Result<T, Stopped> {
        let (reply, answer) = oneshot::channel();
        let call = Box::new(move |rooms: &mut Rooms, now: Time| {
            // The caller may have gone away; what was done stays done.
            drop(reply.send(f(rooms, now)));
        });
        step(Step::Rooms, async {
            self.post(Mail::Call(call)).await?;
            answer.await.map_err(|_| Stopped)
        })
        .await
    }

    /// A number for a new signalling connection.
    pub(crate) fn next_session(&self) -> SessionId {
        SessionId(self.sessions.fetch_add(1, Ordering::Relaxed))
    }

    /// Someone whom `Rooms::check_join` let in; what the rooms have for them goes to `queue`.
    pub(crate) async fn join(&self, join: Box<Join>, queue: Sender) -> Result<(), Stopped> {
        self.post(Mail::Join(join, queue)).await
    }

    /// A request on a signalling connection.
    pub(crate) async fn signal(
        &self,
        session: SessionId,
        request: Box<proto::SignalRequest>,
    ) -> Result<(), Stopped> {
        self.post(Mail::Input(Input::Signal { session, request }))
            .await
    }

    /// A signalling connection is gone.
    pub(crate) async fn session_closed(&self, session: SessionId) -> Result<(), Stopped> {
        self.post(Mail::Input(Input::SessionClosed { session }))
            .await
    }

    /// The data plane accepted our hello; commands go to `outbox` from now on.
    pub(crate) async fn dataplane_connected(
        &self,
        welcome: Welcome,
        outbox: Outbox,
    ) -> Result<(), Stopped> {
        self.post(Mail::DataplaneConnected(welcome, outbox)).await
    }

    /// An earlier run of the data plane had reported something, and nobody had taken it.
    pub(crate) async fn dataplane_spooled(
        &self,
        boot: BootId,
        event: Box<EventFrame>,
        outbox: Outbox,
    ) -> Result<(), Stopped> {
        self.post(Mail::DataplaneSpooled(boot, event, outbox)).await
    }

    /// The record of a peer's opening is durable.
    pub(crate) async fn recorded(&self, room: RoomId, peer: PeerId) -> Result<(), Stopped> {
        self.post(Mail::Input(Input::Recorded { room, peer })).await
    }

    /// The data plane reported something.
    pub(crate) async fn dataplane_event(&self, event: Box<EventFrame>) -> Result<(), Stopped> {
        if let PlaneEvent::PeerClosed { peer, .. } = event.event {
            // On an error nobody waits for any.
            self.closed.send(peer).unwrap_or_default();
        }
        let input = Input::Dataplane(DataplaneInput::Event(event));
        self.post(Mail::Input(input)).await
    }

    /// Transports that the data plane says are gone, from now on.
    pub(crate) fn closed_peers(&self) -> broadcast::Receiver<PeerId> {
        self.closed.subscribe()
    }

    /// The connection to the data plane is gone.
    pub(crate) async fn dataplane_disconnected(&self) -> Result<(), Stopped> {
        let input = Input::Dataplane(DataplaneInput::Disconnected);
        self.post(Mail::Input(input)).await
    }

    /// Ends the task: every signalling connection is dropped and what changed is stored. The
    /// data plane goes on with the media.
    pub(crate) async fn stop(&self) {
        // On an error it has stopped already.
        self.post(Mail::Stop).await.unwrap_or_default();
    }

    async fn post(&self, mail: Mail) -> Result<(), Stopped> {
        self.mailbox.send(mail).await.map_err(|_| Stopped)
    }
}

/// The rooms' handle and the task to spawn.
pub(crate) fn rooms(
    rooms: Rooms,
    clock: Clock,
    outlets: Outlets,
) -> (RoomsHandle, impl Future<Output = ()> + Send) {
    let (sender, mailbox) = mpsc::channel(MAILBOX_MAX);
    let handle = RoomsHandle {
        mailbox: sender,
        sessions: Arc::new(AtomicU64::new(1)),
        closed: broadcast::Sender::new(CLOSED_PEERS_WAITING_MAX),
    };
    let desk = Desk {
        rooms,
        clock,
        tally: Tally::new(outlets.metrics.clone()),
        outlets,
        sessions: HashMap::new(),
        outbox: None,
        boot: None,
        numbers: Numbers::default(),
        recording: None,
        changed: BTreeSet::new(),
        finished: BTreeSet::new(),
        store_at: None,
        store_delay: SNAPSHOT_DELAY,
    };
    (handle, desk.run(mailbox))
}

/// The task's state.
struct Desk {
    rooms: Rooms,
    clock: Clock,
    tally: Tally,
    outlets: Outlets,
    sessions: HashMap<SessionId, Sender>,
    outbox: Option<Outbox>,
    /// The run of the data plane that is connected, or was last.
    boot: Option<BootId>,
    /// Which evidence has come.
    numbers: Numbers,
    /// What the event being worked on has for the log.
    recording: Option<Item>,
    /// Rooms whose snapshot on disk is out of date.
    changed: BTreeSet<String>,
    /// Rooms whose snapshot is to be deleted.
    finished: BTreeSet<String>,
    /// When the two above go to the store.
    store_at: Option<Instant>,
    /// How long they wait.
    store_delay: Duration,
}

impl Desk {
    async fn run(mut self, mut mailbox: mpsc::Receiver<Mail>) {
        self.drain();
        loop {
            let rooms_at = self
                .rooms
                .poll_timeout()
                .map(|time| self.clock.instant(time));
            tokio::select! {
                mail = mailbox.recv() => match mail {
                    Some(Mail::Stop) | None => break,
                    Some(mail) => self.take(mail),
                },
                () = sleep_until_some(rooms_at) => {
                    let now = self.clock.now();
                    self.rooms.handle_timeout(now);
                }
                () = sleep_until_some(self.store_at) => self.store(),
            }
            self.drain();
        }
        // The last changes must reach the disk; nothing else is waiting for this task any more.
        let changes = self.changes();
        if !changes.is_empty() && self.outlets.snapshots.send(changes).await.is_err() {
            tracing::error!("room snapshots were not stored: the store's task has ended");
        }
    }

    fn take(&mut self, mail: Mail) {
        let now = self.clock.now();
        match mail {
            Mail::Stop => {}
            Mail::Call(call) => call(&mut self.rooms, now),
            Mail::Join(join, queue) => {
                self.sessions.insert(join.session, queue);
                self.rooms.handle(now, Input::Join(join));
            }
            Mail::Input(input) => {
                match &input {
                    Input::Dataplane(DataplaneInput::Event(frame)) => {
                        if let (Some(boot), Some(outbox)) = (self.boot, self.outbox.clone())
                            && !self.begin_record(boot, frame, outbox)
                        {
                            return;
                        }
                        self.tally.event(&frame.event);
                    }
                    Input::SessionClosed { session } => {
                        self.sessions.remove(session);
                    }
                    Input::Dataplane(DataplaneInput::Disconnected) => {
                        self.outbox = None;
                        self.tally.disconnected();
                    }
                    _ => {}
                }
                self.rooms.handle(now, input);
            }
            Mail::DataplaneSpooled(boot, frame, outbox) => {
                if self.begin_record(boot, &frame, outbox) {
                    let input = DataplaneInput::Spooled(boot, frame);
                    self.rooms.handle(now, Input::Dataplane(input));
                }
            }
            Mail::DataplaneConnected(welcome, outbox) => {
                self.outbox = Some(outbox);
                self.boot = Some(welcome.boot);
                self.numbers.connected(&welcome);
                let input = DataplaneInput::Connected(welcome);
                self.rooms.handle(now, Input::Dataplane(input));
            }
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.rooms.poll_output() {
            self.hand_on(output);
        }
        if let Some(item) = self.recording.take() {
            self.outlets.evidence.record(item);
        }
    }

    /// Gathers what follows from an event that is evidence, until all its outputs are handed on.
    /// False for one that has come before: it is acknowledged in its turn, and that is all.
    fn begin_record(&mut self, boot: BootId, frame: &EventFrame, outbox: Outbox) -> bool {
        let Some(record) = frame.record else {
            return true;
        };
        let worker = frame.worker;
        let acknowledge = Acknowledge {
            boot,
            worker,
            record,
        };
        self.recording = Some(Item {
            events: Vec::new(),
            opened: Vec::new(),
            acknowledge: Some((acknowledge, outbox)),
        });
        match self.numbers.take(boot, worker, record) {
            Place::Next => true,
            Place::Again => false,
            Place::After { missing } => {
                self.outlets.evidence.note(gap(acknowledge, missing));
                true
            }
        }
    }

    fn record(&mut self, mut event: Event, opened: Option<(RoomId, PeerId)>) {
        match &mut self.recording {
            Some(item) => {
                if let Some((acknowledge, _)) = &item.acknowledge {
                    number(&mut event, *acknowledge);
                }
                item.events.push(event);
                item.opened.extend(opened);
            }
            None if opened.is_some() => self.outlets.evidence.record(Item {
                events: vec![event],
                opened: opened.into_iter().collect(),
                acknowledge: None,
            }),
            None => self.outlets.evidence.note(event),
        }
    }

    fn hand_on(&mut self, output: Output) {
        match output {
            Output::Signal { session, response } => {
                self.send(session, Outgoing::Response(response));
            }
            Output::CloseSession { session, how } => {
                self.send(session, Outgoing::Close(how));
                self.sessions.remove(&session);
            }
            Output::RefreshToken { session, claims } => {
                if let Some(token) = self.outlets.tokens.sign(&claims, REFRESHED_TOKEN_LIFETIME) {
                    let message = proto::signal_response::Message::RefreshToken(token);
                    let response = proto::SignalResponse {
                        message: Some(message),
                    };
                    self.send(session, Outgoing::Response(Box::new(response)));
                }
            }
            Output::Command(frame) => {
                // Without a connection there is nobody to tell: everything wanted is named
                // again after the next welcome.
                if let Some(outbox) = &self.outbox {
                    outbox.push(frame);
                }
            }
            Output::RoomChanged { room } => {
                self.changed.insert(room);
                self.store_soon();
            }
            Output::RoomFinished { room } => {
                self.changed.remove(&room);
                self.finished.insert(room);
                self.store_soon();
            }
            Output::Webhook(event) => self.outlets.webhooks.send(&event),
            Output::Measured(measure) => self.outlets.metrics.observe_measure(measure),
            Output::Audit(event) => self.record(*event, None),
            Output::Opened { event, room, peer } => self.record(*event, Some((room, peer))),
        }
    }

    /// Whoever cannot be sent to is gone, whatever became of the connection's task.
    fn send(&mut self, session: SessionId, outgoing: Outgoing) {
        let Some(queue) = self.sessions.get(&session) else {
            return;
        };
        let Err(lost) = queue.send(outgoing) else {
            return;
        };
        if lost == Lost::Overflow {
            tracing::info!(
                ?session,
                "client disconnected: it does not take what is sent to it"
            );
        }
        self.sessions.remove(&session);
        let now = self.clock.now();
        self.rooms.handle(now, Input::SessionClosed { session });
    }

    fn store_soon(&mut self) {
        let delay = self.store_delay;
        self.store_at.get_or_insert_with(|| Instant::now() + delay);
    }

    /// Hands what changed to the store, or leaves it for later while the store is busy: what
    /// changes until then is written in the same transaction.
    fn store(&mut self) {
        self.store_at = None;
        match self.outlets.snapshots.clone().try_reserve() {
            Ok(place) => place.send(self.changes()),
            Err(_) => self.store_soon(),
        }
    }

    /// Copies what changed. A full room takes milliseconds to copy, in which nobody is served:
    /// the next copy waits in proportion.
    fn changes(&mut self) -> SnapshotChanges {
        let started = Instant::now();
        let changed = std::mem::take(&mut self.changed);
        let snapshot = |room: String| self.rooms.snapshot(&room).map(|snapshot| (room, snapshot));
        let changes = SnapshotChanges {
            changed: changed.into_iter().filter_map(snapshot).collect(),
            finished: std::mem::take(&mut self.finished).into_iter().collect(),
        };
        self.store_delay = SNAPSHOT_DELAY.max(started.elapsed() * SNAPSHOT_SHARE);
        changes
    }
}

/// The last evidence of each worker that has come, in this run.
#[derive(Debug, Default)]
struct Numbers {
    last: BTreeMap<(BootId, WorkerId), u64>,
}

/// Where evidence stands in its worker's sequence.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    Next,
    /// It has come before.
    Again,
    /// So many before it are lost.
    After {
        missing: u64,
    },
}

impl Numbers {
    /// What a data plane has been acknowledged does not come again.
    fn connected(&mut self, welcome: &Welcome) {
        while self.last.len() > NUMBERS_MAX {
            self.last.pop_first();
        }
        for info in &welcome.workers {
            let last = self.last.entry((welcome.boot, info.worker)).or_default();
            *last = info.acknowledged.max(*last);
        }
    }

    fn take(&mut self, boot: BootId, worker: WorkerId, record: u64) -> Place {
        // Of an earlier run, nobody knows what was acknowledged.
        let last = self
            .last
            .entry((boot, worker))
            .or_insert_with(|| record.saturating_sub(1));
        if record <= *last {
            return Place::Again;
        }
        let missing = record - *last - 1;
        *last = record;
        match missing {
            0 => Place::Next,
            missing => Place::After { missing },
        }
    }
}

/// Says which evidence an event is made of, so that it is known when it comes again.
fn number(event: &mut Event, of: Acknowledge) {
    let facts = &mut event.facts;
    facts.insert("boot", of.boot.to_string().into());
    facts.insert("worker", u64::from(of.worker.0).into());
    facts.insert("record", of.record.into());
}

/// Evidence is missing before this.
fn gap(before: Acknowledge, missing: u64) -> Event {
    let mut event = crate::evidence::access::event(Action::AuditGap, Actor::SYSTEM);
    event.outcome = Outcome::Failed;
    event.reason = Some("dataplane_events_lost");
    event.facts.insert("missing", missing.into());
    number(&mut event, before);
    event
}

async fn sleep_until_some(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
