//! One thread of the generator: a runtime, a recorder, and the participants of its share.

use super::alarm::Alarm;
use super::call::attend;
use super::entrance::Entrance;
use super::guest::Guest;
use super::socket::{Inbox, Outbox};
use super::{Error, Failure, limits};
use crate::Stop;
use crate::measure::{Board, Recorder};
use crate::pacing::Clock;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use str0m::RtcConfig;
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinSet, LocalSet, spawn_local};
use tokio::time::sleep;

/// What all threads of a run share.
pub(super) struct Shared {
    pub(super) entrance: Entrance,
    board: Arc<Board>,
    stop: Stop,
    start_ns: u64,
    /// Failures that were told.
    told: AtomicU64,
}

/// What all participants of a thread share.
pub(super) struct Thread {
    pub(super) shared: Arc<Shared>,
    pub(super) clock: Clock,
    pub(super) alarm: Alarm,
    pub(super) recorder: RefCell<Recorder>,
    pub(super) inbox: RefCell<Inbox>,
    pub(super) outbox: RefCell<Outbox>,
    /// Who joins just now.
    pub(super) joining: Arc<Semaphore>,
    pub(super) config: RtcConfig,
    pub(super) over: watch::Receiver<bool>,
}

impl Shared {
    pub(super) fn new(
        entrance: Entrance,
        board: &Arc<Board>,
        stop: &Stop,
        start_ns: u64,
    ) -> Arc<Self> {
        Arc::new(Self {
            entrance,
            board: Arc::clone(board),
            stop: stop.clone(),
            start_ns,
            told: AtomicU64::new(0),
        })
    }
}

impl Thread {
    /// When something is due that the scenario gives as time from the start.
    pub(super) fn at_ns(&self, from_start: Duration) -> u64 {
        let from_start_ns = u64::try_from(from_start.as_nanos()).unwrap_or(u64::MAX);
        self.shared.start_ns.saturating_add(from_start_ns)
    }

    /// Counts a failure, and tells the first ones of the run.
    pub(super) fn failed(&self, failure: &Failure) {
        self.recorder.borrow_mut().failed(failure.label());
        if self.shared.told.fetch_add(1, Ordering::Relaxed) < limits::FAILURES_TOLD_MAX {
            tracing::warn!(kind = failure.label(), "a participant failed: {failure}");
        }
    }
}

/// Runs a share of the participants until the run is over and they have left.
pub(super) fn work(shared: Arc<Shared>, guests: Vec<Guest>) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    LocalSet::new().block_on(&runtime, play(shared, guests))
}

async fn play(shared: Arc<Shared>, guests: Vec<Guest>) -> Result<(), Error> {
    let (over, is_over) = watch::channel(false);
    let thread = Rc::new(Thread {
        clock: Clock::new(),
        alarm: Alarm::new()?,
        recorder: RefCell::new(Recorder::new()),
        inbox: RefCell::new(Inbox::new()),
        outbox: RefCell::new(Outbox::new()),
        joining: Arc::new(Semaphore::new(limits::JOINING_MAX)),
        config: transport(),
        over: is_over,
        shared: Arc::clone(&shared),
    });
    let mut calls = JoinSet::new();
    for guest in guests {
        calls.spawn_local(attend(Rc::clone(&thread), guest));
    }
    let alarm = thread.alarm.clone();
    let mut alarm = spawn_local(async move { alarm.run().await });
    loop {
        tokio::select! {
            call = calls.join_next() => match call {
                Some(Ok(())) => {}
                Some(Err(_)) => return Err(Error::Thread),
                None => break,
            },
            error = &mut alarm => {
                return Err(error.map_or(Error::Thread, Error::Host));
            }
            () = sleep(limits::LOOK) => {
                over.send_replace(shared.stop.is_stopped());
                let mut recorder = thread.recorder.borrow_mut();
                recorder.report_to(&shared.board, Clock::now_ns());
            }
        }
    }
    alarm.abort();
    let mut recorder = thread.recorder.borrow_mut();
    recorder.report_now(&shared.board, Clock::now_ns());
    Ok(())
}

/// What every participant's transport is like.
fn transport() -> RtcConfig {
    let provider = Arc::new(str0m_aws_lc_rs::default_provider());
    let mut config = RtcConfig::new()
        .set_crypto_provider(provider)
        .set_rtp_mode(true)
        .clear_codecs()
        .enable_opus(true, false)
        .enable_vp8(true);
    config.set_initial_stun_rto(limits::CHECK_INTERVAL);
    config
}
