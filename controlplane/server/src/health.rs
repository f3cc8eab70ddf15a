//! `GET /healthz`: whether joins can be served.

use crate::app::App;
use crate::dataplane::DataplaneStatus;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::StatusCode;

pub(crate) fn router() -> Router<App> {
    Router::new().route("/healthz", get(healthz))
}

/// Anybody may ask, so that the cause stays in the log: it names paths of this machine.
async fn healthz(State(app): State<App>) -> Response {
    let status = app.dataplane.borrow().clone();
    match status {
        DataplaneStatus::Connected { .. } => "ok".into_response(),
        DataplaneStatus::Disconnected(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "no data plane is connected; the server's log says why",
        )
            .into_response(),
    }
}
