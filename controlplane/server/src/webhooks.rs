//! Webhooks: what happens in rooms, posted to the URLs of the configuration as LiveKit's server
//! does, so that LiveKit's server SDKs verify them.
//!
//! Each receiver has a queue and a task of its own: one that is slow or gone delays no other and
//! never the rooms. A receiver gets events one after the other in the order in which they
//! happened; after a time without success an event is given up, so that the next one has its turn.

use crate::Error;
use crate::config::WebhooksConfig;
use crate::limits::{
    STOP_GRACE, WEBHOOK_ATTEMPTS_MAX, WEBHOOK_BYTES_WAITING_MAX, WEBHOOK_RETRY, WEBHOOK_TIMEOUT,
    WEBHOOK_TOKEN_LIFETIME,
};
use crate::metrics::{Metrics, Verdict};
use crate::outgoing::{Connection, Target};
use crate::token::Tokens;
use aws_lc_rs::digest::{SHA256, digest};
use axum::body::Bytes;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bedside_rooms::Claims;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use livekit_protocol as proto;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::time::{sleep, timeout};

/// Where the rooms' task puts events.
#[derive(Debug)]
pub(crate) struct Webhooks {
    receivers: Vec<Queue>,
    metrics: Metrics,
}

#[derive(Debug)]
struct Queue {
    events: mpsc::UnboundedSender<Waiting>,
    /// One permit a byte of what waits.
    room: Arc<Semaphore>,
}

/// An event on its way to one receiver.
#[derive(Debug)]
struct Waiting {
    body: Bytes,
    _room: OwnedSemaphorePermit,
}

impl Webhooks {
    /// Never waits.
    pub(crate) fn send(&self, event: &proto::WebhookEvent) {
        if self.receivers.is_empty() {
            return;
        }
        let body = match serde_json::to_vec(event) {
            Ok(body) => Bytes::from(body),
            Err(_) => {
                // An enumeration value, relayed from a client, that we do not know.
                tracing::error!(
                    event.event,
                    "a webhook event has no JSON form and was dropped"
                );
                self.metrics.webhooks.count((Verdict::Refused,));
                return;
            }
        };
        let bytes = u32::try_from(body.len()).unwrap_or(u32::MAX);
        for queue in &self.receivers {
            let room = Arc::clone(&queue.room).try_acquire_many_owned(bytes);
            let sent = room.ok().and_then(|room| {
                let body = body.clone();
                queue.events.send(Waiting { body, _room: room }).ok()
            });
            if sent.is_none() {
                self.metrics.webhooks.count((Verdict::Refused,));
                tracing::error!(event.event, "a webhook event was dropped: too many wait");
            }
        }
    }
}

/// The queues, and for each the task to spawn.
///
/// # Errors
/// [`Error::Config`]: an API key that the key file does not have, a URL that is none;
/// [`Error::File`]: the authorities' file.
pub(crate) fn webhooks(
    config: &WebhooksConfig,
    tokens: &Tokens,
    metrics: &Metrics,
) -> Result<(Webhooks, Vec<Delivery>), Error> {
    let mut webhooks = Webhooks {
        receivers: Vec::with_capacity(config.urls.len()),
        metrics: metrics.clone(),
    };
    let mut deliveries = Vec::with_capacity(config.urls.len());
    if let Some(key) = &config.api_key
        && !tokens.has_key(key)
    {
        return Err(Error::Config(format!(
            "`webhooks.api_key`: the API key file has no {key}"
        )));
    }
    for url in &config.urls {
        let target = Target::new("webhooks.urls", url, config.ca_file.as_deref())?;
        let (events, waiting) = mpsc::unbounded_channel();
        webhooks.receivers.push(Queue {
            events,
            room: Arc::new(Semaphore::new(WEBHOOK_BYTES_WAITING_MAX)),
        });
        deliveries.push(Delivery {
            connection: Connection::new(target),
            waiting,
            metrics: metrics.clone(),
            signer: Signer {
                tokens: tokens.clone(),
                key: config.api_key.clone(),
            },
        });
    }
    Ok((webhooks, deliveries))
}

