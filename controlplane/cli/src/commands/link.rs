//! `bedside link`.

use crate::{admin_client::AdminSocket, commands::duration, print::Format};
use anyhow::Result;
use bedside_server::admin::{LinkReport, LinkRequest, Role};
use clap::{Subcommand, ValueEnum};

#[derive(Subcommand)]
pub(crate) enum Link {
    /// Make a link that lets one person into a room, once
    Create {
        /// Who it is for
        #[arg(long, value_enum)]
        role: LinkRole,
        /// Room that it leads to; made when the first person joins
        #[arg(long)]
        room: String,
        /// Display name; the page asks for it when left out
        #[arg(long)]
        name: Option<String>,
        /// What the page calls the room, instead of its name
        #[arg(long)]
        label: Option<String>,
        /// How long it may be used: 30m, 24h, 7d
        #[arg(long, default_value = "24h", value_parser = duration)]
        valid: u64,
        #[command(flatten)]
        socket: AdminSocket,
        #[command(flatten)]
        format: Format,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum LinkRole {
    /// Joins, speaks and is seen
    Patient,
    /// Also administers the room
    Clinician,
}

impl Link {
    pub(crate) fn run(self) -> Result<()> {
        let Self::Create {
            role,
            room,
            name,
            label,
            valid,
            socket,
            format,
        } = self;
        let role = match role {
            LinkRole::Patient => Role::Patient,
            LinkRole::Clinician => Role::Clinician,
        };
        let request = LinkRequest {
            room,
            role,
            display_name: name,
            room_label: label,
            valid_s: valid,
        };
        let report: LinkReport = socket.post(&["links"], &request)?;
        format.print(&report, |report| report.link.clone())
    }
}
