//! From ended spans to the collector.

use crate::Error;
use crate::limits::{SPANS_DELAY, SPANS_PER_POST_MAX, SPANS_POST_TIMEOUT, SPANS_WAITING_MAX};
use crate::metrics::{Metrics, Verdict};
use crate::outgoing::{Connection, Target};
use axum::body::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use opentelemetry::{Context, KeyValue};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};
use prost::Message as _;
use std::path::Path;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

/// Where the SDK puts ended spans. Never waits.
#[derive(Debug)]
pub(super) struct Queue {
    spans: mpsc::Sender<SpanData>,
    metrics: Metrics,
}

impl Queue {
    pub(super) fn new(
        url: &str,
        ca_file: Option<&Path>,
        metrics: &Metrics,
    ) -> Result<(Self, Export), Error> {
        let target = Target::new("telemetry.otlp_endpoint", url, ca_file)?;
        let (sender, spans) = mpsc::channel(SPANS_WAITING_MAX);
        let queue = Self {
            spans: sender,
            metrics: metrics.clone(),
        };
        // Empty but for this: the SDK's own detectors would name the host and its user.
        let resource = Resource::builder_empty()
            .with_service_name("bedside")
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let export = Export {
            spans,
            connection: Connection::new(target),
            metrics: metrics.clone(),
            resource,
        };
        Ok((queue, export))
    }
}

impl SpanProcessor for Queue {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        if self.spans.try_send(span).is_err() {
            self.metrics.spans.count((Verdict::Refused,));
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// Posts spans to the collector.
#[derive(Debug)]
pub(crate) struct Export {
    spans: mpsc::Receiver<SpanData>,
    connection: Connection,
    metrics: Metrics,
    resource: Resource,
}

impl Export {
    pub(super) fn resource(&self) -> &Resource {
        &self.resource
    }

    /// Runs until told to stop; what waits then goes out in a last post.
    pub(crate) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut batch = Vec::with_capacity(SPANS_PER_POST_MAX);
        let mut working = true;
        loop {
            let stopping = tokio::select! {
                _ = stop.wait_for(|stop| *stop) => true,
                () = sleep(SPANS_DELAY) => false,
            };
            while let Ok(span) = self.spans.try_recv() {
                batch.push(span);
                if batch.len() == SPANS_PER_POST_MAX {
                    working = self.post(&mut batch, working).await;
                }
            }
            if !batch.is_empty() {
                working = self.post(&mut batch, working).await;
            }
            if stopping {
                return;
            }
        }
    }

    /// Traces are worth no second attempt: what the collector does not take is counted and gone.
    async fn post(&mut self, batch: &mut Vec<SpanData>, working: bool) -> bool {
        let count = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        let resource = ResourceAttributesWithSchema::from(&self.resource);
        let spans = std::mem::take(batch);
        let request = ExportTraceServiceRequest {
            resource_spans: group_spans_by_resource_and_scope(spans, &resource),
        };
        let body = Bytes::from(request.encode_to_vec());
        let protobuf = HeaderValue::from_static("application/x-protobuf");
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, protobuf)]);
        let posted = timeout(SPANS_POST_TIMEOUT, self.connection.post(&body, &headers)).await;
        let problem = match posted {
            Ok(Ok(status)) if status.is_success() => {
                self.metrics.spans.add((Verdict::Done,), count);
                return true;
            }
            Ok(Ok(status)) => format!("answered with {}", status.as_u16()),
            Ok(Err(error)) => error.to_string(),
            Err(_) => {
                self.connection.close();
                "no answer in time".to_owned()
            }
        };
        self.metrics.spans.add((Verdict::Failed,), count);
        if working {
            tracing::warn!(problem, "the collector does not take traces");
        }
        false
    }
}
