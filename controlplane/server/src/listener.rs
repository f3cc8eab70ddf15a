//! Accepts TCP, speaks TLS and HTTP/1.1, within bounds.

use crate::Error;
use crate::http::collapse_leading_slashes;
use crate::limits::{
    CONNECTIONS_MAX, HEADER_BYTES_MAX, HEADER_TIMEOUT, HEADERS_MAX, STOP_GRACE,
    TLS_HANDSHAKE_TIMEOUT,
};
use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

/// One of [`CONNECTIONS_MAX`]; a WebSocket keeps its connection's.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    _permit: Arc<OwnedSemaphorePermit>,
}

/// Where a request's connection came from. Personal: counted with, never logged.
#[derive(Clone, Copy)]
pub(crate) struct PeerAddress(pub(crate) IpAddr);

/// The place of the connection that a request came on.
pub(crate) fn place(parts: &http::request::Parts) -> Option<Place> {
    parts.extensions.get::<Place>().cloned()
}

/// What every listener shares.
#[derive(Clone)]
pub(crate) struct Front {
    router: Router,
    tls: TlsAcceptor,
    places: Arc<Semaphore>,
    stop: watch::Receiver<bool>,
}

impl Front {
    pub(crate) fn new(router: Router, tls: Arc<ServerConfig>, stop: watch::Receiver<bool>) -> Self {
        Self {
            router,
            tls: TlsAcceptor::from(tls),
            places: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
            stop,
        }
    }

    /// Accepts until told to stop, then lets running requests end.
    pub(crate) async fn run(self, listener: TcpListener) {
        let mut connections = JoinSet::new();
        let mut stop = self.stop.clone();
        let mut stopping = pin!(stopped(&mut stop));
        loop {
            tokio::select! {
                () = &mut stopping => break,
                accepted = self.accept(&listener) => {
                    let (stream, address, place) = accepted;
                    connections.spawn(self.clone().serve(stream, address, place));
                }
                // A panic of one connection's task is reported by the panic hook.
                Some(_) = connections.join_next() => {}
            }
        }
        drop(listener);
        let all = async { while connections.join_next().await.is_some() {} };
        if timeout(STOP_GRACE, all).await.is_err() {
            tracing::info!("requests were cut off: they did not end in time");
        }
    }

    /// The next connection, as soon as there is a place for it.
    async fn accept(&self, listener: &TcpListener) -> (TcpStream, PeerAddress, Place) {
        let permit = Arc::clone(&self.places)
            .acquire_owned()
            .await
            .expect("the semaphore is never closed");
        let place = Place {
            _permit: Arc::new(permit),
        };
        loop {
            match listener.accept().await {
                Ok((stream, address)) => return (stream, PeerAddress(address.ip()), place),
                Err(error) => {
                    // The peer gave up meanwhile, or we are out of descriptors: the latter is
                    // the operator's, and trying at once would only spin.
                    if !is_peers(&error) {
                        tracing::error!(%error, "cannot accept connections");
                        sleep(ACCEPT_RETRY).await;
                    }
                }
            }
        }
    }

    async fn serve(self, stream: TcpStream, address: PeerAddress, place: Place) {
        // Signalling messages are small and must not wait for each other.
        if stream.set_nodelay(true).is_err() {
            return;
        }
        let Ok(Ok(stream)) = timeout(TLS_HANDSHAKE_TIMEOUT, self.tls.accept(stream)).await else {
            return;
        };
        let router = self.router;
        let service = service_fn(move |mut request: hyper::Request<Incoming>| {
            collapse_leading_slashes(request.uri_mut());
            request.extensions_mut().insert(place.clone());
            request.extensions_mut().insert(address);
            router.clone().oneshot(request.map(Body::new))
        });
        let mut connection = pin!(
            http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADER_TIMEOUT)
                .max_headers(HEADERS_MAX)
                .max_buf_size(HEADER_BYTES_MAX)
                .max_header_size(HEADER_BYTES_MAX)
                .serve_connection(TokioIo::new(stream), service)
                .with_upgrades()
        );
        let mut stop = self.stop;
        // An error here is the peer's: malformed HTTP, a broken connection, too slow a header.
        let _peers_error = tokio::select! {
            ended = connection.as_mut() => ended,
            () = stopped(&mut stop) => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
    }
}

/// Binds an address.
///
/// # Errors
/// [`Error::Listen`].
pub(crate) async fn bind(address: SocketAddr) -> Result<TcpListener, Error> {
    TcpListener::bind(address)
        .await
        .map_err(|cause| Error::Listen { address, cause })
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // A sender that is gone means the same.
    stop.wait_for(|stop| *stop)
        .await
        .map(drop)
        .unwrap_or_default();
}

fn is_peers(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}

/// Descriptors come back as connections end.
const ACCEPT_RETRY: Duration = Duration::from_millis(200);
