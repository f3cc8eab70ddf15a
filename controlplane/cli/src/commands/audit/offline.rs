//! `bedside audit verify-proof`: what an auditor does who has a proof, a key, and nothing else.

use super::read;
use crate::{exit::Tampered, print::Format};
use anyhow::{Context, Result};
use bedside_audit::{ProofBundle, VerifyingKey};
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;

#[derive(Args)]
pub(crate) struct VerifyProof {
    /// The proof: a .tlog-proof file
    proof: PathBuf,
    /// Verifier key of the log, from elsewhere: `bedside audit witness status` prints it
    #[arg(long, value_name = "VKEY", required = true)]
    key: Vec<VerifyingKey>,
    /// Verifier key of a witness that has to have signed; may be given several times
    #[arg(long, value_name = "VKEY")]
    witness: Vec<VerifyingKey>,
    #[command(flatten)]
    format: Format,
}

#[derive(Serialize)]
struct ProofReport {
    log: String,
    entry: u64,
    size: u64,
    at: String,
    action: &'static str,
    outcome: bedside_audit::Outcome,
    witnesses: Vec<WitnessReport>,
}

#[derive(Serialize)]
struct WitnessReport {
    name: String,
    /// Unix seconds.
    at_s: u64,
}

impl VerifyProof {
    pub(super) fn run(self) -> Result<()> {
        let bundle = ProofBundle::parse(&read(&self.proof)?)
            .with_context(|| format!("{}", self.proof.display()))?;
        let proven = match bundle.verify(&self.key, &self.witness) {
            Ok(proven) => proven,
            Err(error) => return Err(anyhow::Error::new(Tampered(1)).context(error.to_string())),
        };
        for witness in &self.witness {
            if !proven
                .cosigned
                .iter()
                .any(|signed| signed.witness == witness.name())
            {
                let words = format!("the witness {} has not signed this", witness.name());
                return Err(anyhow::Error::new(Tampered(1)).context(words));
            }
        }
        let report = ProofReport {
            log: proven.checkpoint.origin,
            entry: bundle.proof.index,
            size: proven.checkpoint.size,
            at: proven.entry.ts.to_string(),
            action: proven.entry.action.name(),
            outcome: proven.entry.outcome,
            witnesses: proven
                .cosigned
                .into_iter()
                .map(|signed| WitnessReport {
                    name: signed.witness,
                    at_s: signed.at_s,
                })
                .collect(),
        };
        self.format.print(&report, |report| {
            let mut text = format!(
                "proven: entry {} of {} ({} at {}), under a checkpoint of {} entries",
                report.entry, report.log, report.action, report.at, report.size
            );
            for witness in &report.witnesses {
                text.push_str(&format!(
                    "\nseen by {} at Unix time {}",
                    witness.name, witness.at_s
                ));
            }
            text
        })
    }
}
