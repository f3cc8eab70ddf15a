//! Entries and reports, as people read them.

use crate::print::Format;
use anyhow::{Context, Result};
use bedside_audit::{Entry, Fact};
use bedside_ledger::{EntryReport, StatusReport, VerifyReport};
use serde_json::{Value, json};

/// One line: number, time, action, outcome, who, where, why.
pub(super) fn entry_line(report: &EntryReport, format: Format) -> Result<String> {
    if format.json {
        return Ok(serde_json::to_string(&value(report)?)?);
    }
    let Ok(entry) = Entry::parse(report.body.as_bytes()) else {
        let number = report.sequence;
        return Ok(format!(
            "{number}  is not an entry: run `bedside audit verify`"
        ));
    };
    let outcome = serde_json::to_value(entry.outcome)?;
    let mut line = format!(
        "{}  {}  {}  {}",
        report.sequence,
        entry.ts,
        entry.action.name(),
        outcome.as_str().unwrap_or_default()
    );
    let kind = serde_json::to_value(entry.actor.kind)?;
    line.push_str(&format!("  by {}", kind.as_str().unwrap_or_default()));
    if let Some(pid) = &entry.actor.pid {
        line.push_str(&format!(" {pid}"));
    }
    if let Some(patient) = &entry.patient {
        line.push_str(&format!("  patient {}", patient.pid));
    }
    if let Some(encounter) = &entry.encounter {
        line.push_str(&format!("  in {encounter}"));
    }
    if let Some(object) = &entry.object {
        line.push_str(&format!("  {} {}", object.kind, object.id));
    }
    if let Some(reason) = &entry.reason {
        line.push_str(&format!("  ({reason})"));
    }
    Ok(line)
}

/// All of an entry.
pub(super) fn entry_whole(report: &EntryReport, format: Format) -> Result<String> {
    if format.json {
        return Ok(serde_json::to_string_pretty(&value(report)?)?);
    }
    let mut text = entry_line(report, format)?;
    if let Ok(entry) = Entry::parse(report.body.as_bytes()) {
        for (name, fact) in &entry.facts {
            let fact = match fact {
                Fact::Number(number) => number.to_string(),
                Fact::Flag(flag) => flag.to_string(),
                Fact::Text(text) => text.clone(),
            };
            text.push_str(&format!("\n  {name}: {fact}"));
        }
        text.push_str(&match (&entry.detail_enc, &report.detail) {
            (_, Some(detail)) => {
                let lines = detail
                    .iter()
                    .map(|(name, value)| format!("\n  {name}: {value}"));
                lines.collect::<String>()
            }
            (Some(sealed), None) => {
                let state = report.detail_state.as_deref().unwrap_or("sealed detail");
                format!("\n  {state}: under {}", sealed.key_id())
            }
            (None, None) => String::new(),
        });
        text.push_str(&format!("\n  id {}\n  leaf {}", entry.id, report.leaf));
    }
    Ok(text)
}

pub(super) fn verify_report(report: &VerifyReport) -> String {
    if report.intact {
        return format!(
            "intact: {} entries, {} checkpoints, root {}",
            report.entries, report.checkpoints, report.root
        );
    }
    let mut text = String::from("NOT intact:");
    for finding in &report.findings {
        text.push_str(&format!("\n  {finding}"));
    }
    text.push_str(
        "\nKeep a copy of the database as it is for whoever investigates; \
         docs/operating/audit-log.md says what to do next.",
    );
    text
}

pub(super) fn status_report(report: &StatusReport) -> String {
    let mut text = format!("log {}, {} entries", report.origin, report.size);
    if let Some(live) = &report.live {
        if let Some(problem) = &live.problem {
            text.push_str(&format!("\nNOT writable: {problem}"));
        }
        match live.unwitnessed {
            None => text.push_str("\nno witness is configured (`audit.witnesses`)"),
            Some(count) => text.push_str(&format!("\nnot witnessed yet: {count} entries")),
        }
        for witness in &live.witnesses {
            text.push_str(&format!(
                "\nwitness {} at {}: {} entries",
                witness.name, witness.url, witness.size
            ));
            if let Some(problem) = &witness.problem {
                text.push_str(&format!("; {problem}"));
            }
        }
    } else {
        for (name, size) in &report.cosigned {
            text.push_str(&format!("\nwitness {name}: {size} entries"));
        }
    }
    for key in &report.vkeys {
        text.push_str(&format!("\nkey {key}"));
    }
    text
}

fn value(report: &EntryReport) -> Result<Value> {
    let entry: Value = serde_json::from_str(&report.body).with_context(|| {
        format!(
            "entry {} is none: run `bedside audit verify`",
            report.sequence
        )
    })?;
    let mut value = json!({ "index": report.sequence, "leaf": report.leaf, "entry": entry });
    if let Some(detail) = &report.detail {
        value["detail"] = json!(detail);
    }
    Ok(value)
}
