//! A server under a load: Bedside's data plane or the limit program, with the same participants
//! on the same generator.

use crate::{
    limit::{self, Plan},
    load::{Load, Member},
    server::{
        Engine, GENERATOR_PROCESSOR, LimitProgram, Process as Server, packets_received,
        socket_drops,
    },
};
use anyhow::{Context, Result, bail};
use bedside_loadgen::{
    dataplane::Dataplane,
    kernel::{Cost, Process},
    light::{
        Delivered, Fleet, FleetConfig, Joined, Keys, MasterKey, Profile, Publication, Reception,
        Sinks,
    },
    measure::{Board, Measurements},
    pacing::Clock,
    scenario::{RecordedKind, TrackSpec},
};
use bedside_protocol::{DataplaneConfig, MediaKind, Policy, RoomId, WorkerId};
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

/// Who forwards.
#[derive(Clone, Copy, Debug)]
pub enum Contender {
    /// A data plane with one worker; its engine is its own choice if none is given.
    Bedside(Option<Engine>),
    /// The floor.
    Limit,
}

impl Contender {
    /// Bedside as it starts by itself.
    pub const BEDSIDE: Self = Self::Bedside(None);
}

/// A contender that forwards for a fleet.
pub struct Running {
    // Before the server, so that nobody sends to one that has ended.
    fleet: Fleet,
    board: Arc<Board>,
    sinks: Sinks,
    process: Process,
    /// Where the server receives.
    address: SocketAddr,
    /// Packets of a message of the generator's, on average; none where messages differ.
    packets_per_message: Option<f64>,
    fan_out: u64,
    control: Option<Dataplane>,
    _server: Under,
}

/// Held, so that it ends with its load.
enum Under {
    Bedside(#[expect(dead_code, reason = "ends when dropped")] Server),
    Limit(#[expect(dead_code, reason = "ends when dropped")] LimitProgram),
}

/// What happened in a stretch of time.
#[derive(Debug)]
pub struct Window {
    /// What the server cost.
    pub cost: Cost,
    /// Packets that arrived at subscribers' sockets, dropped there or read.
    pub arrived: f64,
    /// Packets that came out of the server, by the kernel's count of everything that is received
    /// in this network namespace; none where others send too.
    pub left_server: Option<f64>,
    /// Packets that the server's socket had no room for.
    pub overflowed: u64,
    /// Messages that readers' sockets had no room for: the generator's fault, not the server's.
    pub unread: u64,
    /// What the generator saw.
    pub measurements: Measurements,
}

/// Participants who joined, and how long it took.
#[derive(Clone, Copy, Debug)]
pub struct Joins {
    /// How many.
    pub joined: usize,
    /// From the first wish to the last connected transport.
    pub elapsed: Duration,
}

impl Window {
    /// Nanoseconds of the server's time for each packet that arrived.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a few seconds in nanoseconds")]
    pub fn cost_ns(&self) -> f64 {
        self.cost.run_time_ns as f64 / self.arrived
    }

    /// Whether the kernel counted as many packets as the sequence numbers say arrived. If not, the
    /// server numbers packets that it does not send, or somebody else sends too: either way its
    /// cost is not known.
    #[must_use]
    pub fn is_confirmed(&self) -> bool {
        self.left_server
            .is_none_or(|left| (left / self.arrived - 1.0).abs() <= COUNTS_DIFFER_MAX)
    }

    /// Packets that never arrived. Where [`unread`](Self::unread) is not 0, some of them did.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.measurements.lost()
    }
}

impl Running {
    /// Starts a server and connects everybody to it.
    ///
    /// # Errors
    /// The server does not start, or somebody cannot connect.
    pub fn start(contender: Contender, load: &Load, sinks: Sinks) -> Result<Self> {
        let mut fleet = Fleet::new(FleetConfig {
            processor: Some(GENERATOR_PROCESSOR),
            sinks,
            seed: SEED,
        })?;
        let (server, address, control, pid) = match contender {
            Contender::Bedside(engine) => {
                let server = Server::dataplane(engine)?;
                let mut control = Dataplane::connect(server.socket(), config())?;
                join(&mut fleet, &mut control, load, HANDSHAKES_AT_ONCE)?;
                let workers = &control.welcome().workers;
                let worker = workers.first().context("a data plane has a worker")?;
                let address = *worker
                    .addresses
                    .first()
                    .context("a worker has an address")?;
                let pid = server.pid();
                (Under::Bedside(server), address, Some(control), pid)
            }
            Contender::Limit => {
                let mut server = LimitProgram::start()?;
                let plan = plan(&mut fleet, server.address(), load)?;
                server.begin(&plan)?;
                let (address, pid) = (server.address(), server.pid());
                (Under::Limit(server), address, None, pid)
            }
        };
        let mut running = Self {
            fleet,
            board: Arc::new(Board::new(Clock::now_ns())),
            sinks,
            process: Process::of(pid)?,
            address,
            packets_per_message: load.packets_per_message(),
            fan_out: load.fan_out(),
            control,
            _server: server,
        };
        // The first frame is a key frame, which subscriptions must not miss.
        running.fleet.settle(SETTLING)?;
        if running.fan_out > 0 {
            running.begin_media(contender)?;
        }
        Ok(running)
    }

