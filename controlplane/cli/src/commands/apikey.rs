//! `bedside apikey`.

use crate::{admin_client::AdminSocket, commands::duration, print::Format};
use anyhow::Result;
use bedside_server::admin::{ApiKeyMade, ApiKeyReport, RotateRequest};
use clap::Subcommand;

#[derive(Subcommand)]
pub(crate) enum ApiKey {
    /// List the API keys, without their secrets
    List {
        #[command(flatten)]
        socket: AdminSocket,
        #[command(flatten)]
        format: Format,
    },
    /// Make another key and print its secret, this once
    Add {
        #[command(flatten)]
        socket: AdminSocket,
        #[command(flatten)]
        format: Format,
    },
    /// Make a successor of a key; tokens of both count for a while
    Rotate {
        /// The key to replace
        name: String,
        /// How long its tokens go on counting: 30m, 24h, 7d
        #[arg(long, default_value = "24h", value_parser = duration)]
        overlap: u64,
        #[command(flatten)]
        socket: AdminSocket,
        #[command(flatten)]
        format: Format,
    },
    /// Remove a key: its tokens are refused at once
    Remove {
        /// The key to remove
        name: String,
        #[command(flatten)]
        socket: AdminSocket,
    },
}

impl ApiKey {
    pub(crate) fn run(self) -> Result<()> {
        match self {
            Self::List { socket, format } => {
                let keys: Vec<ApiKeyReport> = socket.get(&["api-keys"])?;
                format.print(&keys, |keys| {
                    keys.iter().map(line).collect::<Vec<_>>().join("\n")
                })
            }
            Self::Add { socket, format } => {
                let made: ApiKeyMade = socket.post(&["api-keys"], &())?;
                format.print(&made, words)
            }
            Self::Rotate {
                name,
                overlap,
                socket,
                format,
            } => {
                let request = RotateRequest { overlap_s: overlap };
                let made: ApiKeyMade = socket.post(&["api-keys", &name, "rotate"], &request)?;
                format.print(&made, words)
            }
            Self::Remove { name, socket } => socket.delete(&["api-keys", &name]),
        }
    }
}

fn line(key: &ApiKeyReport) -> String {
    let state = match (key.signs, key.in_force, key.until) {
        (true, ..) => "signs".to_owned(),
        (_, false, _) => "over".to_owned(),
        (_, true, Some(until)) => format!("counts until {until}"),
        (_, true, None) => "counts".to_owned(),
    };
    let used = key
        .last_used
        .map_or_else(|| "never used".to_owned(), |at| format!("used {at}"));
    format!("{}  {state}  {used}", key.name)
}

fn words(made: &ApiKeyMade) -> String {
    format!("{}: {}", made.name, made.secret)
}
