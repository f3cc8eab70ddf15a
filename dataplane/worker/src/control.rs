//! The main thread: who is in charge, and when to stop.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use bedside_core::{Certificate, Clock};
use bedside_protocol::{
    BootId, FromControl, FromDataplane, Hello, PROTOCOL_VERSION, Refusal, Spooled, Welcome,
    WorkerId,
};
use bedside_ring::Choice;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

use crate::connection::{self, Connection, FrameReader, ReadEnd};
use crate::error::WorkerError;
use crate::fleet::{Fleet, difference};
use crate::limits::{
    CONNECTIONS_GREETING_MAX, EVENTS_PER_WRITE_MAX, GREETING_MAX, WORKERS_READY_MAX,
};
use crate::random;
use crate::socket::ControlSocket;
use crate::spool_file::SpoolFiles;
use crate::stream::ControlStream;

/// Serves control planes, one after another, until SIGTERM or SIGINT; then closes every transport,
/// so that clients see it at once.
///
/// # Errors
/// [`WorkerError::WorkerEnded`] and [`WorkerError::WorkersLate`], after the same.
pub(crate) async fn serve(
    socket: ControlSocket,
    path: &Path,
    choice: Choice,
) -> Result<(), WorkerError> {
    let mut terminate = handler(SignalKind::terminate())?;
    let mut interrupt = handler(SignalKind::interrupt())?;
    let (greeted_tx, mut greeted) = mpsc::channel(CONNECTIONS_GREETING_MAX);
    let greeting = Arc::new(Semaphore::new(CONNECTIONS_GREETING_MAX));
    let mut plane = Plane::new(path, choice)?;
    tracing::info!("waiting for a control plane");
    let result = loop {
        tokio::select! {
            stream = socket.accept() => {
                let Ok(permit) = Arc::clone(&greeting).try_acquire_owned() else {
                    tracing::warn!("closed a connection: too many have not said hello");
                    continue;
                };
                let greeted = greeted_tx.clone();
                tokio::task::spawn_local(async move {
                    if let Some(guest) = greet(Rc::new(stream)).await {
                        // Fails only when the process stops.
                        drop(greeted.send(guest).await);
                    }
                    drop(permit);
                });
            }
            Some(guest) = greeted.recv() => plane.receive(guest).await,
            () = untaken(plane.fleet.as_deref(), plane.connection.as_ref()) => {
                plane.write_evidence();
            }
            Some(worker) = plane.ended.recv() => break Err(WorkerError::WorkerEnded { worker }),
            _ = terminate.recv() => break Ok(()),
            _ = interrupt.recv() => break Ok(()),
        }
    };
    drop(socket);
    tracing::info!(asked = result.is_ok(), "stopping");
    result.and(plane.stop().await)
}

/// Returns when evidence may wait that nobody takes.
async fn untaken(fleet: Option<&Fleet>, connection: Option<&Connection>) {
    let Some(fleet) = fleet else {
        return std::future::pending().await;
    };
    let changed = fleet.changed.notified();
    if connection.is_some_and(|connection| !connection.is_closed()) {
        changed.await;
    } else {
        fleet.news.notified().await;
    }
}

fn handler(kind: SignalKind) -> Result<Signal, WorkerError> {
    signal(kind).map_err(|source| WorkerError::Runtime { source })
}

/// A connection that has said an acceptable hello.
struct Guest {
    stream: Rc<ControlStream>,
    reader: FrameReader,
    hello: Hello,
}

/// Reads a hello. `None` if none came in time or it was refused.
async fn greet(stream: Rc<ControlStream>) -> Option<Guest> {
    let mut reader = FrameReader::new(Rc::clone(&stream));
    // As JSON first: another version's hello may have another form.
    let Ok(first) = timeout(GREETING_MAX, reader.next::<serde_json::Value>()).await else {
        tracing::warn!("closed a connection that did not say hello");
        stream.close();
        return None;
    };
    let refusal = match first.map(hello) {
        Ok(Ok(hello)) => {
            return Some(Guest {
                stream,
                reader,
                hello,
            });
        }
        Ok(Err(refusal)) => refusal,
        Err(ReadEnd::Frame(error)) => Refusal::Malformed {
            cause: error.to_string(),
        },
        Err(ReadEnd::Closed) => return None,
    };
    refuse(&stream, refusal).await;
    None
}

/// What a first frame says.
fn hello(first: serde_json::Value) -> Result<Hello, Refusal> {
    let malformed = |cause: &str| Refusal::Malformed {
        cause: cause.to_owned(),
    };
    let version = first.get("version").and_then(serde_json::Value::as_u64);
    match version {
        Some(theirs) if theirs != u64::from(PROTOCOL_VERSION) => {
            let theirs = u32::try_from(theirs).unwrap_or(u32::MAX);
            return Err(Refusal::Version {
                ours: PROTOCOL_VERSION,
                theirs,
            });
        }
        Some(_) => {}
        None => return Err(malformed("it has no version")),
    }
    match serde_json::from_value(first) {
        Ok(FromControl::Hello(hello)) => Ok(hello),
        Ok(_) => Err(malformed("it is another frame")),
        // The error's text may repeat what was sent; its kind does not.
        Err(_) => Err(malformed("it is not of the expected form")),
    }
}

async fn refuse(stream: &ControlStream, refusal: Refusal) {
    tracing::warn!(reason = reason(&refusal), "refused a control plane");
    connection::write(stream, &FromDataplane::Refusal(refusal)).await;
    stream.close();
}

/// A refusal's name, for the log: its text may hold the host's addresses.
fn reason(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Version { .. } => "version",
        Refusal::Superseded { .. } => "superseded",
        Refusal::Configuration { .. } => "configuration",
        Refusal::Start { .. } => "start",
        Refusal::Malformed { .. } => "malformed",
        _ => "other",
    }
}