    /// Sends until something arrives: a key frame may be lost to a server that is saturated on
    /// purpose, and is asked for again once a second.
    fn begin_media(&mut self, contender: Contender) -> Result<()> {
        for _ in 0..BEGINNINGS_MAX {
            self.fleet.run_for(SETTLING, &self.board)?;
            if self.fleet.delivered().packets > 0 {
                return Ok(());
            }
        }
        bail!("nothing arrives from {contender:?}")
    }

    /// Connects others too.
    ///
    /// # Errors
    /// The server is not Bedside, has ended, or refuses somebody.
    pub fn join(&mut self, load: &Load) -> Result<()> {
        let control = self.control.as_mut().context("only Bedside is joined")?;
        join(&mut self.fleet, control, load, HANDSHAKES_AT_ONCE)?;
        self.fleet.settle(SETTLING)?;
        Ok(())
    }

    /// Runs for `warm_up` and then measures for `span`.
    ///
    /// # Errors
    /// The server has ended, or the host refuses.
    pub fn measure(&mut self, warm_up: Duration, span: Duration) -> Result<Window> {
        self.fleet.run_for(warm_up, &self.board)?;
        self.board.reset(Clock::now_ns());
        let delivered = self.fleet.delivered();
        let overflowed = socket_drops(self.address)?;
        let received = packets_received()?;
        let before = self.process.sample()?;
        self.fleet.run_for(span, &self.board)?;
        let after = self.process.sample()?;
        let received = packets_received()? - received;
        let overflowed = socket_drops(self.address)? - overflowed;
        let measurements = self.board.snapshot();
        let now = self.fleet.delivered();
        let counted = now.packets - delivered.packets;
        if counted == 0 || measurements.forged > 0 {
            bail!("packets do not arrive or cannot be opened any more");
        }
        Ok(Window {
            cost: Cost::between(&before, &after),
            arrived: self.arrived(counted, overflowed, &measurements),
            #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
            left_server: Some(received.saturating_sub(measurements.packets_sent) as f64),
            overflowed,
            unread: self.unread(&delivered, &now),
            measurements,
        })
    }

    /// Packets that arrived. Sinks that drop count by sequence numbers, and a packet that the
    /// server's own socket had no room for leaves a gap in them: those are taken out again. The
    /// kernel counts them by messages, which the generator makes of one frame each.
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    fn arrived(&self, counted: u64, overflowed: u64, seen: &Measurements) -> f64 {
        let per_message = self.packets_per_message.unwrap_or(1.0);
        let sent = (seen.packets_sent.max(1)) as f64;
        let received = 1.0 - (overflowed as f64 * per_message / sent).min(1.0);
        counted as f64 * received
    }

    fn unread(&self, before: &Delivered, after: &Delivered) -> u64 {
        match self.sinks {
            Sinks::Read { .. } => after.dropped_in_kernel - before.dropped_in_kernel,
            // Dropped on purpose.
            Sinks::DropInKernel { .. } => 0,
        }
    }

    /// Memory that the server has in use.
    ///
    /// # Errors
    /// It has ended.
    pub fn resident_bytes(&self) -> Result<u64> {
        Ok(self.process.sample()?.rss_bytes)
    }

