//! The control plane's end of the Unix socket: connects, says hello, carries commands one way
//! and events the other, and starts again whenever the connection is gone.

mod outbox;

pub(crate) use outbox::Outbox;

use crate::app::Stopped;
use crate::evidence;
use crate::limits::{DATAPLANE_BYTES_WAITING_MAX, DATAPLANE_RETRY, DATAPLANE_WELCOME_TIMEOUT};
use crate::rooms::RoomsHandle;
use bedside_audit::{Action, Actor, Event, Outcome, Purpose};
use bedside_ledger::Ledger;
use bedside_protocol::frame::{self, Decoder};
use bedside_protocol::{
    BootId, DataplaneConfig, FromControl, FromDataplane, Generation, Hello, PROTOCOL_VERSION,
    Refusal, Secret, SpoolDamage, Spooled, Welcome,
};
use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

/// Whether there is a data plane, for `/healthz` and `bedside status`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum DataplaneStatus {
    /// None; with what the last attempt came to, in words for the operator.
    Disconnected(String),
    /// Connected.
    Connected {
        /// Its run.
        boot: BootId,
        /// Its process, where the kernel says.
        pid: Option<u32>,
        /// Its I/O engine.
        engine: String,
        /// Where its workers receive media, one list each.
        workers: Vec<Vec<SocketAddr>>,
    },
}

