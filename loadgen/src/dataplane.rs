//! A data plane driven directly over its Unix socket, as a control plane would: for runs that look
//! at one worker alone.

use bedside_protocol::frame::{self, Decoder};
use bedside_protocol::{
    Acknowledge, BootId, Command, CommandFrame, DataplaneConfig, Event, EventFrame, FromControl,
    FromDataplane, Generation, Hello, PROTOCOL_VERSION, PeerId, Refusal, RoomId, Secret, TrackId,
    Welcome, WorkerId,
};
use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

/// The data plane cannot be driven, or no more.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(clippy::error_impl_error, reason = "read as dataplane::Error")]
pub enum Error {
    /// The socket failed.
    #[error("the data plane's socket failed while {doing}")]
    Socket {
        /// What was tried.
        doing: &'static str,
        /// Why not.
        source: std::io::Error,
    },
    /// It said no.
    #[error("the data plane refused the connection")]
    Refused(#[source] Refusal),
    /// What it sent cannot be read.
    #[error("the data plane sent something that cannot be read")]
    Frame(#[from] frame::Error),
    /// It did not answer as the protocol says.
    #[error("the data plane did not answer the greeting with a welcome")]
    NoWelcome,
    /// It closed the connection.
    #[error("the data plane closed the connection")]
    Closed,
    /// The room was not made here.
    #[error("there is no such room")]
    NoRoom,
    /// No identifiers could be drawn.
    #[error("the host gave no random number")]
    Random,
}

/// A data plane, with this process standing where its control plane stands. Rooms that it made are
/// removed when it is dropped.
#[derive(Debug)]
pub struct Dataplane {
    /// Written to by the thread that reads as well, which admits whoever connects.
    stream: Arc<Mutex<UnixStream>>,
    welcome: Welcome,
    generation: Generation,
    events: Receiver<Result<EventFrame, Error>>,
    reader: Option<JoinHandle<()>>,
    rooms: HashMap<RoomId, WorkerId>,
    /// The next identifier of any kind: none is used twice within a boot.
    next_id: u64,
    out: Vec<u8>,
}

/// Longest wait for the data plane to take or to say something. Starting workers takes up to ten
/// seconds.
const PATIENCE: Duration = Duration::from_secs(15);

/// Events that wait to be looked at. While they do, the data plane's wait in its own queue.
const EVENTS_WAITING_MAX: usize = 65_536;

impl Dataplane {
    /// Connects, greets and removes the rooms that another generator left behind.
    ///
    /// # Errors
    /// Nobody listens, or it does not want us: it may run with another configuration.
    pub fn connect(socket: &Path, config: DataplaneConfig) -> Result<Self, Error> {
        let failed = |doing| move |source| Error::Socket { doing, source };
        let mut stream = UnixStream::connect(socket).map_err(failed("connecting"))?;
        stream
            .set_read_timeout(Some(PATIENCE))
            .and_then(|()| stream.set_write_timeout(Some(PATIENCE)))
            .map_err(failed("connecting"))?;
        let generation = Generation(milliseconds_since_epoch());
        let mut spool_key = [0; 32];
        getrandom::fill(&mut spool_key).map_err(|_| Error::Random)?;
        let hello = FromControl::Hello(Hello {
            version: PROTOCOL_VERSION,
            generation,
            config,
            // Of no use to anyone afterwards: there is no log that its evidence would go to.
            spool_key: Secret::new(spool_key),
        });
        let mut out = Vec::new();
        frame::encode(&hello, &mut out)?;
        stream.write_all(&out).map_err(failed("greeting"))?;
        let mut decoder = Decoder::new();
        let welcome = match read(&mut stream, &mut decoder)? {
            Some(FromDataplane::Welcome(welcome)) => welcome,
            Some(FromDataplane::Refusal(refusal)) => return Err(Error::Refused(refusal)),
            _ => return Err(Error::NoWelcome),
        };
        // From now on it speaks when it has something to say.
        stream.set_read_timeout(None).map_err(failed("reading"))?;
        let reading = stream.try_clone().map_err(failed("reading"))?;
        let stream = Arc::new(Mutex::new(stream));
        let admitting = Arc::clone(&stream);
        let me = (generation, welcome.boot);
        let (sender, events) = sync_channel(EVENTS_WAITING_MAX);
        let reader = std::thread::Builder::new()
            .name("events".to_owned())
            .spawn(move || read_events(reading, &admitting, me, decoder, &sender))
            .map_err(failed("reading"))?;
        // 2^16 identifiers for each millisecond of a process that runs for less than 2^48.
        let first_id = getrandom::u64().map_err(|_| Error::Random)? >> 1;
        let mut dataplane = Self {
            stream,
            welcome,
            generation,
            events,
            reader: Some(reader),
            rooms: HashMap::new(),
            next_id: first_id,
            out,
        };
        for info in dataplane.welcome.workers.clone() {
            for room in info.rooms {
                dataplane.send(info.worker, room, Command::RemoveRoom)?;
            }
        }
        Ok(dataplane)
    }

    /// What it said of itself: certificate, workers, addresses.
    #[must_use]
    pub fn welcome(&self) -> &Welcome {
        &self.welcome
    }

    /// Makes a room on a worker.
    ///
    /// # Errors
    /// The connection failed.
    pub fn make_room(&mut self, worker: WorkerId) -> Result<RoomId, Error> {
        let room = RoomId(self.id());
        self.rooms.insert(room, worker);
        self.send(worker, room, Command::EnsureRoom)?;
        Ok(room)
    }

    /// The worker of the room made last but so many: rooms go round the workers.
    #[must_use]
    pub fn worker_for(&self, number: usize) -> WorkerId {
        let workers = &self.welcome.workers;
        workers
            .get(number % workers.len().max(1))
            .map_or(WorkerId(0), |info| info.worker)
    }

    /// Where the media of a room is received.
    #[must_use]
    pub fn address_of(&self, room: RoomId) -> Option<SocketAddr> {
        let worker = self.rooms.get(&room)?;
        let mut workers = self.welcome.workers.iter();
        let info = workers.find(|info| info.worker == *worker)?;
        info.addresses.first().copied()
    }

    /// An identifier that no peer had before.
    pub fn peer_id(&mut self) -> PeerId {
        PeerId(self.id())
    }

    /// An identifier that no track had before.
    pub fn track_id(&mut self) -> TrackId {
        TrackId(self.id())
    }

    fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// Says what should be in a room that was made here.
    ///
    /// # Errors
    /// The connection failed, or there is no such room.
    pub fn command(&mut self, room: RoomId, command: Command) -> Result<(), Error> {
        let worker = *self.rooms.get(&room).ok_or(Error::NoRoom)?;
        self.send(worker, room, command)
    }

    fn send(&mut self, worker: WorkerId, room: RoomId, command: Command) -> Result<(), Error> {
        let frame = FromControl::Command(CommandFrame {
            generation: self.generation,
            room,
            worker,
            command,
        });
        write(&self.stream, &frame, &mut self.out)
    }

    /// The next event, if one has come.
    ///
    /// # Errors
    /// The connection failed or was closed.
    pub fn try_event(&mut self) -> Result<Option<EventFrame>, Error> {
        match self.events.try_recv() {
            Ok(event) => event.map(Some),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(Error::Closed),
        }
    }

    /// The next event, waiting for it.
    ///
    /// # Errors
    /// The connection failed or was closed.
    pub fn wait_event(&mut self, patience: Duration) -> Result<Option<EventFrame>, Error> {
        match self.events.recv_timeout(patience) {
            Ok(event) => event.map(Some),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(Error::Closed),
        }
    }
}

impl Drop for Dataplane {
    fn drop(&mut self) {
        // What fails here is what has failed before.
        for (room, worker) in std::mem::take(&mut self.rooms) {
            drop(self.send(worker, room, Command::RemoveRoom));
        }
        let stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        drop(stream.shutdown(Shutdown::Both));
        drop(stream);
        // Unblocks a reader whose queue is full.
        self.events = sync_channel(0).1;
        if let Some(reader) = self.reader.take() {
            drop(reader.join());
        }
    }
}

/// Hands events on, and lets the media of whoever connects pass: there are no records to wait for.
fn read_events(
    mut reading: UnixStream,
    stream: &Mutex<UnixStream>,
    (generation, boot): (Generation, BootId),
    mut decoder: Decoder,
    sender: &SyncSender<Result<EventFrame, Error>>,
) {
    let mut out = Vec::new();
    loop {
        let mut event = match read(&mut reading, &mut decoder) {
            Ok(Some(FromDataplane::Event(event))) => Ok(event),
            Ok(Some(_)) => continue,
            Ok(None) => return,
            Err(error) => Err(error),
        };
        let answers = event.as_ref().map_or([None, None], |frame| {
            let worker = frame.worker;
            let admit = match frame.event {
                Event::PeerConnected { peer, .. } => Some(FromControl::Command(CommandFrame {
                    generation,
                    room: frame.room,
                    worker,
                    command: Command::AdmitPeer { peer },
                })),
                _ => None,
            };
            let acknowledge = frame.record.map(|record| {
                FromControl::Acknowledge(Acknowledge {
                    boot,
                    worker,
                    record,
                })
            });
            [admit, acknowledge]
        });
        for answer in answers.into_iter().flatten() {
            if let Err(error) = write(stream, &answer, &mut out) {
                event = Err(error);
            }
        }
        let is_last = event.is_err();
        if sender.send(event).is_err() || is_last {
            return;
        }
    }
}

fn write(stream: &Mutex<UnixStream>, frame: &FromControl, out: &mut Vec<u8>) -> Result<(), Error> {
    out.clear();
    frame::encode(frame, out)?;
    let mut stream = stream.lock().unwrap_or_else(PoisonError::into_inner);
    stream.write_all(out).map_err(|source| Error::Socket {
        doing: "commanding",
        source,
    })
}

/// The next frame; `None` when the connection was closed.
fn read(stream: &mut UnixStream, decoder: &mut Decoder) -> Result<Option<FromDataplane>, Error> {
    let mut buffer = [0; 16 << 10];
    loop {
        if let Some(frame) = decoder.next()? {
            return Ok(Some(frame));
        }
        match stream.read(&mut buffer) {
            Ok(0) => return Ok(None),
            Ok(bytes) => decoder.extend(&buffer[..bytes]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(source) => {
                return Err(Error::Socket {
                    doing: "reading",
                    source,
                });
            }
        }
    }
}

/// Generations must grow from one generator to the next, and there is nowhere to keep the last one.
#[expect(clippy::disallowed_methods, reason = "the generator is an edge")]
fn milliseconds_since_epoch() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| {
            u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
        })
}
