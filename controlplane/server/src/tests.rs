//! A whole server on the loopback: real TLS, real sockets, a scripted data plane.

mod access;
mod admin;
pub(crate) mod client;
mod dataplane;
mod evidence;
mod headers;
mod links;
mod matrix;
mod metrics;
mod scripted;
mod signalling;
mod transport;
mod twirp;
mod webhooks;
mod whip;

use crate::keys::ApiKeys;
use crate::testing::{Scratch, scratch};
use crate::token::Tokens;
use crate::{Config, Running, start};
use bedside_protocol::RoomId;
use bedside_rooms::{Claims, VideoGrant};
use client::{Client, Signal};
use livekit_protocol::signal_response::Message as Response;
pub(crate) use metrics::metrics_of;
use scripted::ScriptedDataplane;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A running server with a connected data plane, and what a test needs to talk to both.
pub(crate) struct Bench {
    pub(crate) running: Running,
    dataplane: ScriptedDataplane,
    tokens: Tokens,
    scratch: Scratch,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        Self::on(scratch()).await
    }

    /// In a directory that an earlier server may have left.
    async fn on(scratch: Scratch) -> Self {
        Self::configured(scratch, |_| {}).await
    }

    pub(crate) async fn configured(scratch: Scratch, edit: impl FnOnce(&mut Config)) -> Self {
        let mut config_here = config(scratch.path());
        edit(&mut config_here);
        let dataplane = ScriptedDataplane::listen(&config_here.dataplane_socket);
        let running = start(config_here).await.expect("starts");
        let keys = ApiKeys::read(&config(scratch.path()).api_keys_file()).expect("made at start");
        let mut bench = Self {
            running,
            dataplane,
            tokens: Tokens::new(keys),
            scratch,
        };
        bench.dataplane.accept().await;
        bench.until_healthy("200").await;
        bench
    }

    /// Stops the server and gives its directory back.
    pub(crate) async fn stop(self) -> Scratch {
        self.running.stop().await;
        self.scratch
    }

    fn address(&self) -> SocketAddr {
        *self.running.listen().first().expect("one")
    }

    fn ca_file(&self) -> PathBuf {
        self.running.ca_file.clone().expect("development mode")
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(self.address(), &self.ca_file())
    }

    pub(crate) fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// A token for `identity` to join room `r`.
    pub(crate) fn token(&self, identity: &str) -> String {
        let grant = VideoGrant {
            room_join: true,
            room: "r".to_owned(),
            ..VideoGrant::default()
        };
        self.token_with(identity, grant)
    }

    fn token_with(&self, identity: &str, grant: VideoGrant) -> String {
        let claims = Claims {
            iss: self.tokens.first_key(),
            sub: identity.to_owned(),
            video: Some(grant),
            ..Claims::default()
        };
        let token = self.tokens.sign(&claims, Duration::from_secs(60));
        token.expect("the key is there")
    }

    /// `p` joins, and the data plane is told of the room.
    async fn join(&mut self) -> (Signal, RoomId) {
        let token = self.token("p");
        let mut signal = self.client().signal("/rtc", &token).await.expect("let in");
        assert!(matches!(signal.next().await, Response::Join(_)));
        (signal, self.dataplane.room().await)
    }

    /// Waits until this many rooms are on disk.
    async fn until_stored(&self, rooms: usize) {
        let stored = async {
            while self.running.store.snapshots().await.expect("reads").len() != rooms {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        within(stored, "the snapshots change").await;
    }

    async fn until_healthy(&self, status: &str) {
        let client = self.client();
        let reached = async {
            while client.get("/healthz").await.status != status {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        within(reached, "healthz changes").await;
    }
}

fn config(scratch: &Path) -> Config {
    let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut config = Config::development(&scratch.join("data"), loopback);
    config.dataplane_socket = scratch.join("dataplane.sock");
    config
}

/// Bounds a wait on another task, so that a defect fails a test instead of hanging it.
pub(crate) async fn within<T>(what: impl Future<Output = T>, name: &str) -> T {
    match tokio::time::timeout(Duration::from_secs(60), what).await {
        Ok(done) => done,
        Err(_) => panic!("this never happened: {name}"),
    }
}
