//! Witnesses (C2SP tlog-witness): others, who sign that they have seen a checkpoint and that the
//! log only grew since the one before. A log that is put back, or shown in two versions, needs
//! them all to agree.

mod http;

use crate::archive::Archive;
use crate::clock::Clock;
use crate::config::LedgerConfig;
use crate::limits::WITNESS_TIMEOUT;
use crate::storage::{Storage, StoredCheckpoint, StoredCosignature};
use crate::writer::Message;
use crate::{Error, Health};
use ::http::StatusCode;
use bedside_audit::{
    Action, Actor, Event, KeyKind, Object, Outcome, SignedCheckpoint, VerifyingKey,
};
use http::Endpoint;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

/// How a witness is.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub struct WitnessState {
    /// Its key's name.
    pub name: String,
    /// Where it is.
    pub url: String,
    /// Entries that its last cosignature covers; 0 before the first.
    pub size: u64,
    /// Why the last checkpoint was not cosigned.
    pub problem: Option<String>,
}

/// Why a checkpoint was not cosigned.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("it cannot be reached: {0}")]
    Unreachable(String),
    #[error(
        "it does not know this log: give it the log's verifier key (`bedside audit witness status` prints it)"
    )]
    Unknown,
    #[error(
        "it does not accept the log's signature: give it the new verifier key after a rotation"
    )]
    Untrusted,
    #[error("it has seen {0} entries of this log, which has fewer: the log was put back")]
    Ahead(u64),
    #[error(
        "what it has seen before is not what this log begins with: there are two versions of it"
    )]
    Inconsistent,
    #[error("it answered {0}, which no witness does")]
    Answer(StatusCode),
    #[error("its signature is wrong: {0}; compare its key with `audit.witnesses`")]
    Signature(bedside_audit::AuditError),
    #[error("{0}")]
    Storage(#[from] Error),
}

impl Refusal {
    const fn code(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "unreachable",
            Self::Unknown => "unknown_log",
            Self::Untrusted => "untrusted_key",
            Self::Ahead(_) => "ahead",
            Self::Inconsistent => "inconsistent",
            Self::Answer(_) => "answer",
            Self::Signature(_) => "signature",
            Self::Storage(_) => "storage",
        }
    }
}

/// The witnesses of the configuration, with what each has signed.
///
/// # Errors
/// [`Error::Config`]; as [`Error`] of a database.
pub(crate) async fn witnesses(
    config: &LedgerConfig,
    storage: &dyn Storage,
) -> Result<Vec<Witness>, Error> {
    let signed = storage.last_cosignatures().await?;
    let mut witnesses = Vec::with_capacity(config.witnesses.len());
    for witness in &config.witnesses {
        let refuse = |cause: String| Error::Config(format!("`audit.witnesses`: {cause}"));
        let key: VerifyingKey = witness
            .vkey
            .parse()
            .map_err(|error| refuse(format!("{}: {error}", witness.vkey)))?;
        if key.kind() != KeyKind::Cosignature {
            let cause = "the key is a log's and not a witness's (cosignature/v1)";
            return Err(refuse(format!("{}: {cause}", witness.vkey)));
        }
        let size = signed
            .iter()
            .find(|signed| signed.witness == key.name())
            .map_or(0, |signed| signed.size);
        witnesses.push(Witness {
            endpoint: Endpoint::new(&witness.url, witness.ca_file.as_deref())?,
            state: WitnessState {
                name: key.name().to_owned(),
                url: witness.url.clone(),
                size,
                problem: None,
            },
            key,
            seen: size,
        });
    }
    Ok(witnesses)
}

/// A witness.
#[derive(Debug)]
pub(crate) struct Witness {
    endpoint: Endpoint,
    key: VerifyingKey,
    /// Entries that it has seen, as far as we know.
    seen: u64,
    state: WitnessState,
}

impl Witness {
    pub(crate) fn name(&self) -> &str {
        self.key.name()
    }

