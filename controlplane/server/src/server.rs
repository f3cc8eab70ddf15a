//! Start, run, stop.

use crate::admin::{self, Admin, LinkReport, LinkRequest};
use crate::app::App;
use crate::breakglass::Entries;
use crate::clock::Clock;
use crate::config::Config;
use crate::dataplane::{Client, DataplaneStatus};
use crate::evidence::strangers::{self, Strangers};
use crate::evidence::{self, Keeper, Known};
use crate::identity::{Identity, sessions};
use crate::keys::{ApiKeys, KeyFile};
use crate::listener::{Front, bind};
use crate::metrics::{Metrics, MetricsListener};
use crate::records::Records;
use crate::rooms::{Outlets, RoomsHandle, rooms};
use crate::store::Store;
use crate::telemetry::Telemetry;
use crate::tls::{self, Certificate};
use crate::token::Tokens;
use crate::waiting::WaitingRoom;
use crate::watch::Watch;
use crate::{Error, authorize, breakglass, changes, files, http, links, webhooks};
use bedside_audit::{Action, Actor, Event};
use bedside_ledger::Ledger;
use bedside_policy::Policies;
use bedside_protocol::{Generation, Secret};
use bedside_rooms::Rooms;
use rustix::fs::{FlockOperation, flock};
use std::fs::File;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch as channel};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, timeout};

/// Starts, runs until `shutdown` or until something that must run has ended, and stops.
///
/// # Errors
/// Whatever keeps the server from starting, in words that say what to do; and
/// [`Error::TaskEnded`].
pub async fn serve(config: Config, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
    let mut running = start(config).await?;
    let failure = tokio::select! {
        () = shutdown => None,
        failure = running.failed() => Some(failure),
    };
    running.stop().await;
    failure.map_or(Ok(()), Err)
}

