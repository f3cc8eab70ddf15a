//! `bedside retention`.

use crate::{admin_client::AdminSocket, commands::rules::RuleFiles, print::Format};
use anyhow::{Result, anyhow};
use bedside_policy::{
    retention::{Class, Provider, Record, RetentionDecision, Until},
    rules::{Day, Jurisdiction},
};
use bedside_server::{PurgeReport, PurgeRequest};
use clap::{Args, Subcommand, ValueEnum};

#[derive(Subcommand)]
pub(crate) enum Retention {
    /// Compute until when a record is kept; what is not said makes it last longer
    Compute(Compute),
    /// Destroy the keys of names and addresses in the audit log that are past their term
    ///
    /// Records stay under their pseudonyms, and every proof holds. Refused below six years
    /// (45 CFR 164.316(b)(2)(i)) and while a legal hold stands in the overrides file.
    Purge {
        /// Years that they are kept; as in `retention.audit_years` when left out
        #[arg(long)]
        years: Option<u16>,
        /// Only say what would be destroyed
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        socket: AdminSocket,
        #[command(flatten)]
        format: Format,
    },
}

#[derive(Args)]
pub(crate) struct Compute {
    /// State in which patient or provider was, such as CA; may be given several times
    #[arg(long = "state", value_name = "STATE")]
    states: Vec<Jurisdiction>,
    /// Who keeps the record
    #[arg(long, value_enum)]
    provider: Option<Keeper>,
    /// Day on which the patient was born
    #[arg(long, value_name = "DAY")]
    born: Option<Day>,
    /// Day of the last service; for documentation, when it was last in effect
    #[arg(long, value_name = "DAY")]
    last_service: Day,
    /// Whether the patient is a member of a Medicare Advantage plan
    #[arg(long, value_name = "BOOL")]
    medicare_advantage: Option<bool>,
    /// Audit logs, agreements, policies: not a patient's record (45 CFR 164.316(b)(2)(i))
    #[arg(long)]
    documentation: bool,
    /// A legal hold is on it
    #[arg(long)]
    legal_hold: bool,
    /// Day that was promised before; never shortened
    #[arg(long, value_name = "DAY")]
    promised: Option<Day>,
    #[command(flatten)]
    files: RuleFiles,
    #[command(flatten)]
    format: Format,
}

#[derive(Clone, Copy, ValueEnum)]
enum Keeper {
    /// A hospital or its clinic
    Hospital,
    /// A physician's practice
    Physician,
}

impl Retention {
    pub(crate) fn run(self) -> Result<()> {
        match self {
            Self::Compute(compute) => compute.run(),
            Self::Purge {
                years,
                dry_run,
                socket,
                format,
            } => {
                let request = PurgeRequest { years, dry_run };
                let report: PurgeReport = socket.post(&["audit", "purge"], &request)?;
                format.print(&report, purged)
            }
        }
    }
}

impl Compute {
    fn run(self) -> Result<()> {
        if self.states.contains(&Jurisdiction::FEDERAL) {
            return Err(anyhow!("federal rules apply anyway: name a state, or none"));
        }
        let (_, rules) = self.files.read()?;
        let record = Record {
            class: if self.documentation {
                Class::Documentation
            } else {
                Class::MedicalRecord
            },
            states: self.states,
            provider: self.provider.map(|keeper| match keeper {
                Keeper::Hospital => Provider::Hospital,
                Keeper::Physician => Provider::Physician,
            }),
            born: self.born,
            last_service: self.last_service,
            medicare_advantage: self.medicare_advantage,
            legal_hold: self.legal_hold,
            running: self.promised.map(Until::Day),
        };
        let decision = rules.decide(&record)?;
        self.format.print(&decision, people)
    }
}

fn purged(report: &PurgeReport) -> String {
    let PurgeReport {
        before_year, years, ..
    } = report;
    let kept = format!("names and addresses of {before_year} and later are kept ({years} years)");
    match report.keys {
        Some(keys) => format!("{keys} keys of earlier years destroyed; {kept}"),
        None => format!("would destroy the keys of earlier years; {kept}"),
    }
}

fn people(decision: &RetentionDecision) -> String {
    let mut lines = vec![format!("keep until  {}", decision.until)];
    for (index, applied) in decision.applied.iter().enumerate() {
        let heading = if index == 0 { "because of" } else { "also" };
        lines.push(format!(
            "{heading:<12}{}: {} ({}; {}; {})",
            applied.rule,
            applied.until,
            applied.citation.as_deref().unwrap_or("no law cited"),
            applied.source,
            applied.confidence.name(),
        ));
    }
    for assumed in &decision.assumed {
        lines.push(format!("{:<12}{assumed}", "assumed"));
    }
    lines.push(format!(
        "{:<12}{} of the weakest entry; rules {}, SHA-256 {}",
        "confidence",
        decision.confidence.name(),
        decision.rules_version,
        decision.rules_hash,
    ));
    lines.join("\n")
}
