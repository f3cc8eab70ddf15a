//! `bedside breakglass`: emergency entries and their review.

use crate::{
    admin_client::AdminSocket,
    print::{Format, line, table},
};
use anyhow::Result;
use bedside_server::admin::{EmergencyReport, Finding, ReviewRequest};
use clap::{Subcommand, ValueEnum};

#[derive(Subcommand)]
pub(crate) enum BreakGlass {
    /// List emergency entries, the last first
    List {
        /// Only those that nobody has reviewed
        #[arg(long)]
        open: bool,
        #[command(flatten)]
        socket: AdminSocket,
        #[command(flatten)]
        format: Format,
    },
    /// Say what the review of an entry found; it goes into the audit log
    Review {
        /// Entry (BG_...), as `breakglass list` shows it
        entry: String,
        /// What the review found
        #[arg(long, value_enum)]
        finding: ReviewFinding,
        /// What is to be said about it; encrypted in the audit log
        #[arg(long, default_value = "")]
        words: String,
        #[command(flatten)]
        socket: AdminSocket,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum ReviewFinding {
    /// It was an emergency
    Justified,
    /// It was none
    NotJustified,
}

impl BreakGlass {
    pub(crate) fn run(self) -> Result<()> {
        match self {
            Self::List {
                open,
                socket,
                format,
            } => {
                let mut entries: Vec<EmergencyReport> = socket.get(&["breakglass"])?;
                entries.retain(|entry| !open || entry.reviewed_s.is_none());
                format.print(&entries, |entries| list(entries))
            }
            Self::Review {
                entry,
                finding,
                words,
                socket,
            } => {
                let finding = match finding {
                    ReviewFinding::Justified => Finding::Justified,
                    ReviewFinding::NotJustified => Finding::NotJustified,
                };
                let request = ReviewRequest { finding, words };
                let _: () = socket.post(&["breakglass", &entry, "review"], &request)?;
                line("The review was recorded.")
            }
        }
    }
}

fn list(entries: &[EmergencyReport]) -> String {
    let rows: Vec<_> = entries
        .iter()
        .map(|entry| {
            let state = match (&entry.finding, entry.ended_s) {
                (Some(finding), _) => finding.clone(),
                (None, Some(_)) => "ended, NOT REVIEWED".to_owned(),
                (None, None) => "lasts, NOT REVIEWED".to_owned(),
            };
            [
                entry.entry.clone(),
                entry.user.clone(),
                entry.room.clone(),
                entry.reason.clone(),
                entry.started_s.to_string(),
                state,
            ]
        })
        .collect();
    table(
        [
            "ENTRY",
            "USER",
            "ROOM",
            "REASON",
            "STARTED (UNIX S)",
            "REVIEW",
        ],
        &rows,
        "Nobody has entered in an emergency.",
    )
}