/// Starts the control plane in this runtime and returns once it accepts connections. The data
/// plane may come later.
///
/// # Errors
/// Whatever keeps the server from starting, in words that say what to do.
pub async fn start(config: Config) -> Result<Running, Error> {
    config.check()?;
    let config = Arc::new(config);
    files::data_directory(&config.data_directory)?;
    let lock = lock(&config.data_directory)?;
    let api_keys_file = config.api_keys_file();
    if config.api_keys_file.is_none() {
        ApiKeys::make(&api_keys_file)?;
    }
    let keys = ApiKeys::read(&api_keys_file)?;
    let (tls_files, ca_file) = tls_files(&config)?;
    let certificate = Certificate::read(&tls_files)?;
    let tls = Arc::new(tls::server_config(Arc::clone(&certificate))?);
    let listeners = bind_all(&config.listen).await?;
    let listen: Vec<_> = listeners.iter().map(|(_, address)| *address).collect();
    let metrics_listeners = bind_all(config.telemetry.metrics_listen.as_slice()).await?;
    let metrics_listen = metrics_listeners.first().map(|(_, address)| *address);
    let metrics = Metrics::new();
    let (telemetry, export) = Telemetry::new(&config.telemetry, &metrics)?;

    let policies = Arc::new(Policies::load(config.policy.directory.as_deref())?);
    let ledger = evidence::open(&config).await?;
    let store = Store::open(&config.data_directory).await?;
    authorize::note_policies(&store, &ledger, policies.hash()).await?;
    store.note_api_keys(keys.names()).await?;
    let tokens = Tokens::new(keys).with_lifetime_max(config.token_lifetime_s_max());
    tokens.refusals().load(store.revocations().await?);
    let incarnation = store.incarnation().await?;
    let generation = incarnation.generation;
    ledger.note(evidence::node(Action::NodeStart, &config, generation));
    let stopped = evidence::node(Action::NodeStop, &config, generation);
    let clock = Clock::start();
    changes::record_configuration(&ledger, &store, &config, clock.now()).await?;
    changes::record_agreements(&ledger, &store, &config, clock.now()).await?;
    let restored = Rooms::restore(
        rooms_config(&config, generation, incarnation.node),
        seed()?,
        clock.now(),
        store.snapshots().await?,
    );
    let (snapshots, changes) = mpsc::channel(1);
    let (webhooks, deliveries) = webhooks::webhooks(&config.webhooks, &tokens, &metrics)?;
    let known = Known::read(&ledger).await?;
    let (evidence, items) = evidence::evidence(ledger.clone());
    let outlets = Outlets {
        tokens: tokens.clone(),
        snapshots,
        webhooks,
        metrics: metrics.clone(),
        evidence,
    };
    let (rooms, desk) = rooms(restored, clock, outlets);
    let disconnected = DataplaneStatus::Disconnected("not tried yet".to_owned());
    let (status, dataplane) = channel::channel(disconnected);
    let client = Client {
        socket: config.dataplane_socket.clone(),
        generation,
        config: config.dataplane(),
        spool_key: evidence::spool_key(&config.data_directory)?,
        ledger: ledger.clone(),
        public_addresses: config.media.public_addresses.clone(),
        rooms: rooms.clone(),
        status,
    };
    let admin_certificate = Arc::clone(&certificate);
    let watch = Watch {
        tls_files,
        certificate,
        development: config
            .tls
            .development
            .then(|| (config.data_directory.clone(), named_addresses(&config))),
        api_keys_file: api_keys_file.clone(),
        tokens: tokens.clone(),
        store: store.clone(),
        ledger: ledger.clone(),
        config: Arc::clone(&config),
        clock,
    };
    let records = Arc::new(Records::new(&config)?);
    let admin_socket = config.admin_socket();
    let url = admin::page_url(config.public_url.as_deref(), &listen);
    let identity = Arc::new(Identity::new(&config.identity, &url)?);
    let admin_listener = admin::bind(&admin_socket)?;
    let app = App {
        rooms: rooms.clone(),
        tokens,
        store: store.clone(),
        ledger: ledger.clone(),
        identity,
        dataplane,
        metrics,
        telemetry,
        client_statistics: config.telemetry.client_statistics,
        policies,
        waiting: WaitingRoom::new(config.waiting_room()),
        emergencies: Entries::new(config.policy.break_glass_s),
        strangers: Strangers::default(),
        workforce_login: config.identity.issuer.is_some(),
    };
    breakglass::refuse_ended(&app).await?;
    let (stop, stopping) = channel::channel(false);
    let front = Front::new(
        http::router(app.clone(), &config),
        Arc::clone(&tls),
        stopping.clone(),
    );
    let admin = Admin {
        app: app.clone(),
        api_keys: Arc::new(KeyFile::new(api_keys_file, app.tokens.clone())),
        config,
        certificate: admin_certificate,
        tls,
        listen,
        started: Instant::now(),
        records,
    };

    let writer = tokio::spawn(store.clone().write_snapshots(changes));
    let mut tasks = Tasks::default();
    tasks.ending.spawn(named("rooms", desk));
    let keeper = Keeper::new(
        items,
        ledger.clone(),
        known,
        rooms.clone(),
        stopping.clone(),
    );
    tasks.ending.spawn(named("evidence", keeper.run()));
    tasks
        .endless
        .spawn(named("data-plane client", client.run()));
    tasks
        .endless
        .spawn(named("emergency entries", breakglass::run(app.clone())));
    tasks.endless.spawn(named(
        "records of strangers",
        strangers::run(app.strangers.clone(), ledger.clone()),
    ));
    tasks.endless.spawn(named("file watch", watch.run()));
    tasks
        .endless
        .spawn(named("session sweep", sessions::sweep(app.clone())));
    tasks.ending.spawn(named(
        "admin socket",
        admin::run(admin_listener, admin.clone(), stopping.clone()),
    ));
    for delivery in deliveries {
        tasks
            .ending
            .spawn(named("webhooks", delivery.run(stopping.clone())));
    }
    for (listener, address) in listeners {
        tracing::info!(%address, "listening");
        tasks
            .ending
            .spawn(named("listener", front.clone().run(listener)));
    }
    if let Some(export) = export {
        tasks
            .ending
            .spawn(named("traces", export.run(stopping.clone())));
    }
    for (listener, address) in metrics_listeners {
        tracing::info!(%address, "metrics are read here");
        let metrics = MetricsListener::new(listener, app.clone());
        tasks
            .ending
            .spawn(named("metrics", metrics.run(stopping.clone())));
    }
    Ok(Running {
        admin,
        metrics_listen,
        ca_file,
        admin_socket,
        generation,
        rooms,
        store,
        ledger,
        stopped,
        stop,
        tasks,
        writer,
        _lock: lock,
    })
}

/// A server that runs. Dropping it without [`stop`](Self::stop) ends it without storing what
/// changed in the last moment, as a crash would.
#[derive(Debug)]
pub struct Running {
    /// The authority of its certificate, where browsers do not know it.
    pub ca_file: Option<PathBuf>,
    /// Where the `bedside` command connects.
    pub admin_socket: PathBuf,
    /// Which incarnation of the control plane this is.
    pub generation: Generation,
    /// Where Prometheus reads `/metrics`, with the port that the kernel chose; `None` when it is
    /// off.
    pub metrics_listen: Option<SocketAddr>,
    pub(crate) admin: Admin,
    pub(crate) rooms: RoomsHandle,
    pub(crate) store: Store,
    pub(crate) ledger: Ledger,
    /// The record of its end.
    stopped: Event,
    stop: channel::Sender<bool>,
    tasks: Tasks,
    writer: JoinHandle<()>,
    _lock: File,
}

impl Running {
    /// Where browsers find the page: as configured, or for a development server what is likely.
    #[must_use]
    pub fn url(&self) -> String {
        self.admin.url()
    }

    /// Where it listens, with the ports that the kernel chose.
    #[must_use]
    pub fn listen(&self) -> &[SocketAddr] {
        &self.admin.listen
    }

    /// The API key that signs what the server itself makes, and its secret.
    #[must_use]
    pub fn first_api_key(&self) -> (String, Secret<String>) {
        self.admin.app.tokens.first_entry()
    }