/// What the process is.
struct Plane {
    /// The control socket's, beside which evidence is kept.
    path: PathBuf,
    boot: BootId,
    /// The engine that moves packets here.
    choice: Choice,
    certificate: Certificate,
    clock: Clock,
    /// From the first acceptable hello on.
    fleet: Option<Rc<Fleet>>,
    /// The control plane in charge, or the last one.
    connection: Option<Connection>,
    /// Told by each worker that ends.
    ended: mpsc::UnboundedReceiver<WorkerId>,
    ended_tx: mpsc::UnboundedSender<WorkerId>,
}

impl Plane {
    fn new(path: &Path, choice: Choice) -> Result<Self, WorkerError> {
        let certificate = Certificate::generate().map_err(|_| WorkerError::Cryptography {
            what: "no certificate",
        })?;
        let boot = BootId(u64::from_ne_bytes(random::bytes()?));
        let (ended_tx, ended) = mpsc::unbounded_channel();
        Ok(Self {
            path: path.to_owned(),
            boot,
            choice,
            certificate,
            clock: read_clocks(),
            fleet: None,
            connection: None,
            ended,
            ended_tx,
        })
    }

    /// Puts the guest in charge, or refuses it and leaves everything as it was.
    async fn receive(&mut self, guest: Guest) {
        let Guest {
            stream,
            reader,
            hello,
        } = guest;
        let (generation, fleet) = match self.fleet_for(hello).await {
            Ok(accepted) => accepted,
            Err(refusal) => return refuse(&stream, refusal).await,
        };
        if let Some(replaced) = self.connection.take() {
            replaced.close().await;
        }
        fleet.adopt(generation);
        for spool in fleet.spools() {
            spool.send_again();
        }
        let (earlier, backlog) = {
            let mut files = fleet.files.borrow_mut();
            (files.earlier_evidence(), files.own_evidence())
        };
        let welcome = Welcome {
            version: PROTOCOL_VERSION,
            boot: self.boot,
            fingerprint_sha256: self.certificate.fingerprint_sha256(),
            engine: self.choice.to_string(),
            workers: fleet.describe(),
            spooled: earlier.iter().map(|(spooled, _)| *spooled).collect(),
        };
        let mut welcomed = connection::write(&stream, &FromDataplane::Welcome(welcome)).await;
        let mut bytes = Vec::new();
        for (Spooled { boot, .. }, frames) in earlier {
            for part in frames.chunks(EVENTS_PER_WRITE_MAX) {
                let events = part.iter().cloned();
                let spooled = events.map(|event| FromDataplane::Spooled { boot, event });
                welcomed = welcomed && connection::write_all(&stream, spooled, &mut bytes).await;
            }
        }
        if !welcomed {
            tracing::warn!("a control plane left before it was welcomed");
            return stream.close();
        }
        tracing::info!(generation = generation.0, "a control plane is in charge");
        self.connection = Some(Connection::start(
            stream, reader, generation, &fleet, backlog,
        ));
    }

    /// Puts what nobody takes on the disk.
    fn write_evidence(&self) {
        if let Some(fleet) = &self.fleet
            && self.connection.as_ref().is_none_or(Connection::is_closed)
        {
            fleet.write_evidence();
        }
    }

    /// The running workers, started if none run yet, if they are what the hello asks for.
    async fn fleet_for(
        &mut self,
        hello: Hello,
    ) -> Result<(bedside_protocol::Generation, Rc<Fleet>), Refusal> {
        let Hello {
            generation,
            config,
            spool_key,
            ..
        } = hello;
        if let Some(fleet) = &self.fleet {
            if generation < fleet.newest() {
                return Err(Refusal::Superseded {
                    newest: fleet.newest().0,
                });
            }
            return match difference(&fleet.config, &config) {
                Some(setting) => Err(Refusal::Configuration {
                    setting: setting.to_owned(),
                }),
                None => {
                    fleet.files.borrow_mut().rekey(spool_key);
                    Ok((generation, Rc::clone(fleet)))
                }
            };
        }
        let started = Fleet::start(
            config,
            SpoolFiles::new(&self.path, self.boot, spool_key),
            self.choice.engine,
            &self.certificate,
            self.clock,
            &self.ended_tx,
        )
        .await;
        match started {
            Ok(fleet) => {
                let fleet = Rc::new(fleet);
                self.fleet = Some(Rc::clone(&fleet));
                Ok((generation, fleet))
            }
            Err(error) => {
                // Those that had started have ended; that is not news.
                while self.ended.try_recv().is_ok() {}
                Err(Refusal::Start {
                    cause: error.to_string(),
                })
            }
        }
    }

    /// Ends the workers, and passes on what they have to say last.
    async fn stop(mut self) -> Result<(), WorkerError> {
        let Some(fleet) = self.fleet.take() else {
            return Ok(());
        };
        let mut left: BTreeSet<WorkerId> = fleet.workers().collect();
        let all = async {
            fleet.order_stop().await;
            while !left.is_empty() {
                // Never `None`: `self` holds a sender.
                let Some(worker) = self.ended.recv().await else {
                    return;
                };
                left.remove(&worker);
            }
        };
        let in_time = timeout(WORKERS_READY_MAX, all).await;
        if let Some(connection) = self.connection.take() {
            connection.finish().await;
        }
        fleet.write_evidence();
        in_time.map_err(|_| WorkerError::WorkersLate { what: "stop" })
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place where the process reads both clocks"
)]
fn read_clocks() -> Clock {
    let since_epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let unix_us = u64::try_from(since_epoch.as_micros()).unwrap_or(u64::MAX);
    Clock {
        instant: Instant::now(),
        unix_us,
    }
}

#[cfg(test)]
mod tests;
