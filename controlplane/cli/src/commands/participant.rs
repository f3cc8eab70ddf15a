//! `bedside participant`.

use crate::{
    admin_client::AdminSocket,
    print::{Format, line, table},
};
use anyhow::Result;
use bedside_server::admin::{MuteRequest, ParticipantReport, TrackReport};
use clap::Subcommand;

#[derive(Subcommand)]
pub(crate) enum Participant {
    /// List who is in a room
    List {
        /// Room name
        room: String,
        #[command(flatten)]
        socket: AdminSocket,
        #[command(flatten)]
        format: Format,
    },
    /// Send a participant away; their link no longer lets them in
    Remove {
        /// Room name
        room: String,
        /// Identity, as `participant list` shows it
        identity: String,
        #[command(flatten)]
        socket: AdminSocket,
    },
    /// Mute what a participant publishes
    Mute {
        /// Room name
        room: String,
        /// Identity, as `participant list` shows it
        identity: String,
        /// One track (TR_...); all of them when left out
        track: Option<String>,
        #[command(flatten)]
        socket: AdminSocket,
    },
}

impl Participant {
    pub(crate) fn run(self) -> Result<()> {
        match self {
            Self::List {
                room,
                socket,
                format,
            } => {
                let participants: Vec<ParticipantReport> =
                    socket.get(&["rooms", &room, "participants"])?;
                format.print(&participants, |participants| list(participants))
            }
            Self::Remove {
                room,
                identity,
                socket,
            } => {
                socket.delete(&["rooms", &room, "participants", &identity])?;
                line("The participant was removed.")
            }
            Self::Mute {
                room,
                identity,
                track,
                socket,
            } => {
                let request = MuteRequest { track, muted: true };
                let parts = ["rooms", &room, "participants", &identity, "mute"];
                let tracks: Vec<TrackReport> = socket.post(&parts, &request)?;
                line(&format!("Muted {} track(s).", tracks.len()))
            }
        }
    }
}

/// A table of participants; also what `room show` prints.
pub(crate) fn list(participants: &[ParticipantReport]) -> String {
    let rows: Vec<_> = participants
        .iter()
        .map(|participant| {
            let tracks = participant.tracks.iter().map(|track| {
                let muted = if track.muted { " (muted)" } else { "" };
                format!("{} {}{muted}", track.sid, track.source)
            });
            [
                participant.identity.clone(),
                participant.name.clone(),
                participant.state.clone(),
                tracks.collect::<Vec<_>>().join(", "),
            ]
        })
        .collect();
    table(
        ["IDENTITY", "NAME", "STATE", "TRACKS"],
        &rows,
        "Nobody is in the room.",
    )
}
