//! `bedside audit export`.

use super::{From, PAGE, log::Log, search::SearchOptions};
use anyhow::{Context, Result, bail};
use bedside_audit::{
    Entry,
    export::{CSV_HEADER, audit_event, csv_row, json_line},
};
use bedside_ledger::{Answer, EntryReport, Question};
use clap::{Args, ValueEnum};
use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::PathBuf,
};

#[derive(Args)]
pub(crate) struct Export {
    /// In which form
    #[arg(long, value_enum, default_value = "jsonl")]
    format: ExportFormat,
    /// File to write; standard output when left out
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// All of the log, in order, instead of what the filters choose, the last first
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    filter: SearchOptions,
    #[command(flatten)]
    source: From,
}

#[derive(Clone, Copy, ValueEnum)]
enum ExportFormat {
    /// JSON Lines with the entries' own bytes, so that their hashes can be checked
    Jsonl,
    /// FHIR R4 AuditEvent, one a line
    Fhir,
    /// A table for spreadsheets
    Csv,
}

impl Export {
    pub(super) fn run(self) -> Result<()> {
        let log = Log::open(&self.source)?;
        let Answer::Status(status) = log.ask(Question::Status)? else {
            bail!("the control plane is of another release");
        };
        let mut output: Box<dyn Write> = match &self.output {
            None => Box::new(io::stdout().lock()),
            Some(path) => {
                let file = File::create(path);
                let file = file.with_context(|| format!("cannot write {}", path.display()))?;
                Box::new(BufWriter::new(file))
            }
        };
        if matches!(self.format, ExportFormat::Csv) {
            output.write_all(CSV_HEADER.as_bytes())?;
        }
        let mut write = |report: &EntryReport| {
            let bytes = self.format.bytes(report, &status.origin)?;
            Ok(output.write_all(&bytes)?)
        };
        if self.all {
            let mut from = 0;
            while from < status.size {
                let entries = log.entries(Question::Entries {
                    from: Some(from),
                    count: PAGE,
                    detail: false,
                    follow: false,
                })?;
                let Some(last) = entries.last().map(|last| last.sequence) else {
                    break;
                };
                // What was written since belongs to the next export.
                let known = entries.iter().filter(|entry| entry.sequence < status.size);
                known.into_iter().try_for_each(&mut write)?;
                from = last + 1;
            }
        } else {
            self.filter.each(&log, None, &mut write)?;
        }
        Ok(output.flush()?)
    }
}

impl ExportFormat {
    fn bytes(self, report: &EntryReport, origin: &str) -> Result<Vec<u8>> {
        let body = report.body.as_bytes();
        let sequence = report.sequence;
        if matches!(self, Self::Jsonl) {
            return Ok(json_line(sequence, body));
        }
        let entry = Entry::parse(body)
            .with_context(|| format!("entry {sequence}: run `bedside audit verify`"))?;
        Ok(match self {
            Self::Csv => csv_row(sequence, &entry).into_bytes(),
            Self::Jsonl | Self::Fhir => {
                let event = audit_event(sequence, &entry, Entry::leaf_hash(body), origin);
                format!("{event}\n").into_bytes()
            }
        })
    }
}
