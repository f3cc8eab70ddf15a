//! What can be asked of a log, and the answers: the same whether a control plane answers over its
//! admin socket or the command line reads the database itself.

use crate::archive::Archive;
use crate::storage::{Search, StoredEntry};
use crate::verify::{Verified, VerifyOptions};
use crate::{Error, WitnessState};
use bedside_audit::{
    Detail, Entry, Hash, ProofBundle, PseudonymKind, SignedCheckpoint, VerifyingKey,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Entries of one answer: some MiB at most.
const ENTRIES_MAX: u32 = 1_000;

/// What is asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Question {
    /// Entries in order.
    Entries {
        /// The first's sequence; the last `count` entries where there is none.
        from: Option<u64>,
        /// At most so many, and at most 1,000.
        count: u32,
        /// Whether details are opened.
        detail: bool,
        /// Whether the answer may wait for the first of them to be written.
        follow: bool,
    },
    /// Entries that match, the last first.
    Search {
        /// What they are searched by.
        wanted: Wanted,
        /// Only before this sequence.
        before: Option<u64>,
        /// At most so many, and at most 1,000.
        count: u32,
    },
    /// The proof of an entry.
    Proof {
        /// Which.
        sequence: u64,
    },
    /// The last checkpoint with what witnesses signed of it.
    Checkpoint {
        /// Of at least so many entries; the last where there is none.
        size: Option<u64>,
        /// Rather the last that a witness signed.
        witnessed: bool,
    },
    /// Everything is hashed again.
    Verify {
        /// Verifier keys from elsewhere.
        keys: Vec<String>,
        /// Checkpoints from elsewhere.
        outside: Vec<String>,
        /// Whether the database checks its pages too.
        integrity: bool,
    },
    /// How the log is.
    Status,
}

impl Question {
    /// A name for records: a closed set.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Entries { .. } => "entries",
            Self::Search { .. } => "search",
            Self::Proof { .. } => "proof",
            Self::Checkpoint { .. } => "checkpoint",
            Self::Verify { .. } => "verify",
            Self::Status => "status",
        }
    }
}

/// What entries are searched by; names or pseudonyms. All that is given must hold.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "Search says what each is")]
pub struct Wanted {
    pub from_us: Option<u64>,
    pub until_us: Option<u64>,
    pub action: Option<String>,
    pub outcome: Option<String>,
    pub actor: Option<String>,
    pub patient: Option<String>,
    pub room: Option<String>,
    pub encounter: Option<String>,
}

/// An answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// Entries.
    Entries {
        /// In the order that was asked for.
        entries: Vec<EntryReport>,
    },
    /// A proof.
    Proof {
        /// As a file: C2SP tlog-proof.
        bundle: String,
    },
    /// A checkpoint.
    Checkpoint {
        /// The signed note.
        note: String,
    },
    /// What a verification found.
    Verified(VerifyReport),
    /// How the log is.
    Status(StatusReport),
    /// There is none.
    NotFound {
        /// What.
        what: String,
    },
}

/// An entry.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EntryReport {
    /// Its place, from 0.
    pub sequence: u64,
    /// The leaf's hash in base64.
    pub leaf: String,
    /// Its bytes, which are JSON.
    pub body: String,
    /// Its detail, if that was asked for and its key is still there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<BTreeMap<String, String>>,
    /// What became of it, if it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail_state: Option<String>,
}

/// What a verification found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VerifyReport {
    /// Whether nothing is wrong.
    pub intact: bool,
    /// Entries.
    pub entries: u64,
    /// Checkpoints that were right.
    pub checkpoints: u64,
    /// The root, in base64.
    pub root: String,
    /// What is wrong, in sentences.
    pub findings: Vec<String>,
}

/// How the log is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StatusReport {
    /// Its name.
    pub origin: String,
    /// Entries.
    pub size: u64,
    /// Verifier keys, the oldest first: what auditors and witnesses need.
    pub vkeys: Vec<String>,
    /// What a running control plane knows.
    pub live: Option<LiveReport>,
    /// The last that each witness signed: name and entries.
    pub cosigned: BTreeMap<String, u64>,
}

/// What a running control plane knows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LiveReport {
    /// Why records are refused; none while they are taken.
    pub problem: Option<String>,
    /// Records refused since the start.
    pub refused: u64,
    /// Notes lost since the start.
    pub lost: u64,
    /// Entries that too few witnesses have seen; none where nobody is asked.
    pub unwitnessed: Option<u64>,
    /// How each witness is.
    pub witnesses: Vec<WitnessState>,
}

impl Archive {
    /// Answers.
    ///
    /// # Errors
    /// As [`Error`] of a database; [`Error::Config`] for a key that is none.
    pub async fn answer(&self, question: Question, mirrors: Vec<PathBuf>) -> Result<Answer, Error> {
        match question {
            Question::Entries {
                from,
                count,
                detail,
                follow: _,
            } => {
                let count = count.min(ENTRIES_MAX);
                let from = match from {
                    Some(from) => from,
                    None => self.size().await?.saturating_sub(count.into()),
                };
                let entries = self.entries(from, count).await?;
                self.report(entries, detail).await
            }
            Question::Search {
                wanted,
                before,
                count,
            } => {
                let search = self.search_for(wanted, before);
                let found = self.search(&search, count.min(ENTRIES_MAX)).await?;
                self.report(found, false).await
            }
            Question::Proof { sequence } => self.proof(sequence).await,
            Question::Checkpoint { size, witnessed } => self.checkpoint(size, witnessed).await,
            Question::Verify {
                keys,
                outside,
                integrity,
            } => {
                let key = |text: &String| {
                    let key = text.parse::<VerifyingKey>();
                    key.map_err(|error| Error::Config(format!("the verifier key: {error}")))
                };
                let options = VerifyOptions {
                    keys: keys.iter().map(key).collect::<Result<_, _>>()?,
                    outside,
                    mirrors,
                    integrity,
                };
                Ok(Answer::Verified(report(self.verify(&options).await?)))
            }
            Question::Status => {
                let signed = self.last_cosignatures().await?;
                Ok(Answer::Status(StatusReport {
                    origin: self.origin().to_owned(),
                    size: self.size().await?,
                    vkeys: self
                        .verifying_keys()?
                        .iter()
                        .map(ToString::to_string)
                        .collect(),
                    live: None,
                    cosigned: signed
                        .into_iter()
                        .map(|signed| (signed.witness, signed.size))
                        .collect(),
                }))
            }
        }
    }

