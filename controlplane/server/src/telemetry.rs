//! Traces of the control path: where the time of a request goes, for the operator's collector.
//!
//! OTLP over HTTP (OpenTelemetry protocol 1.x, protobuf). The SDK makes the spans and
//! `opentelemetry-proto` writes them; a task of ours posts them, over the same connection as
//! webhooks use, because the SDK's exporters bring an HTTP client with a TLS policy of its own.
//!
//! A span says what was done, how it ended and how long it took. It never says to whom: names and
//! attributes come from closed sets ([`Step`], [`Attribute`]), there are no events, links or
//! status texts, and what a client sends as `traceparent` or `baggage` is not read: every request
//! is a trace of its own.

mod attributes;
mod export;

pub(crate) use attributes::{KnownMethod, Step};
pub(crate) use export::Export;

use crate::Error;
use crate::config::TelemetryConfig;
use crate::metrics::labels::Label as _;
use crate::metrics::{Metrics, Route};
use attributes::Attribute;
use axum::response::Response;
use export::Queue;
use opentelemetry::trace::{SpanKind, TraceContextExt as _, Tracer as _, TracerProvider as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider};
use std::fmt;

/// Starts spans, or does nothing. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Telemetry(Option<SdkTracer>);

tokio::task_local! {
    /// What the steps of the running request are part of.
    static REQUEST: (SdkTracer, Context);
}

impl Telemetry {
    /// And the task to spawn, if traces are on.
    ///
    /// # Errors
    /// [`Error::Config`], [`Error::File`]: the collector's URL, the authorities' file.
    pub(crate) fn new(
        config: &TelemetryConfig,
        metrics: &Metrics,
    ) -> Result<(Self, Option<Export>), Error> {
        let Some(url) = &config.otlp_endpoint else {
            return Ok((Self(None), None));
        };
        let (queue, export) = Queue::new(url, config.otlp_ca_file.as_deref(), metrics)?;
        let provider = SdkTracerProvider::builder()
            .with_sampler(Sampler::AlwaysOn)
            .with_resource(export.resource().clone())
            .with_span_processor(queue)
            .build();
        Ok((Self(Some(provider.tracer("bedside"))), Some(export)))
    }

    /// Answers a request as one trace.
    pub(crate) async fn request(
        &self,
        method: KnownMethod,
        route: Route,
        answer: impl Future<Output = Response>,
    ) -> Response {
        let Some(tracer) = &self.0 else {
            return answer.await;
        };
        let attributes = [Attribute::Method(method), Attribute::Route(route)];
        let span = tracer
            .span_builder(route.text())
            .with_kind(SpanKind::Server)
            .with_attributes(attributes.map(KeyValue::from))
            .start_with_context(tracer, &Context::new());
        let context = Context::new().with_span(span);
        let scope = (tracer.clone(), context.clone());
        let response = REQUEST.scope(scope, answer).await;
        let status = Attribute::Status(response.status());
        context.span().set_attribute(status.into());
        context.span().end();
        response
    }
}

/// Does `work` as a step of the running request, if there is one and traces are on.
pub(crate) async fn step<T>(step: Step, work: impl Future<Output = T>) -> T {
    let Ok((tracer, parent)) = REQUEST.try_with(Clone::clone) else {
        return work.await;
    };
    let span = tracer
        .span_builder(step.text())
        .start_with_context(&tracer, &parent);
    let done = work.await;
    // Also what ends it where `work` is cancelled.
    drop(span);
    done
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.0.is_some() { "on" } else { "off" };
        write!(f, "Telemetry({state})")
    }
}

#[cfg(test)]
mod tests;