/// Delivers to one receiver.
#[derive(Debug)]
pub(crate) struct Delivery {
    connection: Connection,
    waiting: mpsc::UnboundedReceiver<Waiting>,
    metrics: Metrics,
    signer: Signer,
}

impl Delivery {
    /// Runs until the rooms' task has ended and everything was delivered, but only a moment longer
    /// than `stop`.
    pub(crate) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let over = async {
            // A sender that is gone means the same.
            stop.wait_for(|stop| *stop)
                .await
                .map(drop)
                .unwrap_or_default();
            sleep(STOP_GRACE).await;
        };
        tokio::select! {
            () = self.deliver() => return,
            () = over => {}
        }
        tracing::error!("webhook events were dropped: they were not taken before the stop");
    }

    async fn deliver(&mut self) {
        while let Some(waiting) = self.waiting.recv().await {
            let mut attempt = 1;
            loop {
                let problem = match self.attempt(&waiting.body).await {
                    Outcome::Delivered => {
                        self.metrics.webhooks.count((Verdict::Done,));
                        break;
                    }
                    Outcome::Retry(problem) if attempt < WEBHOOK_ATTEMPTS_MAX => problem,
                    Outcome::Retry(problem) | Outcome::GiveUp(problem) => {
                        tracing::error!(problem, attempt, "a webhook event was given up");
                        self.metrics.webhooks.count((Verdict::Failed,));
                        break;
                    }
                };
                tracing::debug!(problem, attempt, "a webhook event will be sent again");
                sleep(backoff(attempt)).await;
                attempt += 1;
            }
        }
    }

    async fn attempt(&mut self, body: &Bytes) -> Outcome {
        let Some(token) = self.signer.sign(body) else {
            return Outcome::GiveUp("the API key that signs webhooks is gone".to_owned());
        };
        let mut authorization =
            HeaderValue::from_str(&token).expect("a token is base64url and dots");
        authorization.set_sensitive(true);
        let headers = HeaderMap::from_iter([
            (AUTHORIZATION, authorization),
            (
                CONTENT_TYPE,
                HeaderValue::from_static("application/webhook+json"),
            ),
        ]);
        match timeout(WEBHOOK_TIMEOUT, self.connection.post(body, &headers)).await {
            Err(_) => {
                self.connection.close();
                Outcome::Retry("no answer in time".to_owned())
            }
            Ok(Err(error)) => Outcome::Retry(error.to_string()),
            Ok(Ok(status)) => outcome(status),
        }
    }
}

/// What an attempt came to.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Outcome {
    Delivered,
    Retry(String),
    GiveUp(String),
}

/// Redirections are not followed: what is personal goes where the operator said.
fn outcome(status: StatusCode) -> Outcome {
    let problem = || format!("answered with {}", status.as_u16());
    match status {
        _ if status.is_success() => Outcome::Delivered,
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => Outcome::Retry(problem()),
        _ if status.is_server_error() => Outcome::Retry(problem()),
        _ => Outcome::GiveUp(problem()),
    }
}

/// How long to wait after the attempt of this number, from 1.
fn backoff(attempt: u32) -> Duration {
    let (first, last) = WEBHOOK_RETRY;
    first.saturating_mul(1 << (attempt - 1).min(16)).min(last)
}

/// Proves to a receiver that an event is ours and whole.
#[derive(Debug)]
struct Signer {
    tokens: Tokens,
    /// The file's first when absent.
    key: Option<String>,
}

impl Signer {
    /// The `Authorization` header: a token of its own kind, with the body's hash in it and without
    /// a scheme before it, as LiveKit's receivers expect.
    fn sign(&self, body: &[u8]) -> Option<String> {
        let claims = Claims {
            iss: self.key.clone().unwrap_or_else(|| self.tokens.first_key()),
            sha256: STANDARD.encode(digest(&SHA256, body)),
            ..Claims::default()
        };
        self.tokens.sign(&claims, WEBHOOK_TOKEN_LIFETIME)
    }
}

#[cfg(test)]
mod tests;
