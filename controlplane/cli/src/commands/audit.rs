//! `bedside audit`.

mod export;
mod log;
mod offline;
mod people;
mod search;

use crate::{
    admin_client::AdminSocket,
    commands::configuration,
    exit::{NotFound, Tampered},
    print::{Format, line},
};
use anyhow::{Context, Result, bail};
use bedside_ledger::{Answer, Question};
use bedside_server::admin::KeyReport;
use clap::{Args, Subcommand};
use log::Log;
use std::{fs, path::PathBuf};

#[derive(Subcommand)]
pub(crate) enum Audit {
    /// Show the last entries, and new ones as they are written
    Tail {
        /// How many to begin with
        #[arg(short = 'n', long, default_value_t = 10)]
        lines: u32,
        /// Go on as entries are written, until interrupted
        #[arg(short, long)]
        follow: bool,
        #[command(flatten)]
        from: From,
        #[command(flatten)]
        format: Format,
    },
    /// Find entries, the last first
    Search {
        #[command(flatten)]
        filter: search::SearchOptions,
        /// At most so many
        #[arg(short = 'n', long, default_value_t = 100)]
        limit: u32,
        #[command(flatten)]
        from: From,
        #[command(flatten)]
        format: Format,
    },
    /// Show one entry whole
    Show {
        /// Its number, from 0
        entry: u64,
        /// Open what is sealed: names, addresses, words
        #[arg(long)]
        detail: bool,
        #[command(flatten)]
        from: From,
        #[command(flatten)]
        format: Format,
    },
    /// Hash the whole log again and compare it with all that is known of it
    Verify {
        /// Verifier keys that you have from elsewhere: a file, one a line
        #[arg(long, value_name = "FILE")]
        keys: Option<PathBuf>,
        /// A checkpoint that you have kept elsewhere; may be given several times
        #[arg(long, value_name = "FILE")]
        checkpoint: Vec<PathBuf>,
        /// Have the database check its own pages too
        #[arg(long)]
        full: bool,
        #[command(flatten)]
        from: From,
        #[command(flatten)]
        format: Format,
    },
    /// Write the proof of an entry: C2SP tlog-proof
    Prove {
        /// Its number, from 0
        entry: u64,
        #[command(flatten)]
        from: From,
    },
    /// Check a proof, without any log
    VerifyProof(offline::VerifyProof),
    /// Write entries for other programs
    Export(export::Export),
    /// Print the last checkpoint, with what witnesses signed of it
    Checkpoint {
        /// Rather the last one that a witness signed
        #[arg(long)]
        witnessed: bool,
        #[command(flatten)]
        from: From,
    },
    /// See who vouches for the log
    #[command(subcommand)]
    Witness(Witness),
    /// Append the last checkpoint to a file, best on another machine
    Mirror {
        /// Where
        file: PathBuf,
        #[command(flatten)]
        from: From,
    },
    /// Look after the key that signs checkpoints
    #[command(subcommand)]
    Key(Key),
}

#[derive(Subcommand)]
pub(crate) enum Witness {
    /// Show what each witness has signed, and the keys that they need
    Status {
        #[command(flatten)]
        from: From,
        #[command(flatten)]
        format: Format,
    },
}

#[derive(Subcommand)]
pub(crate) enum Key {
    /// Take a new key into use, handed over by a checkpoint that both sign
    Rotate {
        #[command(flatten)]
        socket: AdminSocket,
        #[command(flatten)]
        format: Format,
    },
}

/// Where the log is: a running control plane, or its database where none runs.
#[derive(Args, Clone)]
pub(crate) struct From {
    #[command(flatten)]
    socket: AdminSocket,
    /// Configuration that says where the log is, for when no control plane runs
    #[arg(long, value_name = "FILE", default_value = configuration::DEFAULT_PATH)]
    config: PathBuf,
    /// Read the database even if a control plane runs; nobody records that
    #[arg(long)]
    offline: bool,
}

