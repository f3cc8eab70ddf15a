//! `bedside rules`.

use crate::{
    exit::NotFound,
    print::{Format, table},
};
use anyhow::{Context as _, Result};
use bedside_policy::{
    consent::{ConsentRule, ConsentRules},
    retention::{RetentionRule, RetentionRules},
    rules::Overrides,
};
use clap::{Args, Subcommand};
use serde::Serialize;
use std::{fs, path::PathBuf};

#[derive(Subcommand)]
pub(crate) enum Rules {
    /// List the rules of consent and of retention, with where each comes from and how sure it is
    List {
        #[command(flatten)]
        files: RuleFiles,
        #[command(flatten)]
        format: Format,
    },
    /// Show one rule
    Show {
        /// Its id, such as consent.us-ca
        id: String,
        #[command(flatten)]
        files: RuleFiles,
        #[command(flatten)]
        format: Format,
    },
    /// Check a file of counsel's decisions against the rules
    Check {
        #[command(flatten)]
        files: RuleFiles,
        #[command(flatten)]
        format: Format,
    },
}

/// Where rules come from.
#[derive(Args, Clone)]
pub(crate) struct RuleFiles {
    /// Decisions of the operator's counsel, as in `retention.overrides_file`
    #[arg(long = "overrides", value_name = "FILE")]
    overrides: Option<PathBuf>,
}

impl RuleFiles {
    /// The rules of this release, with counsel's decisions.
    pub(crate) fn read(&self) -> Result<(ConsentRules, RetentionRules)> {
        let (mut consent, mut retention) = (ConsentRules::built_in(), RetentionRules::built_in());
        if let Some(path) = &self.overrides {
            let name = path.display().to_string();
            let text = fs::read_to_string(path).with_context(|| name.clone())?;
            let overrides = Overrides::parse(&name, &text)?;
            consent = consent.overridden(&overrides)?;
            retention = retention.overridden(&overrides)?;
        }
        Ok((consent, retention))
    }
}

/// All rules. Field names are part of the JSON output.
#[derive(Serialize)]
struct All<'a> {
    consent_version: &'a str,
    consent_sha256: &'a str,
    retention_version: &'a str,
    retention_sha256: &'a str,
    consent: Vec<&'a ConsentRule>,
    retention: Vec<&'a RetentionRule>,
}

/// One of them.
#[derive(Serialize)]
#[serde(untagged)]
enum One<'a> {
    Consent(&'a ConsentRule),
    Retention(&'a RetentionRule),
}

impl Rules {
    pub(crate) fn run(self) -> Result<()> {
        match self {
            Self::List { files, format } => {
                let (consent, retention) = files.read()?;
                let all = All {
                    consent_version: consent.version(),
                    consent_sha256: consent.hash(),
                    retention_version: retention.version(),
                    retention_sha256: retention.hash(),
                    consent: consent.iter().collect(),
                    retention: retention.iter().collect(),
                };
                format.print(&all, list)
            }
            Self::Show { id, files, format } => {
                let (consent, retention) = files.read()?;
                let found = consent
                    .iter()
                    .find(|rule| rule.id == id)
                    .map(One::Consent)
                    .or_else(|| {
                        retention
                            .iter()
                            .find(|rule| rule.id == id)
                            .map(One::Retention)
                    })
                    .ok_or_else(|| NotFound(format!("no rule is called {id}")))?;
                format.print(&found, show)
            }
            Self::Check { files, format } => {
                let (consent, retention) = files.read()?;
                let checked = Checked {
                    consent_version: consent.version().to_string(),
                    consent_sha256: consent.hash().to_string(),
                    retention_version: retention.version().to_string(),
                    retention_sha256: retention.hash().to_string(),
                };
                format.print(&checked, Checked::text)
            }
        }
    }
}

/// Which rules are in force with counsel's decisions.
#[derive(Serialize)]
struct Checked {
    consent_version: String,
    consent_sha256: String,
    retention_version: String,
    retention_sha256: String,
}

impl Checked {
    fn text(&self) -> String {
        format!(
            "consent {} (SHA-256 {})\nretention {} (SHA-256 {})\nfine",
            self.consent_version,
            self.consent_sha256,
            self.retention_version,
            self.retention_sha256
        )
    }
}

fn list(all: &All<'_>) -> String {
    let consent: Vec<[String; 4]> = all
        .consent
        .iter()
        .map(|rule| {
            [
                rule.id.clone(),
                rule.consent.name().to_owned(),
                rule.confidence.name().to_owned(),
                rule.citation.clone(),
            ]
        })
        .collect();
    let retention: Vec<[String; 4]> = all
        .retention
        .iter()
        .map(|rule| {
            let citation = rule.citation.as_deref().unwrap_or("-");
            [
                rule.id.clone(),
                term(rule),
                rule.confidence.name().to_owned(),
                citation.to_owned(),
            ]
        })
        .collect();
    format!(
        "Consent, version {}\n{}\n\nRetention, version {}\n{}",
        all.consent_version,
        table(["RULE", "ASKS FOR", "CONFIDENCE", "LAW"], &consent, "none"),
        all.retention_version,
        table(["RULE", "TERM", "CONFIDENCE", "LAW"], &retention, "none"),
    )
}

fn term(rule: &RetentionRule) -> String {
    if rule.permanent {
        return "permanent".to_owned();
    }
    let mut term = format!("{} y", rule.years);
    if let Some(age) = rule.minor_until_age {
        term.push_str(&format!(", minors until {age}"));
    }
    if let Some(years) = rule.minor_years {
        term.push_str(&format!(", minors {years} y"));
    }
    term
}

fn show(one: &One<'_>) -> String {
    let (id, asks, citation, source, as_of, confidence, note) = match one {
        One::Consent(rule) => (
            &rule.id,
            rule.consent.name().to_owned(),
            rule.citation.as_str(),
            &rule.source,
            rule.as_of,
            rule.confidence,
            &rule.note,
        ),
        One::Retention(rule) => (
            &rule.id,
            term(rule),
            rule.citation.as_deref().unwrap_or("-"),
            &rule.source,
            rule.as_of,
            rule.confidence,
            &rule.note,
        ),
    };
    let rows = [
        ["rule".to_owned(), id.clone()],
        ["says".to_owned(), asks],
        ["law".to_owned(), citation.to_owned()],
        ["source".to_owned(), source.clone()],
        ["as of".to_owned(), as_of.to_string()],
        ["confidence".to_owned(), confidence.name().to_owned()],
        [
            "note".to_owned(),
            note.clone().unwrap_or_else(|| "-".to_owned()),
        ],
    ];
    rows.map(|[name, text]| format!("{name:<12}{text}"))
        .join("\n")
}