    /// Has it cosign a checkpoint, and keeps what it signed.
    ///
    /// # Errors
    /// [`Refusal`].
    pub(crate) async fn submit(
        &mut self,
        archive: &Archive,
        checkpoint: &StoredCheckpoint,
    ) -> Result<(), Refusal> {
        // Twice: the first may only have told from where to prove.
        for _ in 0..2 {
            let proof = archive.consistency(self.seen, checkpoint.size).await?;
            let mut body = format!("old {}\n", self.seen);
            for hash in &proof.hashes {
                body.push_str(&format!("{hash}\n"));
            }
            body.push('\n');
            body.push_str(&checkpoint.note);
            let (status, answer) = timeout(WITNESS_TIMEOUT, self.endpoint.add_checkpoint(body))
                .await
                .map_err(|_| Refusal::Unreachable("no answer in time".to_owned()))?
                .map_err(Refusal::Unreachable)?;
            match status {
                StatusCode::OK => return self.keep(archive, checkpoint, &answer).await,
                StatusCode::CONFLICT => {
                    let seen: u64 = answer.trim().parse().map_err(|_| Refusal::Answer(status))?;
                    if seen > checkpoint.size {
                        return Err(Refusal::Ahead(seen));
                    }
                    self.seen = seen;
                }
                StatusCode::NOT_FOUND => return Err(Refusal::Unknown),
                StatusCode::FORBIDDEN => return Err(Refusal::Untrusted),
                StatusCode::UNPROCESSABLE_ENTITY => return Err(Refusal::Inconsistent),
                _ => return Err(Refusal::Answer(status)),
            }
        }
        // Of the same size and of another root.
        Err(Refusal::Inconsistent)
    }

    async fn keep(
        &mut self,
        archive: &Archive,
        checkpoint: &StoredCheckpoint,
        answer: &str,
    ) -> Result<(), Refusal> {
        let mut signed = SignedCheckpoint::parse(&checkpoint.note).map_err(Refusal::Signature)?;
        signed
            .add_cosignatures(answer, std::slice::from_ref(&self.key))
            .map_err(Refusal::Signature)?;
        let own = format!("\u{2014} {} ", self.key.name());
        let line = answer.lines().find(|line| line.starts_with(&own));
        let cosignature = StoredCosignature {
            size: checkpoint.size,
            witness: self.key.name().to_owned(),
            line: line.unwrap_or_default().to_owned(),
        };
        archive.put_cosignature(&cosignature).await?;
        self.seen = checkpoint.size;
        self.state.size = checkpoint.size;
        Ok(())
    }
}

/// Has every witness cosign for as long as the log is open.
pub(crate) struct Witnessing {
    pub(crate) archive: Archive,
    pub(crate) witnesses: Vec<Witness>,
    pub(crate) interval: Duration,
    pub(crate) health: watch::Receiver<Health>,
    pub(crate) states: watch::Sender<Vec<WitnessState>>,
    /// Weak: this alone keeps no log open.
    pub(crate) messages: mpsc::WeakUnboundedSender<Message>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Witnessing {
    /// Runs until the writer ends.
    pub(crate) async fn run(mut self) {
        self.tell();
        if self.witnesses.is_empty() {
            return;
        }
        let mut shown = 0;
        while self
            .health
            .wait_for(|health| health.size > shown)
            .await
            .is_ok()
        {
            match self.archive.last_checkpoint().await {
                Ok(Some(last)) => {
                    if self.show(&last).await {
                        shown = last.size;
                    }
                }
                Ok(None) => {}
                Err(error) => tracing::debug!(%error, "no checkpoint could be read for witnesses"),
            }
            let ended = self.health.wait_for(|_| false);
            if timeout(self.interval, ended).await.is_ok() {
                return;
            }
        }
    }

    /// Whether all cosigned.
    async fn show(&mut self, last: &StoredCheckpoint) -> bool {
        let archive = &self.archive;
        let shown = self
            .witnesses
            .iter_mut()
            .map(async |witness| witness.submit(archive, last).await);
        let answers = futures_util::future::join_all(shown).await;
        let mut all = true;
        let mut events = Vec::new();
        for (witness, answer) in self.witnesses.iter_mut().zip(answers) {
            let before = witness.state.problem.take();
            let first = witness.state.size == last.size && before.is_some();
            witness.state.problem = answer.as_ref().err().map(ToString::to_string);
            all &= answer.is_ok();
            let (outcome, reason) = match &answer {
                Ok(()) if first => (Outcome::Success, "cosigned_again"),
                Err(refusal) if before != witness.state.problem => {
                    tracing::error!(witness = witness.key.name(), %refusal, "a witness does not cosign");
                    (Outcome::Failed, refusal.code())
                }
                _ => continue,
            };
            events.push(Event {
                outcome,
                reason: Some(reason),
                object: Some(Object {
                    kind: "witness",
                    id: witness.key.name().to_owned(),
                }),
                ..Event::new(self.clock.wall_us(), Action::AuditWitness, Actor::SYSTEM)
            });
        }
        self.tell();
        // Only changes are recorded: a record of each cosignature would ask for the next.
        if let Some(messages) = self.messages.upgrade() {
            for event in events {
                messages
                    .send(Message::Own(Box::new(event)))
                    .unwrap_or_default();
            }
        }
        all
    }

    fn tell(&self) {
        let states = self.witnesses.iter().map(|witness| witness.state.clone());
        self.states.send_replace(states.collect());
    }
}
