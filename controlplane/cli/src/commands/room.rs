//! `bedside room`.

mod connections;

use crate::{
    admin_client::AdminSocket,
    commands::participant,
    print::{Format, line, table},
};
use anyhow::Result;
use bedside_server::admin::RoomReport;
use clap::Subcommand;
use std::io::{self, IsTerminal as _};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

#[derive(Subcommand)]
pub(crate) enum Room {
    /// List the open rooms
    List {
        #[command(flatten)]
        socket: AdminSocket,
        #[command(flatten)]
        format: Format,
    },
    /// Show a room, who is in it, and how their connections are
    Show {
        /// Room name
        room: String,
        /// Show it again each second, until Ctrl-C or the end of the room
        #[arg(long)]
        watch: bool,
        #[command(flatten)]
        socket: AdminSocket,
        #[command(flatten)]
        format: Format,
    },
    /// End a room for everyone in it
    Delete {
        /// Room name
        room: String,
        #[command(flatten)]
        socket: AdminSocket,
    },
}

impl Room {
    pub(crate) fn run(self) -> Result<()> {
        match self {
            Self::List { socket, format } => {
                let rooms: Vec<RoomReport> = socket.get(&["rooms"])?;
                format.print(&rooms, |rooms| list(rooms))
            }
            Self::Show {
                room,
                watch: false,
                socket,
                format,
            } => show(&room, &socket, |report| format.print(report, page)),
            Self::Show {
                room,
                watch: true,
                socket,
                format,
            } => watch(&room, &socket, format),
            Self::Delete { room, socket } => {
                socket.delete(&["rooms", &room])?;
                line("The room is closed; its participants were told.")
            }
        }
    }
}

fn show(
    room: &str,
    socket: &AdminSocket,
    print: impl FnOnce(&RoomReport) -> Result<()>,
) -> Result<()> {
    print(&socket.get(&["rooms", room])?)
}

/// Shows a room over and over: on a terminal in place, elsewhere one after the other, as JSON one a
/// line.
fn watch(room: &str, socket: &AdminSocket, format: Format) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut interrupt = {
        let _inside = runtime.enter();
        signal(SignalKind::interrupt())?
    };
    let terminal = io::stdout().is_terminal();
    loop {
        show(room, socket, |report| {
            if format.json {
                return line(&serde_json::to_string(report)?);
            }
            let page = page(report);
            line(&if terminal {
                format!("{CLEAR}{page}")
            } else {
                format!("{page}\n")
            })
        })?;
        let interrupted = runtime.block_on(async {
            let again = tokio::time::timeout(WATCH_INTERVAL, interrupt.recv());
            again.await.is_ok()
        });
        if interrupted {
            return Ok(());
        }
    }
}

/// A room for people.
fn page(room: &RoomReport) -> String {
    let participants = room.participants.as_deref().unwrap_or_default();
    let mut parts = vec![
        list(std::slice::from_ref(room)),
        participant::list(participants),
    ];
    parts.extend(connections::tables(participants));
    parts.join("\n\n")
}

/// To the upper left corner, and nothing left of what stood there (ECMA-48 §8.3.21, §8.3.39).
const CLEAR: &str = "\x1b[H\x1b[J";

const WATCH_INTERVAL: Duration = Duration::from_secs(1);

fn list(rooms: &[RoomReport]) -> String {
    let rows: Vec<_> = rooms
        .iter()
        .map(|room| {
            let limit = match room.max_participants {
                0 => "none".to_owned(),
                limit => limit.to_string(),
            };
            [
                room.name.clone(),
                room.sid.clone(),
                room.num_participants.to_string(),
                room.num_publishers.to_string(),
                limit,
            ]
        })
        .collect();
    table(
        ["ROOM", "SID", "PARTICIPANTS", "PUBLISHING", "LIMIT"],
        &rows,
        "No room is open.",
    )
}
