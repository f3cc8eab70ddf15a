//! What the operator's counsel decided otherwise.

use super::{Day, Jurisdiction, RulesError, Source, says_something};
use crate::consent::Consent;
use serde::Deserialize;

/// Decisions of the operator's counsel, from a file of `kind = "override"`.
///
/// Counsel may always be stricter than a file. Laxer than a file they may be only where it does not
/// rest on a law that is known to say so, and then they cite what they read; never below a federal
/// floor. Each is checked when it is applied, by [`crate::consent::ConsentRules::overridden`] and
/// [`crate::retention::RetentionRules::overridden`].
#[derive(Clone, Debug)]
pub struct Overrides {
    pub(crate) file: String,
    pub(crate) text: String,
    version: String,
    author: Author,
    pub(crate) consent: Vec<ConsentOverride>,
    pub(crate) retention: Vec<RetentionOverride>,
    holds: Vec<Hold>,
}

impl Overrides {
    /// Reads `text`, the contents of `file`.
    ///
    /// # Errors
    /// Names the file and the entry that is wrong.
    pub fn parse(file: &str, text: &str) -> Result<Self, RulesError> {
        let source = Source {
            file,
            kind: "override",
        };
        let written: Written = source.parse(text)?;
        source.expect_kind(&written.kind)?;
        source.version_day(&written.version)?;
        if !says_something(&written.author.role) {
            return Err(source.form("say in author.role in which role counsel decided"));
        }
        let reasons = written
            .consent
            .iter()
            .map(|o| (o.jurisdiction.code(), &o.reason));
        let reasons = reasons.chain(
            written
                .retention
                .iter()
                .map(|o| (o.rule.as_str(), &o.reason)),
        );
        let reasons = reasons.chain(written.hold.iter().map(|o| (o.id.as_str(), &o.reason)));
        for (entry, reason) in reasons {
            if !says_something(reason) {
                return Err(source.entry(entry, "give a reason, in at most 1,000 bytes"));
            }
        }
        let entries: Vec<&str> = written
            .consent
            .iter()
            .map(|o| o.jurisdiction.code())
            .chain(written.retention.iter().map(|o| o.rule.as_str()))
            .collect();
        for (index, entry) in entries.iter().enumerate() {
            if entries.iter().take(index).any(|earlier| earlier == entry) {
                return Err(source.entry(entry, "stands here twice; keep one"));
            }
        }
        Ok(Self {
            file: file.to_owned(),
            text: text.to_owned(),
            version: written.version,
            author: written.author,
            consent: written.consent,
            retention: written.retention,
            holds: written.hold,
        })
    }

    /// The file's version.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The legal holds in force.
    #[must_use]
    pub fn holds(&self) -> &[Hold] {
        &self.holds
    }

    /// Overrides of overrides would let a law be undercut in two steps: there is one file.
    pub(crate) fn expect_first(&self, version: &str) -> Result<(), RulesError> {
        if version.contains('+') {
            let source = Source {
                file: &self.file,
                kind: "override",
            };
            return Err(
                source.form("the rules are overridden already; put all of it into one file")
            );
        }
        Ok(())
    }

    /// Who decided, and when.
    #[must_use]
    pub const fn author(&self) -> &Author {
        &self.author
    }
}

/// A legal hold: while it stands in the file, nothing of the audit log is destroyed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    /// Its id in counsel's own files. A name has no place here.
    pub id: String,
    /// Since when.
    pub date: Day,
    reason: String,
}

/// Who decided.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Author {
    /// In which role, such as `general counsel`. A name has no place here.
    pub role: String,
    /// When.
    pub date: Day,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConsentOverride {
    pub(crate) jurisdiction: Jurisdiction,
    pub(crate) consent: Consent,
    pub(crate) citation: Option<String>,
    reason: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RetentionOverride {
    pub(crate) rule: String,
    pub(crate) years: Option<u16>,
    pub(crate) permanent: Option<bool>,
    pub(crate) minor_until_age: Option<u16>,
    pub(crate) minor_years: Option<u16>,
    pub(crate) citation: Option<String>,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    kind: String,
    version: String,
    author: Author,
    #[serde(default)]
    consent: Vec<ConsentOverride>,
    #[serde(default)]
    retention: Vec<RetentionOverride>,
    #[serde(default)]
    hold: Vec<Hold>,
}