    /// Entries.
    ///
    /// # Errors
    /// As [`Error`] of a database.
    pub async fn size(&self) -> Result<u64, Error> {
        Ok(self.last_checkpoint().await?.map_or(0, |last| last.size))
    }

    fn search_for(&self, wanted: Wanted, before: Option<u64>) -> Search {
        let pseudonym =
            |kind| move |text: String| self.pseudonyms().search(kind, &text).to_string();
        Search {
            from_us: wanted.from_us,
            until_us: wanted.until_us,
            action: wanted.action,
            outcome: wanted.outcome,
            actor: wanted.actor.map(pseudonym(PseudonymKind::Person)),
            patient: wanted.patient.map(pseudonym(PseudonymKind::Person)),
            room: wanted.room.map(pseudonym(PseudonymKind::Room)),
            encounter: wanted.encounter,
            before,
        }
    }

    async fn report(&self, entries: Vec<StoredEntry>, detail: bool) -> Result<Answer, Error> {
        let mut reports = Vec::with_capacity(entries.len());
        for stored in entries {
            let detail = match Entry::parse(&stored.body) {
                Ok(entry) if detail => Some(self.detail(&entry).await?),
                _ => None,
            };
            let state = detail.as_ref().map(|detail| detail.state().to_owned());
            let detail = match detail {
                Some(Detail::Open(detail)) => {
                    let exposed = detail.into_iter();
                    Some(
                        exposed
                            .map(|(name, value)| (name, value.into_inner()))
                            .collect(),
                    )
                }
                _ => None,
            };
            reports.push(EntryReport {
                sequence: stored.sequence,
                leaf: Hash(stored.leaf).to_string(),
                body: String::from_utf8_lossy(&stored.body).into_owned(),
                detail,
                detail_state: state,
            });
        }
        Ok(Answer::Entries { entries: reports })
    }

    async fn detail(&self, entry: &Entry) -> Result<Detail, Error> {
        let key = self.detail_key(entry).await?;
        entry
            .detail(key.as_ref())
            .map_err(|error| Error::Corrupt(format!("a detail: {error}")))
    }

    async fn proof(&self, sequence: u64) -> Result<Answer, Error> {
        let (Some(entry), Some(note)) = (
            self.entry(sequence).await?,
            self.cosigned_note(Some(sequence + 1), true).await?,
        ) else {
            return Ok(Answer::NotFound {
                what: format!("entry {sequence}"),
            });
        };
        let checkpoint = SignedCheckpoint::parse(&note)
            .map_err(|error| Error::Corrupt(format!("a checkpoint: {error}")))?;
        let size = checkpoint.unverified().size;
        let bundle = ProofBundle {
            entry: entry.body,
            proof: self.inclusion(sequence, size).await?,
            checkpoint,
        };
        Ok(Answer::Proof {
            bundle: bundle.to_text(),
        })
    }

    async fn checkpoint(&self, size: Option<u64>, witnessed: bool) -> Result<Answer, Error> {
        let note = self.cosigned_note(size, witnessed).await?;
        Ok(note.map_or_else(
            || Answer::NotFound {
                what: "such a checkpoint".to_owned(),
            },
            |note| Answer::Checkpoint { note },
        ))
    }

    /// A checkpoint of at least `size` entries, the last where none is named; with `witnessed`
    /// rather the last one that a witness signed, if that covers them.
    async fn cosigned_note(
        &self,
        size: Option<u64>,
        witnessed: bool,
    ) -> Result<Option<String>, Error> {
        let mut wanted = None;
        if witnessed {
            let signed = self.last_cosignatures().await?;
            wanted = signed
                .iter()
                .map(|signed| signed.size)
                .filter(|signed| *signed >= size.unwrap_or(1))
                .max();
        }
        let found = match wanted.or(size) {
            Some(size) => self.checkpoints(size, 1).await?.into_iter().next(),
            None => self.last_checkpoint().await?,
        };
        let Some(found) = found else {
            return Ok(None);
        };
        let mut note = found.note;
        for cosignature in self.cosignatures(found.size).await? {
            note.push_str(&cosignature.line);
            note.push('\n');
        }
        Ok(Some(note))
    }
}

fn report(verified: Verified) -> VerifyReport {
    let mut findings: Vec<String> = verified
        .report
        .findings
        .iter()
        .map(ToString::to_string)
        .collect();
    if verified.report.unnamed > 0 {
        findings.push(format!("and {} more", verified.report.unnamed));
    }
    let intact = verified.is_intact();
    findings.extend(verified.storage);
    VerifyReport {
        intact,
        entries: verified.report.entries,
        checkpoints: verified.report.checkpoints,
        root: verified.report.root.to_string(),
        findings,
    }
}
