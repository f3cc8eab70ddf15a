//! The workers together: started by the first configuration, spoken to one by one.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;

use bedside_core::{Certificate, Clock, CoreConfig};
use bedside_protocol::limits::COMMANDS_WAITING_MAX;
use bedside_protocol::{
    Acknowledge, Command, CommandFrame, DataplaneConfig, EventFrame, Generation, RoomId, WorkerId,
    WorkerInfo,
};
use bedside_ring::{Engine, Waker};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::timeout;

use crate::error::WorkerError;
use crate::lanes::Lanes;
use crate::limits::{
    RECEIVE_BUFFERS, SEND_SLABS, SOCKET_BUFFER_BYTES, WORKERS_MAX, WORKERS_READY_MAX,
};
use crate::random;
use crate::spool::Spool;
use crate::spool_file::{SpoolFiles, Unwritten};
use crate::worker::{self, Order, Running, Setup};

/// All workers of the process.
pub(crate) struct Fleet {
    /// The configuration that they run with.
    pub(crate) config: DataplaneConfig,
    engine: Engine,
    members: Vec<Member>,
    router: RefCell<Router>,
    /// Told when an event waits in any spool.
    pub(crate) news: Arc<Notify>,
    /// Evidence on disk.
    pub(crate) files: RefCell<SpoolFiles>,
    /// Told when evidence was acknowledged, and when a control plane is gone.
    pub(crate) changed: Notify,
}

struct Member {
    addresses: Vec<SocketAddr>,
    orders: mpsc::Sender<Order>,
    waker: Waker,
    spool: Arc<Spool>,
    thread: JoinHandle<()>,
}

/// Who is listened to, and what there is.
#[derive(Debug)]
struct Router {
    /// The parts of rooms that workers hold.
    parts: BTreeSet<(WorkerId, RoomId)>,
    newest: Generation,
    stale: u64,
}

impl Fleet {
    /// Starts the workers that `config` asks for. Each tells `ended` when it ends.
    ///
    /// # Errors
    /// What the configuration or the host does not allow. Workers that had started have then ended
    /// again.
    pub(crate) async fn start(
        config: DataplaneConfig,
        files: SpoolFiles,
        engine: Engine,
        certificate: &Certificate,
        clock: Clock,
        ended: &mpsc::UnboundedSender<WorkerId>,
    ) -> Result<Self, WorkerError> {
        let processors = processors();
        let count = check(&config, processors.len())?;
        let mut fleet = Self {
            config,
            engine,
            members: Vec::with_capacity(usize::from(count)),
            router: RefCell::new(Router::new()),
            news: Arc::new(Notify::new()),
            files: RefCell::new(files),
            changed: Notify::new(),
        };
        let wakers = Arc::new(OnceLock::new());
        let mut lanes = Lanes::mesh(count, &wakers).into_iter();
        for index in 0..count {
            let processor = processors[usize::from(index) % processors.len()];
            let lanes = lanes.next().expect("one a worker");
            let worker = WorkerId(index);
            let started = fleet.start_member(worker, lanes, processor, certificate, clock, ended);
            match started.await {
                Ok(member) => fleet.members.push(member),
                Err(error) => {
                    fleet.abandon().await;
                    return Err(error);
                }
            }
        }
        // No command has been handed out yet, so that none of them has anything for another.
        let members = fleet.members.iter();
        wakers.get_or_init(|| members.map(|member| member.waker.clone()).collect());
        tracing::info!(
            workers = count,
            pinned = fleet.config.pin,
            %engine,
            "the workers run"
        );
        Ok(fleet)
    }

    async fn start_member(
        &self,
        worker: WorkerId,
        lanes: Lanes,
        processor: usize,
        certificate: &Certificate,
        clock: Clock,
        ended: &mpsc::UnboundedSender<WorkerId>,
    ) -> Result<Member, WorkerError> {
        let (orders, orders_rx) = mpsc::channel(COMMANDS_WAITING_MAX);
        let spool = Arc::new(Spool::new(worker, Arc::clone(&self.news)));
        let setup = Setup {
            worker,
            ring: ring_config(&self.config, self.engine, worker.0),
            core: CoreConfig {
                worker,
                addresses: Vec::new(),
                policy: self.config.policy,
                certificate: certificate.clone(),
                seed: random::bytes()?,
                clock,
            },
            processor: self.config.pin.then_some(processor),
            orders: orders_rx,
            lanes,
            spool: Arc::clone(&spool),
            ended: ended.clone(),
        };
        let (thread, outcome) = worker::start(setup)?;
        let Running { addresses, waker } = running(worker, outcome).await?;
        Ok(Member {
            addresses,
            orders,
            waker,
            spool,
            thread,
        })
    }

