//! One worker: a pinned thread that joins a ring to a core.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bedside_core::{Core, CoreConfig, Datagram, PacketSink, Path};
use bedside_protocol::{CommandFrame, WorkerId};
use bedside_ring::{Config, Outgoing, Ring, RingError, SocketBuffers, Waker};
use tokio::sync::{mpsc, oneshot};

use crate::error::WorkerError;
use crate::lanes::Lanes;
use crate::limits::{
    COMMANDS_PER_WAKEUP_MAX, RELAYED_PER_WAKEUP_MAX, SOCKET_BUFFER_BYTES, TIMER_GRAIN,
};
use crate::spool::Spool;

/// What the main thread tells a worker.
#[derive(Debug)]
pub(crate) enum Order {
    /// To be carried out by the core.
    Command(Box<CommandFrame>),
    /// Close every transport and end.
    Stop,
}

/// What a worker's thread is started with.
pub(crate) struct Setup {
    pub(crate) worker: WorkerId,
    pub(crate) ring: Config,
    /// The core's configuration but for the addresses, which the ring finds out.
    pub(crate) core: CoreConfig,
    /// The processor to run on, if pinned.
    pub(crate) processor: Option<usize>,
    pub(crate) orders: mpsc::Receiver<Order>,
    pub(crate) lanes: Lanes,
    pub(crate) spool: Arc<Spool>,
    /// Told when the thread ends, whatever the reason.
    pub(crate) ended: mpsc::UnboundedSender<WorkerId>,
}

/// What a worker says when it runs.
pub(crate) struct Running {
    pub(crate) addresses: Vec<std::net::SocketAddr>,
    pub(crate) waker: Waker,
}

/// Starts a worker's thread. The receiver gets the outcome once the worker runs or could not.
///
/// # Errors
/// [`WorkerError::Thread`].
#[expect(clippy::type_complexity, reason = "a handle and its answer")]
pub(crate) fn start(
    setup: Setup,
) -> Result<
    (
        JoinHandle<()>,
        oneshot::Receiver<Result<Running, WorkerError>>,
    ),
    WorkerError,
> {
    let (answer, outcome) = oneshot::channel();
    let worker = setup.worker;
    let thread = std::thread::Builder::new()
        .name(worker.to_string())
        .spawn(move || run(setup, answer))
        .map_err(|source| WorkerError::Thread {
            worker,
            what: "start",
            source,
        })?;
    Ok((thread, outcome))
}

fn run(setup: Setup, answer: oneshot::Sender<Result<Running, WorkerError>>) {
    let ended = Ended {
        worker: setup.worker,
        tell: Some(setup.ended.clone()),
    };
    let (answer, worker) = match Worker::new(setup) {
        Ok((worker, running)) => (answer.send(Ok(running)), Some(worker)),
        Err(error) => (answer.send(Err(error)), None),
    };
    match worker {
        // Nobody listens any more when the process has given up on the workers.
        Some(worker) if answer.is_ok() => worker.run(),
        // The answer said it all: a worker that never ran does not end.
        _ => ended.forget(),
    }
}

/// Tells that a worker has ended, also when it panicked.
struct Ended {
    worker: WorkerId,
    tell: Option<mpsc::UnboundedSender<WorkerId>>,
}

impl Ended {
    fn forget(mut self) {
        self.tell = None;
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        if let Some(tell) = &self.tell {
            // The main thread may have stopped listening; then it does not need to know.
            tell.send(self.worker).unwrap_or_default();
        }
    }
}

struct Worker {
    id: WorkerId,
    ring: Ring,
    core: Core,
    clock: bedside_core::Clock,
    orders: mpsc::Receiver<Order>,
    /// To and from the other workers.
    lanes: Lanes,
    spool: Arc<Spool>,
    /// Memory for the batch's datagrams, empty between wake-ups.
    datagrams: Vec<Datagram<'static>>,
    stopping: bool,
}

impl Worker {
    fn new(setup: Setup) -> Result<(Self, Running), WorkerError> {
        let Setup {
            worker,
            ring,
            core,
            processor,
            orders,
            lanes,
            spool,
            ended: _,
        } = setup;
        if let Some(processor) = processor {
            pin(processor).map_err(|source| WorkerError::Thread {
                worker,
                what: "pin",
                source,
            })?;
        }
        let ring = Ring::new(&ring).map_err(|source| WorkerError::Ring { worker, source })?;
        warn_of_small_buffers(worker, &ring);
        let addresses = ring.local_addresses().to_vec();
        let running = Running {
            addresses: addresses.clone(),
            waker: ring.waker(),
        };
        let clock = core.clock;
        let core = Core::new(CoreConfig { addresses, ..core });
        let (id, datagrams, stopping) = (worker, Vec::new(), false);
        Ok((
            Self {
                id,
                ring,
                core,
                clock,
                orders,
                lanes,
                spool,
                datagrams,
                stopping,
            },
            running,
        ))
    }

