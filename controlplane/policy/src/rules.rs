//! Law as data: what the files of rules have in common.
//!
//! Rules are read from texts that name their source, its date and how sure we are of each entry.
//! Nothing in them is legal advice: the operator's counsel confirms or overrides them
//! ([`Overrides`]). A file is taken whole or not at all.

mod day;
mod jurisdiction;
mod overrides;
#[cfg(test)]
mod tests;

pub use day::{Day, NoDay};
pub use jurisdiction::{Jurisdiction, NoJurisdiction};
pub(crate) use overrides::RetentionOverride;
pub use overrides::{Author, Hold, Overrides};

use serde::{Deserialize, Serialize};

/// How sure we are of an entry, the surest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// The operator's counsel decided.
    Counsel,
    /// Somebody read the text of the law, or its agency's page.
    Primary,
    /// It stands in a published list; the text of the law was not read.
    Published,
    /// Recalled from a list that was not at hand any more.
    Recalled,
    /// Lists contradict one another; the stricter is followed.
    Disputed,
    /// Nothing was found; what the same state asks of others is followed.
    Assumed,
}

impl Confidence {
    /// As it stands in files and records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counsel => "counsel",
            Self::Primary => "primary",
            Self::Published => "published",
            Self::Recalled => "recalled",
            Self::Disputed => "disputed",
            Self::Assumed => "assumed",
        }
    }

    /// Whether a law is known to say so, so that counsel may not go below it.
    #[must_use]
    pub const fn is_established(self) -> bool {
        matches!(self, Self::Primary | Self::Published)
    }
}

/// Which rules are in force: the file's version and hash, with those of counsel's decisions.
#[derive(Clone, Debug)]
pub(crate) struct Edition {
    pub(crate) version: String,
    /// SHA-256, hexadecimal.
    pub(crate) hash: String,
}

impl Edition {
    /// Of a file with this text.
    pub(crate) fn of(version: String, text: &str) -> Self {
        Self {
            version,
            hash: hash(&[text]),
        }
    }

    /// The same with `overrides`, once they are applied.
    pub(crate) fn overridden(self, overrides: &Overrides) -> Self {
        Self {
            hash: hash(&[&self.hash, &overrides.text]),
            version: format!("{}+{}", self.version, overrides.version()),
        }
    }
}

/// Why a file of rules is not taken. Says which file, which entry and what to do.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RulesError {
    /// The file is not TOML of this form.
    #[error("{file}: not a file of {kind} rules: {problem}")]
    Form {
        /// Name of the file.
        file: String,
        /// What it should hold.
        kind: &'static str,
        /// What is wrong, and where.
        problem: String,
    },
    /// One entry is wrong.
    #[error("{file}: entry `{entry}`: {problem}")]
    Entry {
        /// Name of the file.
        file: String,
        /// Id of the entry.
        entry: String,
        /// What is wrong, and what to write instead.
        problem: String,
    },
}

/// The file being read, for errors.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) file: &'a str,
    pub(crate) kind: &'static str,
}

impl Source<'_> {
    /// The file as a whole is wrong.
    pub(crate) fn form(self, problem: impl Into<String>) -> RulesError {
        RulesError::Form {
            file: self.file.to_owned(),
            kind: self.kind,
            problem: problem.into(),
        }
    }

    /// One entry of it is wrong.
    pub(crate) fn entry(self, entry: &str, problem: impl Into<String>) -> RulesError {
        RulesError::Entry {
            file: self.file.to_owned(),
            entry: entry.to_owned(),
            problem: problem.into(),
        }
    }

    /// Parses `text`, whose `kind` must be the expected one.
    pub(crate) fn parse<T: serde::de::DeserializeOwned>(self, text: &str) -> Result<T, RulesError> {
        if text.len() > crate::limits::RULES_BYTES_MAX {
            return Err(self.form("larger than any file of rules; is this the right file?"));
        }
        toml::from_str(text).map_err(|error| self.form(error.to_string().trim_end()))
    }

    /// Checks the `kind` that a file declares.
    pub(crate) fn expect_kind(self, declared: &str) -> Result<(), RulesError> {
        if declared == self.kind {
            return Ok(());
        }
        Err(self.form(format!(
            "its kind is `{declared}`; write kind = \"{}\"",
            self.kind
        )))
    }

    /// A version is a date and a number: `2026-11-24.1`.
    pub(crate) fn version_day(self, version: &str) -> Result<Day, RulesError> {
        version
            .split_once('.')
            .filter(|(_, number)| number.parse::<u16>().is_ok())
            .and_then(|(day, _)| day.parse().ok())
            .ok_or_else(|| {
                self.form(format!(
                    "version `{version}` is not a date and a number; write \"2026-11-24.1\""
                ))
            })
    }
}

/// Text of an entry that must say something, of bounded length.
pub(crate) fn says_something(text: &str) -> bool {
    !text.trim().is_empty() && text.len() <= crate::limits::RULE_TEXT_BYTES_MAX
}

/// SHA-256 over `texts`, each preceded by its length, hexadecimal.
fn hash(texts: &[&str]) -> String {
    use aws_lc_rs::digest::{Context, SHA256};
    let mut context = Context::new(&SHA256);
    for text in texts {
        context.update(&(text.len() as u64).to_be_bytes());
        context.update(text.as_bytes());
    }
    let digest = context.finish();
    digest
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
