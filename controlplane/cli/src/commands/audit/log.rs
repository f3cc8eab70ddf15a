//! The log, asked over the admin socket or read in its database.

use super::From;
use crate::{
    admin_client::AdminSocket,
    commands::configuration,
    exit::{NotFound, Unreachable},
};
use anyhow::{Context, Result, anyhow};
use bedside_ledger::{Answer, Archive, EntryReport, LedgerConfig, Question};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

/// A log that answers.
pub(super) enum Log {
    /// A control plane runs.
    Live(AdminSocket),
    /// None does.
    Database {
        archive: Archive,
        config: Box<LedgerConfig>,
        runtime: Runtime,
    },
}

impl Log {
    /// Finds out whether a control plane runs.
    pub(super) fn open(from: &From) -> Result<Self> {
        if !from.offline {
            match from
                .socket
                .post_slow::<Answer>(&["audit"], &Question::Status, ANSWER_MAX)
            {
                Ok(_) => return Ok(Self::Live(from.socket.clone())),
                Err(error) if error.is::<Unreachable>() && !from.socket.is_there() => {}
                Err(error) => return Err(error),
            }
        }
        let config = bedside_server::ledger_config(&configuration::read(&from.config)?)?;
        let runtime = Builder::new_multi_thread().enable_all().build()?;
        let archive = runtime.block_on(Archive::open(&config)).context(
            "no control plane runs at the admin socket, and its database cannot be read either",
        )?;
        Ok(Self::Database {
            archive,
            config: Box::new(config),
            runtime,
        })
    }

    /// Whether a control plane answers.
    pub(super) const fn is_live(&self) -> bool {
        matches!(self, Self::Live(_))
    }

    /// Asks.
    pub(super) fn ask(&self, question: Question) -> Result<Answer> {
        match self {
            Self::Live(socket) => socket.post_slow(&["audit"], &question, ANSWER_MAX),
            Self::Database {
                archive,
                config,
                runtime,
            } => {
                let mirrors = config.mirrors.clone();
                Ok(runtime.block_on(archive.answer(question, mirrors))?)
            }
        }
    }

    /// Asks for entries.
    pub(super) fn entries(&self, question: Question) -> Result<Vec<EntryReport>> {
        match self.ask(question)? {
            Answer::Entries { entries } => Ok(entries),
            other => Err(unexpected(other)),
        }
    }
}

/// An answer that is none to the question.
pub(super) fn unexpected(answer: Answer) -> anyhow::Error {
    match answer {
        Answer::NotFound { what } => NotFound(format!("the log has not {what}")).into(),
        _ => anyhow!("the control plane is of another release"),
    }
}

/// A verification of ten million entries takes a minute on a small machine.
const ANSWER_MAX: Duration = Duration::from_secs(3_600);