/// What the connection needs to know.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) socket: PathBuf,
    pub(crate) generation: Generation,
    pub(crate) config: DataplaneConfig,
    pub(crate) spool_key: Secret<[u8; 32]>,
    /// Told to clients in place of the addresses that the data plane names.
    pub(crate) public_addresses: Vec<IpAddr>,
    pub(crate) rooms: RoomsHandle,
    pub(crate) ledger: Ledger,
    pub(crate) status: watch::Sender<DataplaneStatus>,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("cannot connect to {socket}: {cause}; is bedside-dataplane running?")]
    Connect { socket: PathBuf, cause: io::Error },
    #[error("the data plane closed the connection")]
    Closed,
    #[error("the connection to the data plane broke: {0}")]
    Broken(#[from] io::Error),
    #[error("the data plane did not answer the hello within {} s", DATAPLANE_WELCOME_TIMEOUT.as_secs())]
    Silent,
    #[error("{0}")]
    Refused(#[from] Refusal),
    #[error("what the data plane sent cannot be read: {0}; are both from the same release?")]
    Frame(#[from] frame::Error),
    #[error("the data plane sent a frame that does not belong here")]
    OutOfPlace,
    #[error("the data plane takes commands too slowly; everything wanted is sent anew")]
    Overflow,
    #[error("the server is stopping")]
    Stopping,
}

impl From<Stopped> for Failure {
    fn from(Stopped: Stopped) -> Self {
        Self::Stopping
    }
}

impl Client {
    /// Connects again and again until the rooms' task has ended.
    pub(crate) async fn run(self) {
        let (shortest, longest) = DATAPLANE_RETRY;
        let mut pause = shortest;
        let mut reported = String::new();
        loop {
            let failure = match self.connect().await {
                Ok((stream, decoder, welcome)) => {
                    let connected = Instant::now();
                    let failure = self.carry(stream, decoder, welcome).await;
                    // One that hangs up at once, again and again, is not hurried.
                    if connected.elapsed() > longest {
                        pause = shortest;
                        reported.clear();
                    }
                    if self.rooms.dataplane_disconnected().await.is_err() {
                        return;
                    }
                    failure
                }
                Err(failure) => failure,
            };
            if matches!(failure, Failure::Stopping) {
                return;
            }
            let words = failure.to_string();
            if words != reported {
                tracing::warn!(reason = %words, "no data plane is connected");
                reported.clone_from(&words);
            }
            self.status
                .send_replace(DataplaneStatus::Disconnected(words));
            sleep(pause).await;
            pause = longest.min(pause * 2);
        }
    }

    async fn connect(&self) -> Result<(UnixStream, Decoder, Welcome), Failure> {
        let mut stream = UnixStream::connect(&self.socket).await.map_err(|cause| {
            let socket = self.socket.clone();
            Failure::Connect { socket, cause }
        })?;
        let hello = FromControl::Hello(Hello {
            version: PROTOCOL_VERSION,
            generation: self.generation,
            config: self.config.clone(),
            spool_key: self.spool_key.clone(),
        });
        let mut bytes = Vec::new();
        frame::encode(&hello, &mut bytes)?;
        stream.write_all(&bytes).await?;
        let mut decoder = Decoder::new();
        let answer = timeout(DATAPLANE_WELCOME_TIMEOUT, next(&mut stream, &mut decoder))
            .await
            .map_err(|_| Failure::Silent)??;
        match answer {
            FromDataplane::Welcome(welcome) if welcome.version == PROTOCOL_VERSION => {
                Ok((stream, decoder, welcome))
            }
            FromDataplane::Welcome(welcome) => Err(Failure::Refused(Refusal::Version {
                ours: welcome.version,
                theirs: PROTOCOL_VERSION,
            })),
            FromDataplane::Refusal(refusal) => Err(Failure::Refused(refusal)),
            FromDataplane::Spooled { .. } | FromDataplane::Event(_) => Err(Failure::OutOfPlace),
        }
    }

    /// Tells the log of a connection, or of its end.
    fn note(&self, boot: BootId, engine: &str, lost: Option<&'static str>) {
        let mut event = evidence::access::event(Action::DataplaneConnection, Actor::SYSTEM);
        event.purpose = Purpose::Operations;
        if lost.is_some() {
            (event.outcome, event.reason) = (Outcome::Failed, lost);
        }
        event.facts.insert("boot", boot.to_string().into());
        event.facts.insert("engine", engine.into());
        event.facts.insert("generation", self.generation.0.into());
        self.ledger.note(event);
    }

    async fn carry(&self, stream: UnixStream, decoder: Decoder, welcome: Welcome) -> Failure {
        let (boot, engine) = (welcome.boot, welcome.engine.clone());
        self.note(boot, &engine, None);
        let failure = self.carry_on(stream, decoder, welcome).await;
        let lost = match failure {
            Failure::Stopping => "stopping",
            _ => "lost",
        };
        self.note(boot, &engine, Some(lost));
        failure
    }

    async fn carry_on(
        &self,
        stream: UnixStream,
        mut decoder: Decoder,
        mut welcome: Welcome,
    ) -> Failure {
        tracing::info!(
            boot = %welcome.boot,
            engine = welcome.engine,
            workers = welcome.workers.len(),
            "data plane connected"
        );
        for worker in &mut welcome.workers {
            worker.addresses = announced(&worker.addresses, &self.public_addresses);
        }
        let pid = stream.peer_cred().ok().and_then(|peer| peer.pid());
        let status = DataplaneStatus::Connected {
            boot: welcome.boot,
            pid: pid.and_then(|pid| u32::try_from(pid).ok()),
            engine: welcome.engine.clone(),
            workers: welcome
                .workers
                .iter()
                .map(|worker| worker.addresses.clone())
                .collect(),
        };
        let (mut reader, writer) = stream.into_split();
        let outbox = Outbox::new(DATAPLANE_BYTES_WAITING_MAX);
        // What died with an earlier run comes before what is said of this one.
        for spooled in welcome.spooled.clone() {
            if spooled.damage.is_some() {
                self.ledger.note(damaged(&spooled));
            }
            for _ in 0..spooled.records {
                let (boot, event) = match next(&mut reader, &mut decoder).await {
                    Ok(FromDataplane::Spooled { boot, event }) => (boot, Box::new(event)),
                    Ok(_) => return Failure::OutOfPlace,
                    Err(failure) => return failure,
                };
                let told = self.rooms.dataplane_spooled(boot, event, outbox.clone());
                if told.await.is_err() {
                    return Failure::Stopping;
                }
            }
        }
        let connected = self.rooms.dataplane_connected(welcome, outbox.clone());
        if connected.await.is_err() {
            return Failure::Stopping;
        }
        // Only now: whoever sees it may join.
        self.status.send_replace(status);
        tokio::select! {
            failure = receive(reader, decoder, &self.rooms) => failure,
            failure = transmit(writer, &outbox) => failure,
        }
    }
}

/// What an earlier run of the data plane had kept cannot be read whole.
fn damaged(spooled: &Spooled) -> Event {
    let mut event = evidence::access::event(Action::AuditGap, Actor::SYSTEM);
    event.outcome = Outcome::Failed;
    event.reason = spooled.damage.map(SpoolDamage::name);
    event.facts.insert("boot", spooled.boot.to_string().into());
    event.facts.insert("readable", spooled.records.into());
    event
}

/// What clients are told: the public addresses, where any are configured, with the same ports.
fn announced(local: &[SocketAddr], public: &[IpAddr]) -> Vec<SocketAddr> {
    if public.is_empty() {
        return local.to_vec();
    }
    let ports: BTreeSet<u16> = local.iter().map(SocketAddr::port).collect();
    let at = |port: u16| {
        public
            .iter()
            .map(move |address| SocketAddr::new(*address, port))
    };
    ports.into_iter().flat_map(at).collect()
}

async fn receive(mut reader: OwnedReadHalf, mut decoder: Decoder, rooms: &RoomsHandle) -> Failure {
    loop {
        let event = match next(&mut reader, &mut decoder).await {
            Ok(FromDataplane::Event(event)) => event,
            Ok(
                FromDataplane::Welcome(_)
                | FromDataplane::Refusal(_)
                | FromDataplane::Spooled { .. },
            ) => {
                return Failure::OutOfPlace;
            }
            Err(failure) => return failure,
        };
        if rooms.dataplane_event(Box::new(event)).await.is_err() {
            return Failure::Stopping;
        }
    }
}

async fn transmit(mut writer: OwnedWriteHalf, outbox: &Outbox) -> Failure {
    loop {
        let Ok(bytes) = outbox.take().await else {
            return Failure::Overflow;
        };
        if let Err(cause) = writer.write_all(&bytes).await {
            return Failure::Broken(cause);
        }
    }
}

/// The next frame. Cancelling it loses nothing that the decoder already has.
async fn next(
    reader: &mut (impl tokio::io::AsyncRead + Unpin),
    decoder: &mut Decoder,
) -> Result<FromDataplane, Failure> {
    let mut buffer = [0; READ_BYTES];
    loop {
        if let Some(message) = decoder.next()? {
            return Ok(message);
        }
        let read = reader.read(&mut buffer).await?;
        let bytes = buffer.get(..read).unwrap_or_default();
        if bytes.is_empty() {
            return Err(Failure::Closed);
        }
        decoder.extend(bytes);
    }
}

/// One read: several events.
const READ_BYTES: usize = 16 * 1024;

#[cfg(test)]
mod tests;
