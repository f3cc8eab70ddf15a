//! Controls mapped to 45 CFR 164.308 to 164.316.
//!
//! The table is written by hand (`controls.toml`); which files of the sources cite each clause is
//! found when the crate is built. Tests hold the two together: a clause that the sources cite and
//! the table lacks fails, and so does a row that nothing in the sources cites any more.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// A row of the table.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Control {
    /// The clause of 45 CFR 164, such as `164.312(b)`.
    pub clause: String,
    /// Its heading.
    pub title: String,
    /// Whose it is.
    pub by: By,
    /// What is done.
    pub does: String,
    /// How an auditor sees it: commands, and what to look at in a bundle.
    pub evidence: String,
    /// Tests that hold it: paths from the repository's root, with `::name` where one test does.
    #[serde(default)]
    pub tests: Vec<String>,
}

/// Whose a control is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// The software does it.
    Software,
    /// The software helps; the operator does it.
    Shared,
    /// The operator does it.
    Operator,
}

impl By {
    /// In words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Software => "software",
            Self::Shared => "software and operator",
            Self::Operator => "operator",
        }
    }
}

/// The table, in the order of the clauses.
#[must_use]
pub fn all() -> Vec<Control> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Table {
        control: Vec<Control>,
    }
    let table: Table = toml::from_str(include_str!("../controls.toml"))
        .expect("the table was checked when this was built");
    table.control
}

/// Which files of the sources cite which clause.
#[must_use]
pub fn citations() -> BTreeMap<String, BTreeSet<String>> {
    serde_json::from_str(include_str!(concat!(env!("OUT_DIR"), "/citations.json")))
        .expect("the build script wrote it")
}

/// The files that cite `control`'s clause, or a paragraph of it.
#[must_use]
pub fn cited_in(
    control: &Control,
    citations: &BTreeMap<String, BTreeSet<String>>,
) -> BTreeSet<String> {
    citations
        .iter()
        .filter(|(clause, _)| is_of(clause, &control.clause))
        .flat_map(|(_, files)| files.iter().cloned())
        .collect()
}

/// Whether `clause` is `control`'s or a paragraph of it.
fn is_of(clause: &str, control: &str) -> bool {
    clause
        .strip_prefix(control)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('('))
}

/// The table as a bundle holds it.
pub(crate) fn report() -> Value {
    let citations = citations();
    let controls: Vec<Value> = all()
        .into_iter()
        .map(|control| {
            let cited_in = cited_in(&control, &citations);
            json!({ "control": control, "cited_in": cited_in })
        })
        .collect();
    json!({ "mapped_to": "45 CFR 164.308-164.316", "controls": controls })
}

/// The table as a document.
#[must_use]
pub fn markdown() -> String {
    use std::fmt::Write as _;
    let mut text = include_str!("controls/head.md").to_owned();
    for control in all() {
        let tests: Vec<String> = control
            .tests
            .iter()
            .map(|test| format!("`{test}`"))
            .collect();
        let tests = if tests.is_empty() {
            "-".to_owned()
        } else {
            tests.join(", ")
        };
        let Control {
            clause,
            title,
            by,
            does,
            evidence,
            ..
        } = control;
        writeln!(
            text,
            "| {clause} | {title} | {} | {does} | {evidence} | {tests} |",
            by.words()
        )
        .expect("a string can be written");
    }
    text
}

#[cfg(test)]
mod tests;
