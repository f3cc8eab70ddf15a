//! `GET /healthz`: whether joins can be served.

use crate::app::App;
use crate::authorize::Routes;
use crate::dataplane::DataplaneStatus;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use bedside_policy::Action;
use http::{Method, StatusCode};

pub(crate) fn routes() -> Routes {
    Routes::new().on(Method::GET, "/healthz", Action::CheckHealth, healthz)
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
