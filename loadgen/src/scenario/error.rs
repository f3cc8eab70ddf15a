//! What is wrong with a scenario, and where.

use crate::scenario::limits;
use std::io;
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};

/// Why a scenario was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(clippy::error_impl_error, reason = "read as scenario::Error")]
pub enum Error {
    /// Not there or not readable.
    #[error("{} cannot be read", file.display())]
    Unreadable {
        /// Which file.
        file: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// Not TOML, an unknown key, a value of another type.
    #[error("{}:{line}: {key}{message}", file.display(), key = KeyPrefix(key))]
    Malformed {
        /// Which file.
        file: PathBuf,
        /// From 1.
        line: usize,
        /// The key, with its path; empty where the text is not TOML.
        key: String,
        /// What is wrong and what is allowed.
        message: String,
    },
    /// More participants than the generator takes.
    #[error(
        "{participants} participants are too many: at most {} (scenario or --scale)",
        limits::PARTICIPANTS_MAX
    )]
    TooLarge {
        /// How many there would be.
        participants: u64,
    },
    /// No shipped scenario and no file has this name.
    #[error("no scenario and no file is called \"{name}\"; shipped are: {}", shipped.join(", "))]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        shipped: Vec<&'static str>,
    },
}

struct KeyPrefix<'a>(&'a str);

impl std::fmt::Display for KeyPrefix<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        write!(f, "`{}`: ", self.0)
    }
}

/// One step from a table to what is in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// A key of a table.
    Key(&'static str),
    /// An element of an array.
    Index(usize),
}

/// A value out of bounds; not yet located in the text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Broken {
    pub(super) path: Vec<Step>,
    pub(super) message: String,
}

impl Broken {
    /// The same as an error, with the line that holds the value or the nearest table around it.
    pub(super) fn located(self, text: &str, file: &Path) -> Error {
        Error::Malformed {
            file: file.to_owned(),
            line: line_at(text, offset_of(text, &self.path)),
            key: written(&self.path),
            message: self.message,
        }
    }
}

impl Error {
    pub(super) fn malformed(error: &toml::de::Error, text: &str, file: &Path) -> Self {
        let offset = error.span().map_or(0, |span| span.start);
        Self::Malformed {
            file: file.to_owned(),
            line: line_at(text, offset),
            key: key_at(text, offset).unwrap_or_default(),
            message: error.message().to_owned(),
        }
    }
}

fn line_at(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().iter().take(offset);
    1 + before.filter(|byte| **byte == b'\n').count()
}

fn written(path: &[Step]) -> String {
    let mut key = String::new();
    for step in path {
        match step {
            Step::Key(name) if key.is_empty() => key.push_str(name),
            Step::Key(name) => {
                key.push('.');
                key.push_str(name);
            }
            Step::Index(index) => key.push_str(&format!("[{index}]")),
        }
    }
    key
}

/// Where in the text the value at `path` stands, or the last table on the way that is there.
fn offset_of(text: &str, path: &[Step]) -> usize {
    let Ok(document) = DeTable::parse(text) else {
        return 0;
    };
    let mut offset = 0;
    let mut value = DeValue::Table(document.into_inner());
    for step in path {
        let found = match (step, &value) {
            (Step::Key(name), DeValue::Table(table)) => table
                .iter()
                .find(|(key, _)| key.get_ref() == name)
                .map(|(key, inner)| (key.span().start, inner.get_ref().clone())),
            (Step::Index(index), DeValue::Array(array)) => array
                .get(*index)
                .map(|inner| (inner.span().start, inner.get_ref().clone())),
            _ => None,
        };
        let Some((start, inner)) = found else {
            break;
        };
        offset = start;
        value = inner;
    }
    offset
}

/// The path of the innermost key whose name or value covers `offset`.
fn key_at(text: &str, offset: usize) -> Option<String> {
    let document = DeTable::parse(text).ok()?;
    let mut key = String::new();
    walk_table(document.get_ref(), offset, &mut key);
    (!key.is_empty()).then_some(key)
}

fn walk_table(table: &DeTable<'_>, offset: usize, key: &mut String) -> bool {
    for (name, value) in table {
        let length = key.len();
        if !key.is_empty() {
            key.push('.');
        }
        key.push_str(name.get_ref());
        if walk_value(value.get_ref(), offset, key)
            || name.span().contains(&offset)
            || value.span().contains(&offset)
        {
            return true;
        }
        key.truncate(length);
    }
    false
}

fn walk_value(value: &DeValue<'_>, offset: usize, key: &mut String) -> bool {
    match value {
        DeValue::Table(table) => walk_table(table, offset, key),
        DeValue::Array(array) => {
            for (index, element) in array.iter().enumerate() {
                let length = key.len();
                key.push_str(&format!("[{index}]"));
                if walk_value(element.get_ref(), offset, key) || element.span().contains(&offset) {
                    return true;
                }
                key.truncate(length);
            }
            false
        }
        _ => false,
    }
}