    /// Makes a one-time join link.
    ///
    /// # Errors
    /// A request that makes no sense, or the database's.
    pub async fn create_link(&self, request: LinkRequest) -> Result<LinkReport, Error> {
        let app = &self.admin.app;
        links::create(app, &self.url(), request, Actor::SYSTEM).await
    }

    /// How the workforce logs in.
    #[cfg(test)]
    pub(crate) fn identity(&self) -> &Identity {
        &self.admin.app.identity
    }

    /// Returns once a data plane is connected.
    ///
    /// # Errors
    /// [`Error::Dataplane`] with what the last attempt came to, when `within` is over.
    pub async fn dataplane_connected(&self, within: Duration) -> Result<(), Error> {
        let mut status = self.admin.app.dataplane.clone();
        let connected =
            status.wait_for(|status| matches!(status, DataplaneStatus::Connected { .. }));
        match timeout(within, connected).await {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(_)) => return Err(Error::TaskEnded("data-plane client")),
            Err(_) => {}
        }
        match &*self.admin.app.dataplane.borrow() {
            DataplaneStatus::Connected { .. } => Ok(()),
            DataplaneStatus::Disconnected(why) => Err(Error::Dataplane(why.clone())),
        }
    }

    /// Returns when something that must run has ended; the server is of no further use then.
    pub async fn failed(&mut self) -> Error {
        self.tasks.ended().await
    }

    /// Stops accepting, drops every signalling connection (clients resume with the next start),
    /// stores what changed. Media goes on in the data plane.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        self.rooms.stop().await;
        self.tasks.finish().await;
        // The rooms' task was the only one to send to it.
        if self.writer.await.is_err() {
            tracing::error!("the task that stores room snapshots has failed");
        }
        self.store.close().await;
        self.admin.app.strangers.settle(&self.ledger);
        self.stopped.at_us = evidence::access::now_us();
        self.ledger.note(self.stopped);
        self.ledger.close().await;
    }
}

/// Tasks that run as long as the server.
#[derive(Debug, Default)]
struct Tasks {
    /// They end by themselves when told to stop.
    ending: JoinSet<&'static str>,
    /// They wait for the world and are dropped.
    endless: JoinSet<&'static str>,
}

impl Tasks {
    async fn ended(&mut self) -> Error {
        let ended = tokio::select! {
            Some(ended) = self.ending.join_next() => ended,
            Some(ended) = self.endless.join_next() => ended,
            else => return Error::TaskEnded("last"),
        };
        Error::TaskEnded(ended.unwrap_or("panicked"))
    }

    async fn finish(&mut self) {
        while self.ending.join_next().await.is_some() {}
        self.endless.shutdown().await;
    }
}

async fn named(name: &'static str, task: impl Future<Output = ()>) -> &'static str {
    task.await;
    name
}

fn tls_files(config: &Config) -> Result<(tls::Files, Option<PathBuf>), Error> {
    if let (Some(certificate), Some(key)) = (&config.tls.certificate_file, &config.tls.key_file) {
        let files = tls::Files {
            certificate: certificate.clone(),
            key: key.clone(),
        };
        return Ok((files, config.tls.ca_file.clone()));
    }
    let (files, ca_file) =
        tls::ensure_development_certificate(&config.data_directory, &named_addresses(config))?;
    Ok((files, Some(ca_file)))
}

/// Everything by which a browser may reach this server in a trial.
fn named_addresses(config: &Config) -> Vec<IpAddr> {
    let listen = config.listen.iter().map(SocketAddr::ip);
    let media = config.media.listen.iter().copied();
    listen
        .chain(media)
        .chain(config.media.public_addresses.iter().copied())
        .collect()
}

async fn bind_all(addresses: &[SocketAddr]) -> Result<Vec<(TcpListener, SocketAddr)>, Error> {
    let mut listeners = Vec::with_capacity(addresses.len());
    for address in addresses {
        let listener = bind(*address).await?;
        let bound = listener.local_addr().map_err(|cause| Error::Listen {
            address: *address,
            cause,
        })?;
        listeners.push((listener, bound));
    }
    Ok(listeners)
}

fn rooms_config(config: &Config, generation: Generation, node: String) -> bedside_rooms::Config {
    bedside_rooms::Config {
        generation,
        empty_timeout_s: config.rooms.empty_timeout_s,
        departure_timeout_s: config.rooms.departure_timeout_s,
        max_participants: config.rooms.max_participants,
        participants_per_worker: config.rooms.participants_per_worker,
        auto_create: config.rooms.auto_create,
        node_id: node,
        signal_lost_timeout_s: config.rooms.signal_lost_timeout_s,
        video_codecs: config.rooms.video_codecs.clone(),
        ..bedside_rooms::Config::default()
    }
}

fn seed() -> Result<[u8; 32], Error> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(Error::Random)?;
    Ok(seed)
}

/// Two servers on one database would give the data plane contradicting orders.
fn lock(data_directory: &Path) -> Result<File, Error> {
    let path = data_directory.join("lock");
    let file = File::create(&path).map_err(|error| Error::file(&path, error))?;
    flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
        Error::file(
            data_directory,
            "another `bedside serve` uses this data directory",
        )
    })?;
    Ok(file)
}
