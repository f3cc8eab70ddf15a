//! `bedside room`.

use crate::{
    admin_client::AdminSocket,
    commands::participant,
    print::{Format, line, table},
};
use anyhow::Result;
use bedside_server::admin::RoomReport;
use clap::Subcommand;

#[derive(Subcommand)]
pub(crate) enum Room {
    /// List the open rooms
    List {
        #[command(flatten)]
        socket: AdminSocket,
        #[command(flatten)]
        format: Format,
    },
    /// Show a room and who is in it
    Show {
        /// Room name
        room: String,
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
                socket,
                format,
            } => {
                let room: RoomReport = socket.get(&["rooms", &room])?;
                format.print(&room, |room| {
                    let participants = room.participants.as_deref().unwrap_or_default();
                    format!(
                        "{}\n\n{}",
                        list(std::slice::from_ref(room)),
                        participant::list(participants)
                    )
                })
            }
            Self::Delete { room, socket } => {
                socket.delete(&["rooms", &room])?;
                line("The room is closed; its participants were told.")
            }
        }
    }
}

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