    fn run(mut self) {
        let result = self.work();
        if let Err(error) = result {
            tracing::error!(worker = self.id.0, blame = ?error.blame(), "the ring failed: {error}");
        }
        let (core, ring) = (self.core.statistics(), self.ring.statistics());
        tracing::info!(
            worker = self.id.0,
            ?core,
            ?ring,
            drops = self.ring.kernel_drops(),
            "ended"
        );
    }

    fn work(&mut self) -> Result<(), RingError> {
        let mut now = read_clock();
        while !self.stopping {
            let wakeup = self
                .ring
                .wait(self.core.poll_timeout().map(|due| time_until(due, now)))?;
            now = read_clock();
            if wakeup.datagrams > 0 {
                self.take_batch(now);
            }
            if wakeup.woken {
                self.take_orders(now);
                self.take_relayed(now);
            }
            if self.core.poll_timeout().is_some_and(|due| due <= now) {
                self.core
                    .handle_timeout(now, &mut Sink(self.ring.outgoing()));
            }
            self.pass_events(now);
            self.lanes.pass(&mut self.core);
        }
        // Sends what the transports' ends were written as.
        self.ring.wait(Some(Duration::ZERO))?;
        Ok(())
    }

    fn take_batch(&mut self, now: Instant) {
        let (batch, outgoing) = self.ring.split();
        let mut datagrams = emptied(std::mem::take(&mut self.datagrams));
        datagrams.extend(batch.map(|datagram| Datagram {
            path: Path {
                local: datagram.local,
                remote: datagram.source,
            },
            payload: datagram.payload,
        }));
        self.core
            .handle_batch(now, &mut datagrams, &mut Sink(outgoing));
        self.datagrams = emptied(datagrams);
    }

    fn take_orders(&mut self, now: Instant) {
        for _ in 0..COMMANDS_PER_WAKEUP_MAX {
            let mut sink = Sink(self.ring.outgoing());
            match self.orders.try_recv() {
                Ok(Order::Command(frame)) => self.core.handle_command(now, *frame, &mut sink),
                Err(mpsc::error::TryRecvError::Empty) => return,
                Ok(Order::Stop) | Err(mpsc::error::TryRecvError::Disconnected) => {
                    self.core.shutdown(now, &mut sink);
                    self.stopping = true;
                    return;
                }
            }
        }
        // There may be more: look at the network in between.
        self.ring.waker().wake();
    }

    fn take_relayed(&mut self, now: Instant) {
        let (core, ring) = (&mut self.core, &mut self.ring);
        let more = self.lanes.receive(RELAYED_PER_WAKEUP_MAX, |from, batch| {
            core.handle_relayed(now, from, batch, &mut Sink(ring.outgoing()));
        });
        if more {
            // Look at the network in between.
            ring.waker().wake();
        }
    }

    fn pass_events(&mut self, now: Instant) {
        while let Some((room, event)) = self.core.poll_event() {
            self.spool.push(self.clock.unix_us_at(now), room, event);
        }
    }
}

/// The core's way to the ring's packet memory.
struct Sink<'a>(Outgoing<'a>);

impl PacketSink for Sink<'_> {
    fn reserve(&mut self, path: Path, bytes_max: usize) -> Option<&mut [u8]> {
        self.0.reserve(path.local, path.remote, bytes_max)
    }

    fn commit(&mut self, bytes: usize) {
        self.0.commit(bytes);
    }
}

/// The same memory without its contents, for datagrams that live as long as the next batch: a
/// vector's items may only be changed to another type (here: lifetime) by collecting anew, which
/// the standard library does in place for items of one layout.
fn emptied<'a>(mut datagrams: Vec<Datagram<'_>>) -> Vec<Datagram<'a>> {
    datagrams.clear();
    datagrams
        .into_iter()
        .map(|_| unreachable!("it was cleared"))
        .collect()
}

/// How long to wait for a timer: not at all for one that is due, and never very shortly.
fn time_until(due: Instant, now: Instant) -> Duration {
    match due.saturating_duration_since(now) {
        Duration::ZERO => Duration::ZERO,
        time => time.max(TIMER_GRAIN),
    }
}

/// A process without CAP_NET_ADMIN gets no more than the host's limits allow.
fn warn_of_small_buffers(worker: WorkerId, ring: &Ring) {
    let granted = |pick: fn(SocketBuffers) -> usize| ring.socket_buffers().map(pick).min();
    // The kernel reports twice what it was asked for (socket(7)).
    let wanted = Some(2 * SOCKET_BUFFER_BYTES);
    for (limit, granted) in [
        (
            "net.core.rmem_max",
            granted(|buffers| buffers.receive_bytes),
        ),
        ("net.core.wmem_max", granted(|buffers| buffers.send_bytes)),
    ] {
        if granted < wanted {
            tracing::warn!(
                worker = worker.0,
                granted,
                wanted,
                "small socket buffers lose bursts; type: sysctl -w {limit}={SOCKET_BUFFER_BYTES}"
            );
        }
    }
}

fn pin(processor: usize) -> std::io::Result<()> {
    let mut processors = rustix::thread::CpuSet::new();
    processors.set(processor);
    rustix::thread::sched_setaffinity(None, &processors)?;
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place where a worker reads the clock"
)]
fn read_clock() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests;
