//! Everything that a span can say.

use crate::metrics::Route;
use crate::metrics::labels::Label as _;
use http::{Method, StatusCode};
use opentelemetry::KeyValue;

/// A part of answering a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    /// Waiting for the task that owns the rooms, and its answer.
    Rooms,
    /// The database.
    Store,
}

impl Step {
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Rooms => "rooms",
            Self::Store => "store",
        }
    }
}

/// An attribute, named by OpenTelemetry's conventions for HTTP.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Attribute {
    Method(KnownMethod),
    /// The template, not the path.
    Route(Route),
    Status(StatusCode),
}

impl From<Attribute> for KeyValue {
    fn from(attribute: Attribute) -> Self {
        match attribute {
            Attribute::Method(method) => Self::new("http.request.method", method.text()),
            Attribute::Route(route) => Self::new("http.route", route.text()),
            Attribute::Status(status) => {
                Self::new("http.response.status_code", i64::from(status.as_u16()))
            }
        }
    }
}

/// A method of HTTP; any other token that somebody sends is `_OTHER`, as the conventions say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct KnownMethod(&'static str);

impl KnownMethod {
    pub(crate) const fn text(self) -> &'static str {
        self.0
    }
}

impl From<&Method> for KnownMethod {
    fn from(method: &Method) -> Self {
        Self(match method.as_str() {
            "GET" => "GET",
            "HEAD" => "HEAD",
            "POST" => "POST",
            "PATCH" => "PATCH",
            "DELETE" => "DELETE",
            "OPTIONS" => "OPTIONS",
            _ => "_OTHER",
        })
    }
}