    /// The workers as a control plane needs to know them.
    pub(crate) fn describe(&self) -> Vec<WorkerInfo> {
        let router = self.router.borrow();
        let describe = |member: &Member| {
            let worker = member.spool.worker();
            let parts = router.parts.iter();
            let rooms = parts
                .filter_map(|(holder, room)| (*holder == worker).then_some(*room))
                .collect();
            WorkerInfo {
                worker,
                addresses: member.addresses.clone(),
                rooms,
                sequence: member.spool.last_delivered(),
                acknowledged: member.spool.last_acknowledged(),
            }
        };
        self.members.iter().map(describe).collect()
    }

    /// Which workers there are.
    pub(crate) fn workers(&self) -> impl Iterator<Item = WorkerId> {
        self.spools().map(Spool::worker)
    }

    /// The spools of all workers.
    pub(crate) fn spools(&self) -> impl Iterator<Item = &Spool> {
        self.members.iter().map(|member| &*member.spool)
    }

    /// Puts evidence that nobody takes into this boot's file. What the disk does not take stays in
    /// memory.
    pub(crate) fn write_evidence(&self) {
        for spool in self.spools() {
            let mut frames = Vec::new();
            spool.take_evidence(&mut frames);
            self.write(spool, frames);
        }
    }

    /// Puts evidence that was sent long ago into this boot's file.
    pub(crate) fn write_surplus(&self, spool: &Spool) {
        let mut frames = Vec::new();
        spool.take_surplus(&mut frames);
        self.write(spool, frames);
    }

    fn write(&self, spool: &Spool, frames: Vec<EventFrame>) {
        let worker = spool.worker().0;
        match self.files.borrow_mut().append(&frames) {
            Ok(()) => {}
            Err(Unwritten::Full) => {
                tracing::error!(
                    worker,
                    lost = frames.len(),
                    "evidence is lost: its file is full"
                );
            }
            Err(Unwritten::Io(error)) => {
                let kind = error.kind();
                tracing::error!(
                    worker,
                    ?kind,
                    "evidence waits in memory: it cannot be written"
                );
                spool.keep(frames.into_iter());
            }
        }
    }

    /// The records of evidence are durable.
    pub(crate) fn acknowledge(&self, acknowledged: Acknowledge) {
        let Acknowledge {
            boot,
            worker,
            record,
        } = acknowledged;
        let mut files = self.files.borrow_mut();
        if boot == files.boot()
            && let Some(member) = self.members.get(usize::from(worker.0))
        {
            member.spool.acknowledge(record);
        }
        files.acknowledge(boot, worker, record);
        drop(files);
        self.changed.notify_waiters();
    }

    /// Whether all evidence of this boot is acknowledged.
    pub(crate) fn is_acknowledged(&self) -> bool {
        self.spools().all(Spool::is_acknowledged)
    }

    /// The newest generation that said hello.
    pub(crate) fn newest(&self) -> Generation {
        self.router.borrow().newest
    }

    /// A control plane of this generation is in charge from now on.
    pub(crate) fn adopt(&self, generation: Generation) {
        self.router.borrow_mut().newest = generation;
    }

    /// Hands a command to its worker, waiting while that one is behind.
    pub(crate) async fn command(&self, frame: CommandFrame) {
        let count = u16::try_from(self.members.len()).expect("at most WORKERS_MAX");
        let Some(index) = self.router.borrow_mut().route(&frame, count) else {
            return;
        };
        self.order(
            &self.members[usize::from(index)],
            Order::Command(Box::new(frame)),
        )
        .await;
    }

    /// Tells every worker to end: peers are told, then the threads end and say so.
    pub(crate) async fn order_stop(&self) {
        for member in &self.members {
            self.order(member, Order::Stop).await;
        }
    }

    /// Ends the workers that run because another could not be started; they hold nothing yet.
    async fn abandon(self) {
        self.order_stop().await;
        for member in self.members {
            // A panic has been reported by the hook.
            drop(member.thread.join());
        }
    }

