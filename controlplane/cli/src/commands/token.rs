//! `bedside token`.

use crate::{admin_client::AdminSocket, commands::duration, print::Format};
use anyhow::Result;
use bedside_server::admin::{TokenReport, TokenRequest, TokenRole};
use clap::{Subcommand, ValueEnum};

#[derive(Subcommand)]
pub(crate) enum Token {
    /// Print a LiveKit access token
    Create {
        /// Room that it opens
        #[arg(long)]
        room: String,
        /// Who joins with it
        #[arg(long)]
        identity: String,
        /// Display name
        #[arg(long)]
        name: Option<String>,
        /// What it allows
        #[arg(long, value_enum, default_value = "participant")]
        role: RoleArgument,
        /// How long it is valid: 30m, 6h
        #[arg(long, default_value = "1h", value_parser = duration)]
        valid: u64,
        #[command(flatten)]
        socket: AdminSocket,
        #[command(flatten)]
        format: Format,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum RoleArgument {
    /// Publishes and subscribes
    Participant,
    /// Subscribes only
    Viewer,
    /// Publishes, subscribes and administers the room
    Administrator,
    /// Publishes and subscribes as an agent
    Agent,
}

impl Token {
    pub(crate) fn run(self) -> Result<()> {
        let Self::Create {
            room,
            identity,
            name,
            role,
            valid,
            socket,
            format,
        } = self;
        let role = match role {
            RoleArgument::Participant => TokenRole::Participant,
            RoleArgument::Viewer => TokenRole::Viewer,
            RoleArgument::Administrator => TokenRole::Administrator,
            RoleArgument::Agent => TokenRole::Agent,
        };
        let request = TokenRequest {
            room,
            identity,
            name,
            role,
            valid_s: valid,
        };
        let report: TokenReport = socket.post(&["tokens"], &request)?;
        format.print(&report, |report| report.token.clone())
    }
}
