//! Response headers that hold for many routes.

use axum::Extension;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, CACHE_CONTROL, CONTENT_SECURITY_POLICY,
    HeaderName, ORIGIN, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, Method, StatusCode};
use std::sync::Arc;

/// Whose pages may call LiveKit's interfaces (`allowed_origins`).
#[derive(Clone, Debug)]
pub(crate) struct Origins(Arc<[HeaderValue]>);

impl Origins {
    /// Of a configuration that was checked; what cannot be sent in a header is no origin.
    pub(crate) fn new(origins: &[String]) -> Self {
        let value = |origin: &String| HeaderValue::from_str(origin).ok();
        Self(origins.iter().filter_map(value).collect())
    }

    /// What `Access-Control-Allow-Origin` says to a page of `origin`.
    fn answer(&self, origin: Option<&HeaderValue>) -> Option<HeaderValue> {
        if self.0.contains(&ANY) {
            return Some(ANY);
        }
        origin.filter(|origin| self.0.contains(origin)).cloned()
    }
}

/// LiveKit's interfaces may be called from pages of other origins. They take a bearer token and
/// no cookie, so that a foreign page gains nothing from the visitor's browser.
pub(crate) async fn cors(
    Extension(origins): Extension<Origins>,
    request: Request,
    next: Next,
) -> Response {
    let preflight = request.method() == Method::OPTIONS;
    let allowed = origins.answer(request.headers().get(ORIGIN));
    let mut response = if preflight {
        StatusCode::NO_CONTENT.into_response()
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    let Some(allowed) = allowed else {
        headers.append(VARY, VARY_ORIGIN);
        return response;
    };
    if allowed != ANY {
        headers.append(VARY, VARY_ORIGIN);
    }
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, ANY);
    if preflight {
        headers.insert(
            ACCESS_CONTROL_ALLOW_METHODS,
            HeaderValue::from_static("OPTIONS, HEAD, GET, POST, PATCH, DELETE"),
        );
        // The wildcard does not cover Authorization (Fetch §3.3.5).
        headers.insert(
            ACCESS_CONTROL_ALLOW_HEADERS,
            HeaderValue::from_static("*, Authorization"),
        );
        headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    }
    response
}

/// What every answer carries, unless its handler knows better.
pub(super) async fn secure(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    for (name, value) in SECURE {
        response.headers_mut().entry(name).or_insert(value);
    }
    response
}

const ANY: HeaderValue = HeaderValue::from_static("*");
const VARY_ORIGIN: HeaderValue = HeaderValue::from_static("Origin");

const SECURE: [(HeaderName, HeaderValue); 6] = [
    (
        // RFC 6797: a year.
        STRICT_TRANSPORT_SECURITY,
        HeaderValue::from_static("max-age=31536000"),
    ),
    (
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; script-src 'self'; style-src 'self'; \
             img-src 'self' data: blob:; media-src 'self' blob:; connect-src 'self' wss:; \
             worker-src 'self' blob:; base-uri 'none'; form-action 'none'; \
             frame-ancestors 'none'",
        ),
    ),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("camera=(self), microphone=(self), display-capture=(self)"),
    ),
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
];