    /// Lets the fleet run while others join with everybody in `joining`, `at_once` handshakes at a
    /// time and as fast as they can.
    /// What is measured is what those in `watched` see, who read everything: the fleet itself
    /// loads the server and costs the generator next to nothing, so that the media's latency is
    /// not that of a generator which has its hands full.
    ///
    /// # Errors
    /// The server is not Bedside, has ended, or refuses somebody.
    pub fn join_while_forwarding(
        &mut self,
        watched: &Load,
        joining: &Load,
        at_once: usize,
    ) -> Result<(Window, Joins)> {
        let control = self.control.as_mut().context("only Bedside is joined")?;
        let mut watchers = Fleet::new(FleetConfig {
            processor: Some(GENERATOR_PROCESSOR),
            sinks: Sinks::Read { open_one_in: 1 },
            seed: SEED + 2,
        })?;
        join(&mut watchers, control, watched, HANDSHAKES_AT_ONCE)?;
        let seen = Arc::new(Board::new(Clock::now_ns()));
        watchers.run_for(SETTLING, &seen)?;
        let stop = bedside_loadgen::Stop::new();
        seen.reset(Clock::now_ns());
        let before = self.process.sample()?;
        let delivered = watchers.delivered();
        let joins = std::thread::scope(|scope| -> Result<Joins> {
            let fleets = [(&mut self.fleet, &self.board), (&mut watchers, &seen)];
            let media = fleets.map(|(fleet, board)| {
                let running = stop.clone();
                scope.spawn(move || -> Result<()> {
                    while !running.is_stopped() {
                        fleet.run_for(SLICE, board)?;
                    }
                    Ok(())
                })
            });
            let joins = scope.spawn(|| {
                // The generator has one processor: its handshakes give way to its media, or they
                // would show as the server's latency.
                rustix::process::setpriority_process(None, NICE_MAX)?;
                join_timed(control, joining, at_once)
            });
            let joins = joins.join().expect("the generator does not panic");
            stop.stop();
            for media in media {
                media.join().expect("the generator does not panic")?;
            }
            joins
        })?;
        let after = self.process.sample()?;
        let now = watchers.delivered();
        let window = Window {
            cost: Cost::between(&before, &after),
            #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
            arrived: (now.packets - delivered.packets) as f64,
            left_server: None,
            overflowed: 0,
            unread: now.dropped_in_kernel - delivered.dropped_in_kernel,
            measurements: seen.snapshot(),
        };
        Ok((window, joins))
    }
}

fn join_timed(control: &mut Dataplane, load: &Load, at_once: usize) -> Result<Joins> {
    let mut fleet = Fleet::new(FleetConfig {
        processor: Some(GENERATOR_PROCESSOR),
        sinks: Sinks::Read { open_one_in: 1 },
        seed: SEED + 1,
    })?;
    let began_ns = Clock::now_ns();
    let joined = join(&mut fleet, control, load, at_once)?;
    Ok(Joins {
        joined,
        elapsed: Duration::from_nanos(Clock::now_ns() - began_ns),
    })
}

/// Connects everybody to a data plane, rooms one after another, `at_once` handshakes at a time.
fn join(fleet: &mut Fleet, control: &mut Dataplane, load: &Load, at_once: usize) -> Result<usize> {
    let mut wanted: Vec<(RoomId, Vec<Publication>)> = Vec::new();
    let mut rooms = Vec::with_capacity(load.rooms.len());
    let mut ssrcs = Ssrcs(FIRST_SSRC);
    for members in &load.rooms {
        let room = control.make_room(WorkerId(0))?;
        rooms.push(room);
        for member in members {
            let publications = member
                .publishes
                .iter()
                .map(|track| publication(track, &mut ssrcs));
            wanted.push((room, publications.collect()));
        }
    }
    let joined = fleet.join_all(control, &wanted, at_once)?;
    let mut rest = &joined[..];
    for (members, room) in load.rooms.iter().zip(rooms) {
        let (here, others) = rest.split_at(members.len());
        rest = others;
        subscribe(fleet, control, room, members, here, &mut ssrcs)?;
    }
    Ok(joined.len())
}

/// Everybody who subscribes gets every track of everybody else.
fn subscribe(
    fleet: &mut Fleet,
    control: &mut Dataplane,
    room: RoomId,
    members: &[Member],
    joined: &[Joined],
    ssrcs: &mut Ssrcs,
) -> Result<()> {
    for (to, subscriber) in joined
        .iter()
        .enumerate()
        .filter(|(to, _)| members[*to].subscribes)
    {
        for (from, publisher) in joined.iter().enumerate().filter(|(from, _)| *from != to) {
            for (track, spec) in publisher.tracks.iter().zip(&members[from].publishes) {
                let reception = reception(spec, ssrcs);
                fleet.subscribe_to(control, room, subscriber, *track, reception)?;
            }
        }
    }
    Ok(())
}

/// Adds everybody to the fleet with keys of their own, and says the same to the limit program.
fn plan(fleet: &mut Fleet, server: SocketAddr, load: &Load) -> Result<Plan> {
    let mut plan = Plan::default();
    let mut ssrcs = Ssrcs(FIRST_SSRC);
    for members in &load.rooms {
        let first = plan.participants.len();
        let publications: Vec<Vec<Publication>> = members
            .iter()
            .map(|member| {
                let tracks = member.publishes.iter();
                tracks.map(|track| publication(track, &mut ssrcs)).collect()
            })
            .collect();
        let mut receptions: Vec<Vec<Reception>> = vec![Vec::new(); members.len()];
        for (from, publications) in publications.iter().enumerate() {
            for publication in publications {
                let mut to = Vec::new();
                for (place, member) in members.iter().enumerate() {
                    if place == from || !member.subscribes {
                        continue;
                    }
                    let reception = reception(&publication.track, &mut ssrcs);
                    receptions[place].push(reception);
                    to.push(limit::Subscription {
                        participant: first + place,
                        ssrc: reception.ssrc,
                        sequence_offset: 0,
                    });
                }
                plan.streams.push(limit::Stream {
                    from: first + from,
                    ssrc: publication.ssrc,
                    to,
                });
            }
        }
        for (publications, receptions) in publications.into_iter().zip(receptions) {
            let keys = keys(plan.participants.len())?;
            let (sends_under, receives_under) = (limit_key(&keys.send), limit_key(&keys.receive));
            let id = fleet.add_pair(server, keys, publications, receptions)?;
            let address = fleet
                .local_address(id)
                .context("a participant has a socket")?;
            plan.participants.push(limit::Participant {
                address,
                sends_under,
                receives_under,
            });
        }
    }
    Ok(plan)
}

/// The profile that our handshakes lead to, with keys that differ and need not be secret.
fn keys(participant: usize) -> Result<Keys> {
    let profile = Profile::AeadAes256Gcm;
    let master = |direction: u8| {
        let mut key = [direction; 32];
        key[..8].copy_from_slice(&participant.to_be_bytes());
        MasterKey::new(profile, &key, &[direction; 12])
    };
    Ok(Keys {
        profile,
        send: master(1)?,
        receive: master(2)?,
    })
}

fn limit_key(master: &MasterKey) -> limit::Key {
    limit::Key {
        key: master.key().to_vec(),
        salt: master.salt().to_vec(),
    }
}

fn publication(track: &TrackSpec, ssrcs: &mut Ssrcs) -> Publication {
    Publication {
        track: track.clone(),
        ssrc: ssrcs.next(),
        payload_type: if kind(track) == MediaKind::Audio {
            111
        } else {
            96
        },
    }
}

fn reception(track: &TrackSpec, ssrcs: &mut Ssrcs) -> Reception {
    let kind = kind(track);
    Reception {
        ssrc: ssrcs.next(),
        kind,
        clock_hz: if kind == MediaKind::Audio {
            48_000
        } else {
            90_000
        },
    }
}

fn kind(track: &TrackSpec) -> MediaKind {
    match track {
        TrackSpec::Audio(_) => MediaKind::Audio,
        TrackSpec::Recorded(recorded) if recorded.kind == RecordedKind::Audio => MediaKind::Audio,
        _ => MediaKind::Video,
    }
}

/// SSRCs that nobody else has, with room for the layers of a track.
struct Ssrcs(u32);

impl Ssrcs {
    fn next(&mut self) -> u32 {
        self.0 += 16;
        self.0
    }
}

fn config() -> DataplaneConfig {
    DataplaneConfig {
        workers: 1,
        listen: vec![IpAddr::V4(Ipv4Addr::LOCALHOST)],
        port: 0,
        pin: true,
        policy: Policy::default(),
    }
}

/// The kernel also counts RTCP and checks of connectivity.
const COUNTS_DIFFER_MAX: f64 = 0.03;
const SEED: u64 = 0xBED5;
const FIRST_SSRC: u32 = 0x1000_0000;
const BEGINNINGS_MAX: usize = 30;
/// Commands take effect, and what handshakes left behind is given back.
const SETTLING: Duration = Duration::from_millis(500);
const HANDSHAKES_AT_ONCE: usize = 32;
/// The lowest priority (setpriority(2); Linux keeps one for each thread).
const NICE_MAX: i32 = 19;
/// How soon a fleet notices that it is to stop.
const SLICE: Duration = Duration::from_millis(20);
