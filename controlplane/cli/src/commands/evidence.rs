//! `bedside evidence`.

use crate::{
    admin_client::AdminSocket,
    print::{Format, line},
};
use anyhow::{Context as _, Result, anyhow};
use bedside_audit::{Timestamp, VerifyingKey};
use bedside_evidence::{Report, Scope, verify};
use bedside_policy::rules::Day;
use bedside_server::EvidenceRequest;
use clap::{Args, Subcommand};
use std::{fs, io::Write as _, os::unix::fs::OpenOptionsExt as _, path::PathBuf};

/// Make an evidence bundle of a consult or a period: records with proofs, set-up, controls
///
/// The bundle is a tar archive with a page for people, `index.html`, in it. That it was made is
/// recorded in the audit log.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Evidence {
    #[command(subcommand)]
    verify: Option<Verify>,
    #[command(flatten)]
    make: Make,
}

#[derive(Subcommand)]
enum Verify {
    /// Check every byte of a bundle, without a server and without a network
    Verify {
        /// The bundle
        file: PathBuf,
        /// Verifier key of the log, or of a witness; may be given several times. Without one the
        /// bundle's own keys are used, which shows that it was not damaged, not whose it is
        #[arg(long = "key", value_name = "KEY")]
        keys: Vec<VerifyingKey>,
        #[command(flatten)]
        format: Format,
    },
}

#[derive(Args)]
struct Make {
    /// A consult, by its id (RM_...)
    #[arg(long, value_name = "ENCOUNTER", conflicts_with_all = ["from", "to"])]
    consult: Option<String>,
    /// First day of a period (UTC)
    #[arg(long, value_name = "DAY", requires = "to")]
    from: Option<Day>,
    /// Last day of the period (UTC)
    #[arg(long, value_name = "DAY", requires = "from")]
    to: Option<Day>,
    /// Also open names and addresses; that they were read is recorded first
    #[arg(long)]
    clear_text: bool,
    /// Where to write it; never over a file that is there
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    socket: AdminSocket,
}

impl Evidence {
    pub(crate) fn run(self) -> Result<()> {
        match self.verify {
            Some(Verify::Verify { file, keys, format }) => {
                let archive = fs::read(&file).with_context(|| file.display().to_string())?;
                let report = verify(&archive, &keys)
                    .with_context(|| format!("{} is not what was made", file.display()))?;
                format.print(&report, people)
            }
            None => self.make.run(),
        }
    }
}

impl Make {
    fn run(self) -> Result<()> {
        let request = match (&self.consult, self.from, self.to) {
            (Some(consult), None, None) => EvidenceRequest {
                consult: Some(consult.clone()),
                from_us: None,
                until_us: None,
                clear_text: self.clear_text,
            },
            (None, Some(from), Some(to)) if from <= to => EvidenceRequest {
                consult: None,
                from_us: Some(from.unix_us()),
                until_us: Some(to.unix_us() + DAY_US),
                clear_text: self.clear_text,
            },
            _ => {
                return Err(anyhow!(
                    "name a consult with --consult, or a period with --from and --to"
                ));
            }
        };
        let archive = self.socket.fetch(&["evidence"], &request)?;
        let path = self
            .output
            .unwrap_or_else(|| match (self.consult, self.from, self.to) {
                (None, Some(from), Some(to)) => format!("evidence-{from}-{to}.tar").into(),
                (consult, ..) => format!("evidence-{}.tar", consult.unwrap_or_default()).into(),
            });
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .with_context(|| path.display().to_string())?;
        file.write_all(&archive)
            .and_then(|()| file.sync_all())
            .with_context(|| path.display().to_string())?;
        line(&path.display().to_string())
    }
}

fn people(report: &Report) -> String {
    let scope = match &report.scope {
        Scope::Consult(encounter) => format!("consult {encounter}"),
        Scope::Period { from, until } => format!("{from} to {until}"),
    };
    let mut lines = vec![
        format!(
            "fine        {} bytes in {} files are what was made",
            report.bytes, report.files
        ),
        format!(
            "about       {scope}, by bedside {} at {}",
            report.release, report.made
        ),
        format!(
            "records     {}, and {} of the set-up before, all in the log",
            report.entries, report.context
        ),
        format!(
            "log         {}, {} records",
            report.origin, report.tree_size
        ),
        format!(
            "sealed      record {} at {}",
            report.seal_index, report.sealed
        ),
    ];
    if report.witnesses.is_empty() {
        lines.push("witnesses   none cosigned".to_owned());
    }
    for (witness, at_s) in &report.witnesses {
        let at = Timestamp::from_micros(at_s.saturating_mul(1_000_000));
        lines.push(format!("witness     {witness} at {at}"));
    }
    if report.clear_text {
        lines.push(
            "clear text  names and addresses are in it: protected health information; they are \
             not part of what the log proves"
                .to_owned(),
        );
    }
    if !report.keys_given {
        lines.push(
            "keys        the bundle's own: this shows that it was not damaged, not whose it is; \
             give the log's key with --key"
                .to_owned(),
        );
    }
    lines.join("\n")
}

const DAY_US: u64 = 86_400_000_000;
