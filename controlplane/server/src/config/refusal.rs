//! What keeps a configuration from being used, setting by setting.

use super::rules::Rule;
use serde::Serialize;
use std::fmt;

/// A setting that is refused: why, and what to do.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Refusal {
    /// The setting, as it is written in the file: `media.listen`.
    pub setting: String,
    /// What is wrong with it.
    pub problem: String,
    /// What to do.
    pub remedy: String,
    /// The rule of the `hipaa` profile that it breaks; none where the value cannot work at all.
    #[serde(flatten)]
    pub rule: Option<Rule>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            setting,
            problem,
            remedy,
            rule,
        } = self;
        write!(f, "`{setting}` {problem}")?;
        if let Some(rule) = rule {
            write!(f, " [{}, {}]", rule.name, rule.citation)?;
        }
        write!(f, "; {remedy}")
    }
}

/// Everything that is refused about one configuration, in the file's order of sections: all of
/// it at once, so that it can be mended at once.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(transparent)]
pub struct Refusals(Vec<Refusal>);

impl Refusals {
    /// One by one.
    pub fn iter(&self) -> impl Iterator<Item = &Refusal> {
        self.0.iter()
    }

    /// Nothing is refused.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A value that cannot work.
    pub(crate) fn cannot(
        &mut self,
        setting: &str,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.push(setting, problem.into(), remedy.into(), None);
    }

    /// A value that the profile does not allow.
    pub(crate) fn forbidden(
        &mut self,
        rule: Rule,
        setting: &str,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.push(setting, problem.into(), remedy.into(), Some(rule));
    }

    fn push(&mut self, setting: &str, problem: String, remedy: String, rule: Option<Rule>) {
        self.0.push(Refusal {
            setting: setting.to_owned(),
            problem,
            remedy,
            rule,
        });
    }
}

impl fmt::Display for Refusals {
    /// One a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, refusal) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{refusal}")?;
        }
        Ok(())
    }
}