impl Audit {
    pub(crate) fn run(self) -> Result<()> {
        match self {
            Self::Tail {
                lines,
                follow,
                from,
                format,
            } => tail(&Log::open(&from)?, lines, follow, format),
            Self::Search {
                filter,
                limit,
                from,
                format,
            } => search::run(&Log::open(&from)?, &filter, limit, format),
            Self::Show {
                entry,
                detail,
                from,
                format,
            } => show(&Log::open(&from)?, entry, detail, format),
            Self::Verify {
                keys,
                checkpoint,
                full,
                from,
                format,
            } => {
                let keys = keys.map(|path| read(&path)).transpose()?;
                let question = Question::Verify {
                    keys: keys
                        .iter()
                        .flat_map(|text| text.lines())
                        .map(str::to_owned)
                        .collect(),
                    outside: checkpoint.iter().map(read).collect::<Result<_>>()?,
                    integrity: full,
                };
                verify(&Log::open(&from)?, question, format)
            }
            Self::Prove { entry, from } => {
                match Log::open(&from)?.ask(Question::Proof { sequence: entry })? {
                    Answer::Proof { bundle } => line(bundle.trim_end()),
                    other => Err(log::unexpected(other)),
                }
            }
            Self::VerifyProof(command) => command.run(),
            Self::Export(command) => command.run(),
            Self::Checkpoint { witnessed, from } => {
                line(checkpoint(&Log::open(&from)?, witnessed)?.trim_end())
            }
            Self::Witness(Witness::Status { from, format }) => {
                witness_status(&Log::open(&from)?, format)
            }
            Self::Mirror { file, from } => {
                let note = checkpoint(&Log::open(&from)?, false)?;
                bedside_ledger::append_mirror(&file, &note)?;
                line(&format!("appended to {}", file.display()))
            }
            Self::Key(Key::Rotate { socket, format }) => {
                let report: KeyReport = socket.post(&["audit", "key", "rotate"], &())?;
                format.print(&report, |report| {
                    format!(
                        "the log's new key; give it to auditors and witnesses:\n{}",
                        report.vkey
                    )
                })
            }
        }
    }
}

fn tail(log: &Log, lines: u32, follow: bool, format: Format) -> Result<()> {
    let mut from = None;
    loop {
        let question = Question::Entries {
            from,
            count: if from.is_some() { PAGE } else { lines },
            detail: false,
            follow: from.is_some(),
        };
        let entries = log.entries(question)?;
        for entry in &entries {
            line(&people::entry_line(entry, format)?)?;
        }
        if !follow {
            return Ok(());
        }
        if !log.is_live() {
            bail!("no control plane runs here: there is nothing to follow");
        }
        from = match entries.last() {
            Some(last) => Some(last.sequence + 1),
            None => Some(from.unwrap_or(0)),
        };
    }
}

fn show(log: &Log, sequence: u64, detail: bool, format: Format) -> Result<()> {
    let question = Question::Entries {
        from: Some(sequence),
        count: 1,
        detail,
        follow: false,
    };
    let entries = log.entries(question)?;
    let found = entries.iter().find(|entry| entry.sequence == sequence);
    let entry = found.ok_or_else(|| NotFound(format!("the log has no entry {sequence}")))?;
    line(&people::entry_whole(entry, format)?)
}

fn verify(log: &Log, question: Question, format: Format) -> Result<()> {
    let Answer::Verified(report) = log.ask(question)? else {
        bail!("the control plane is of another release");
    };
    format.print(&report, people::verify_report)?;
    if report.intact {
        return Ok(());
    }
    Err(Tampered(report.findings.len()).into())
}

fn checkpoint(log: &Log, witnessed: bool) -> Result<String> {
    let question = Question::Checkpoint {
        size: None,
        witnessed,
    };
    match log.ask(question)? {
        Answer::Checkpoint { note } => Ok(note),
        other => Err(log::unexpected(other)),
    }
}

fn witness_status(log: &Log, format: Format) -> Result<()> {
    let Answer::Status(report) = log.ask(Question::Status)? else {
        bail!("the control plane is of another release");
    };
    format.print(&report, people::status_report)
}

fn read(path: &PathBuf) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Entries that are asked for at a time.
const PAGE: u32 = 1_000;
