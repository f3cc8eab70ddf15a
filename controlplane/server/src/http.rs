//! The HTTP side as a whole: every route, and what holds for all of them.

mod cookies;
mod headers;
mod origin;

pub(crate) use cookies::cookie;
use headers::Origins;
pub(crate) use headers::cors;
pub(crate) use origin::is_same_origin;

use crate::app::App;
use crate::authorize::Routes;
use crate::config::Config;
use crate::limits::REQUEST_TIMEOUT;
use crate::links::RateLimit;
use crate::metrics::{Route, Status};
use crate::statistics::{self, Pace};
use crate::telemetry::KnownMethod;
use crate::{breakglass, health, identity, links, page, revocation, signal, twirp, waiting, whip};
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};
use bedside_rooms::Refusal;
use http::header::WWW_AUTHENTICATE;
use http::uri::PathAndQuery;
use http::{HeaderValue, StatusCode, Uri};
use tokio::time::{Instant, timeout};

/// Every route. A new interface adds its routes here.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .merge(signal::routes())
        .merge(health::routes())
        .merge(page::routes())
        .merge(identity::routes())
        .merge(links::routes())
        .merge(statistics::routes())
        .merge(waiting::routes())
        .merge(revocation::routes())
        .merge(breakglass::routes())
        .merge(twirp::routes())
        .merge(whip::routes())
}

/// The routes, and what holds for all of them.
pub(crate) fn router(app: App, config: &Config) -> Router {
    routes()
        .into_router()
        .fallback(not_found)
        .layer(Extension(Origins::new(&config.allowed_origins)))
        .layer(Extension(config.profile))
        .layer(Extension(RateLimit::default()))
        .layer(Extension(Pace::default()))
        .layer(from_fn(headers::secure))
        .layer(from_fn_with_state(app.clone(), watch))
        .with_state(app)
}

/// A refusal as LiveKit's clients read it: the status and the reason as plain text.
#[derive(Debug)]
pub(crate) struct Refused(pub(crate) Refusal);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::BAD_REQUEST);
        let mut response = (status, self.0.reason).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(WWW_AUTHENTICATE, scheme);
        }
        response
    }
}

/// Some clients join a base address that ends in `/` with a path that begins with one.
pub(crate) fn collapse_leading_slashes(uri: &mut Uri) {
    let Some(text) = uri.path_and_query().map(PathAndQuery::as_str) else {
        return;
    };
    if !text.starts_with("//") {
        return;
    }
    let collapsed = format!("/{}", text.trim_start_matches('/'));
    if let Ok(path_and_query) = collapsed.parse::<PathAndQuery>() {
        *uri = Uri::from(path_and_query);
    }
}

async fn not_found() -> Response {
    (StatusCode::NOT_FOUND, "nothing is served here").into_response()
}

/// Bounds a request's time, logs and counts it by its route's template: the path and the query hold
/// tokens and names.
async fn watch(State(app): State<App>, request: Request, next: Next) -> Response {
    // Anybody can make a method up: it must not become a label or a log line.
    let method = KnownMethod::from(request.method());
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let started = Instant::now();
    let template = matched.as_ref().map(MatchedPath::as_str);
    let answer = async {
        match timeout(REQUEST_TIMEOUT, next.run(request)).await {
            Ok(response) => response,
            Err(_) => (StatusCode::REQUEST_TIMEOUT, "the request took too long").into_response(),
        }
    };
    let route = Route::of(template);
    let response = app.telemetry.request(method, route, answer).await;
    let status = Status::of(response.status());
    app.metrics.http.count((route, status));
    app.metrics
        .http_duration
        .observe((), started.elapsed().as_secs_f64());
    tracing::debug!(
        method = method.text(),
        route = template.unwrap_or("none"),
        status = response.status().as_u16(),
        elapsed_us = started.elapsed().as_micros(),
        "request answered"
    );
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leading_slashes_become_one() {
        let check = |before: &str, after: &str| {
            let mut uri: Uri = before.parse().expect("an origin-form URI");
            collapse_leading_slashes(&mut uri);
            assert_eq!(uri.to_string(), after);
        };
        check("/rtc?a=//b", "/rtc?a=//b");
        check("//rtc/v1?a=b", "/rtc/v1?a=b");
        check("///rtc//v1", "/rtc//v1");
        check("//", "/");
    }
}