    async fn order(&self, member: &Member, order: Order) {
        // A worker that has ended is seen through `ended`, and takes the process with it.
        if member.orders.send(order).await.is_ok() {
            member.waker.wake();
        }
    }
}

impl Router {
    fn new() -> Self {
        Self {
            parts: BTreeSet::new(),
            newest: Generation(0),
            stale: 0,
        }
    }

    /// The worker's index; `None` for a command of a control plane that has been replaced.
    fn route(&mut self, frame: &CommandFrame, count: u16) -> Option<u16> {
        if frame.generation < self.newest {
            self.stale += 1;
            tracing::debug!(
                count = self.stale,
                "ignored a command of an older generation"
            );
            return None;
        }
        let CommandFrame { worker, room, .. } = *frame;
        if worker.0 >= count {
            return Some(NOBODYS);
        }
        match &frame.command {
            Command::EnsureRoom => {
                self.parts.insert((worker, room));
            }
            Command::RemoveRoom => {
                self.parts.remove(&(worker, room));
            }
            _ => {}
        }
        Some(worker.0)
    }
}

/// Who answers for workers that there are not: its core refuses what is for another one.
const NOBODYS: u16 = 0;

async fn running(
    worker: WorkerId,
    outcome: oneshot::Receiver<Result<Running, WorkerError>>,
) -> Result<Running, WorkerError> {
    let outcome = timeout(WORKERS_READY_MAX, outcome).await;
    let outcome = outcome.map_err(|_| WorkerError::WorkersLate { what: "start" })?;
    outcome.map_err(|_| WorkerError::WorkerEnded { worker })?
}

fn ring_config(config: &DataplaneConfig, engine: Engine, index: u16) -> bedside_ring::Config {
    // 0 stays 0: any free port.
    let port = if config.port == 0 {
        0
    } else {
        config.port + index
    };
    let addresses = config
        .listen
        .iter()
        .map(|ip| SocketAddr::new(*ip, port))
        .collect();
    bedside_ring::Config {
        receive_buffers: RECEIVE_BUFFERS,
        send_slabs: SEND_SLABS,
        socket_buffer_bytes: SOCKET_BUFFER_BYTES,
        engine,
        ..bedside_ring::Config::new(addresses)
    }
}

/// How many workers `config` asks for.
fn check(config: &DataplaneConfig, processor_count: usize) -> Result<u16, WorkerError> {
    let fail = |what: String| Err(WorkerError::Configuration { what });
    let count = match config.workers {
        0 => u16::try_from(processor_count)
            .unwrap_or(WORKERS_MAX)
            .min(WORKERS_MAX),
        count if count > WORKERS_MAX => {
            return fail(format!(
                "{count} workers; at most {WORKERS_MAX} are possible"
            ));
        }
        count => count,
    };
    if config.listen.is_empty() {
        return fail("no address to listen on for media; name at least one".to_owned());
    }
    if config.port != 0 && config.port.checked_add(count - 1).is_none() {
        return fail(format!(
            "{count} workers need ports from {} on, and there is none above 65535",
            config.port
        ));
    }
    Ok(count)
}

/// The first setting in which two configurations differ.
pub(crate) fn difference(
    running: &DataplaneConfig,
    wanted: &DataplaneConfig,
) -> Option<&'static str> {
    let DataplaneConfig {
        workers,
        listen,
        port,
        pin,
        policy,
    } = running;
    let settings = [
        ("workers", *workers == wanted.workers),
        ("listen", *listen == wanted.listen),
        ("port", *port == wanted.port),
        ("pin", *pin == wanted.pin),
        ("policy", *policy == wanted.policy),
    ];
    settings
        .into_iter()
        .find_map(|(name, equal)| (!equal).then_some(name))
}

/// The processors that this process may run on; never none.
fn processors() -> Vec<usize> {
    let allowed = rustix::thread::sched_getaffinity(None).ok();
    let allowed: Vec<usize> = allowed
        .into_iter()
        .flat_map(|set| {
            (0..rustix::thread::CpuSet::MAX_CPU).filter(move |index| set.is_set(*index))
        })
        .collect();
    if allowed.is_empty() { vec![0] } else { allowed }
}

#[cfg(test)]
mod tests;
