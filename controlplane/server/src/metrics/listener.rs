//! `GET /metrics`, on an address of its own: monitoring reaches nothing else here, and nobody who
//! joins reaches it.

use crate::app::App;
use crate::limits::{METRICS_CONNECTIONS_MAX, METRICS_HEADER_TIMEOUT};
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::time::sleep;

/// A bound address, and what is served there.
pub(crate) struct MetricsListener {
    listener: TcpListener,
    app: App,
}

impl MetricsListener {
    pub(crate) fn new(listener: TcpListener, app: App) -> Self {
        Self { listener, app }
    }

    /// Serves until told to stop.
    pub(crate) async fn run(self, mut stop: watch::Receiver<bool>) {
        #[expect(
            clippy::disallowed_methods,
            reason = "whoever reaches this listener may read: the policies know no scraper"
        )]
        let router = Router::new()
            .route("/metrics", get(metrics))
            .with_state(self.app);
        let service = TowerToHyperService::new(router);
        let places = Arc::new(Semaphore::new(METRICS_CONNECTIONS_MAX));
        loop {
            let accepted = tokio::select! {
                _ = stop.wait_for(|stop| *stop) => break,
                accepted = self.listener.accept() => accepted,
            };
            let Ok((stream, _)) = accepted else {
                // Out of descriptors: they come back as connections end.
                sleep(ACCEPT_RETRY).await;
                continue;
            };
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                continue;
            };
            let service = service.clone();
            tokio::spawn(async move {
                // An error is the scraper's: it has gone away, or is too slow.
                hyper::server::conn::http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(METRICS_HEADER_TIMEOUT)
                    .serve_connection(TokioIo::new(stream), service)
                    .await
                    .unwrap_or_default();
                drop(place);
            });
        }
    }
}

async fn metrics(State(app): State<App>) -> Response {
    let Ok(rooms) = app.rooms.call(|rooms, _| rooms.status()).await else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    app.metrics.observe_rooms(&rooms);
    app.metrics.observe_audit(&app.ledger);
    app.metrics.observe_dataplane(&app.dataplane.borrow());
    ([(CONTENT_TYPE, OPEN_METRICS)], app.metrics.text()).into_response()
}

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

const ACCEPT_RETRY: Duration = Duration::from_millis(200);
